"""S1, S8: delimited text, compressed files and spreadsheets, however they are written."""

import bz2
import gzip
import sys
import zipfile
from importlib.util import find_spec

import numpy as np
import pandas as pd
import polars as pl
import pytest

from nbforecast.data import prepare
from nbforecast.errors import InputError, MissingExtra
from tests.support.requirements import Requirement, skip_without

HOURS = pd.date_range("2024-02-20", periods=48, freq="h")
GERMAN = "Zeit;Ende;Wert [kWh]\n" + "".join(f"{t:%d.%m.%Y %H:%M};{t:%d.%m.%Y};{i},250\n" for i, t in enumerate(HOURS))
PLAIN = "when,load\n" + "".join(f"{t:%Y-%m-%d %H:%M},{i + 0.25}\n" for i, t in enumerate(HOURS))
EXPECTED = prepare(pd.DataFrame({"ds": HOURS, "y": np.arange(48) + 0.25}))


def _read(path, content, **options):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return prepare(path, **options)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("text", [GERMAN, PLAIN])
def test_S8_separators_decimal_signs_and_encodings(text, encoding, tmp_path):
    options = {"time": "Zeit", "target": "Wert [kWh]"} if text is GERMAN else {}
    assert _read(tmp_path / "a.csv", text.encode(encoding), **options).handle == EXPECTED.handle


@pytest.mark.parametrize(
    "above",
    [
        "sep=,\n", "# exported\n# kWh\n", "Category: all\n\n", "Load of a house\nSource: meter 7, kWh\n",
        "latitude,longitude\n52.5,13.4\n\n", "Title,\n\n", "\n\n", "a;b;c\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_S8_lines_above_the_header(above, line_end, tmp_path):
    data = _read(tmp_path / "a.csv", (above + PLAIN).replace("\n", line_end))
    assert data.handle == EXPECTED.handle
    assert (data.names.time, data.names.target) == ("when", "load")


def test_S8_a_header_in_a_comment_and_no_header_at_all(tmp_path):
    assert _read(tmp_path / "a.csv", "# made by x\n# " + PLAIN).names.target == "load"
    assert _read(tmp_path / "a.csv", PLAIN.split("\n", 1)[1]).handle == EXPECTED.handle  # no row is lost


def test_S1_compressed_text(tmp_path):
    for name, compress in (("a.csv.gz", gzip.compress), ("a.csv.bz2", bz2.compress)):
        data = _read(tmp_path / name, compress(GERMAN.encode()), time="Zeit", target="Wert [kWh]")
        assert data.handle == EXPECTED.handle


def test_S8_ids_of_csv_files_keep_their_text(tmp_path):
    rows = "".join(f"{a},2024-01-0{d},{d}\n" for a in ("007", "7", "1.10", "NA") for d in range(1, 6))
    assert _read(tmp_path / "a.csv", "unique_id,ds,y\n" + rows).ids == ("007", "1.10", "7", "NA")
    assert _read(tmp_path / "a.csv", "shop,ds,y\n" + rows, id="shop").ids == ("007", "1.10", "7", "NA")


def test_S4_a_line_with_too_many_fields_is_named(tmp_path):
    with pytest.raises(InputError, match=r"Line 50 of .* has 3 fields, but the header has 2"):
        _read(tmp_path / "a.csv", PLAIN + "2024-03-01,1,2\n")


def _write_xlsx(path, rows):
    """Write the least that is a spreadsheet."""
    space = "http://schemas.openxmlformats.org"
    kind = {float: "n", str: "str"}
    cells = [
        "<row>" + "".join(f'<c t="{kind[type(value)]}"><v>{value}</v></c>' for value in row) + "</row>" for row in rows
    ]
    main, rel = f'xmlns="{space}/spreadsheetml/2006/main"', f"{space}/officeDocument/2006/relationships"
    package = f'xmlns="{space}/package/2006/relationships"'
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{space}/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>'
            f'<Override PartName="/xl/sheet1.xml" ContentType="{kinds}.worksheet+xml"/></Types>',
        )
        file.writestr(
            "_rels/.rels",
            f'<Relationships {package}><Relationship Id="r1" Type="{rel}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        file.writestr(
            "xl/workbook.xml",
            f'<workbook {main} xmlns:r="{rel}"><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
        )
        file.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships {package}><Relationship Id="r1" '
            f'Type="{rel}/worksheet" Target="sheet1.xml"/></Relationships>',
        )
        file.writestr("xl/sheet1.xml", f"<worksheet {main}><sheetData>{''.join(cells)}</sheetData></worksheet>")


def test_S8_spreadsheets_are_read_like_csv(tmp_path):
    if not find_spec("fastexcel"):
        skip_without(Requirement.LIBRARY, "fastexcel")
    rows = [[f"{t:%d/%m/%y %H:%M}", i + 0.25] for i, t in enumerate(HOURS)]
    _write_xlsx(tmp_path / "a.xlsx", [["Load of a house"], [], ["when", "load"], *rows])
    assert prepare(tmp_path / "a.xlsx").handle == EXPECTED.handle
    with pytest.raises(InputError, match=r"b\.xlsx.*spreadsheet"):
        _read(tmp_path / "b.xlsx", b"x")


def test_S8_a_written_index_and_whole_numbers_of_spreadsheets_are_read_like_csv(tmp_path):
    if not find_spec("fastexcel"):
        skip_without(Requirement.LIBRARY, "fastexcel")
    rows = [[float(i), 2000.0 + i // 4, i % 4 + 1.0, i + 0.25] for i in range(40)]
    names = ["", "year", "quarter", "load"]
    _write_xlsx(tmp_path / "a.xlsx", [names, *rows])
    lines = [names, *([f"{cell:g}" for cell in row] for row in rows)]
    (tmp_path / "a.csv").write_text("\n".join(",".join(line) for line in lines))
    one, other = prepare(tmp_path / "a.xlsx"), prepare(tmp_path / "a.csv")
    assert one.handle == other.handle
    assert (one.names, len(one), one.frequency.alias) == (other.names, 40, "QS-JAN")


def test_S8_without_the_library_for_spreadsheets_the_command_that_installs_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastexcel", None)
    with pytest.raises(MissingExtra, match=r'pip install "nbforecast\[excel\]"'):
        _read(tmp_path / "a.xlsx", b"x")


@pytest.mark.parametrize("name", ["data[1]", "q*", "wh?t", "{a,b}"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".arrow", ".csv.gz"])
def test_S8_a_path_is_no_pattern_where_the_file_exists(name, suffix, tmp_path):
    folder = tmp_path / "in[1]*"
    folder.mkdir()
    for stem, value in ((name, 7.0), ("data1", 1.0), ("q1", 1.0), ("what", 1.0), ("a", 1.0)):
        frame = pl.DataFrame({"ds": HOURS, "y": [value] * 48})
        file = folder / (stem + suffix)
        if suffix == ".csv.gz":
            file.write_bytes(gzip.compress(frame.write_csv().encode()))
        else:
            {".csv": frame.write_csv, ".parquet": frame.write_parquet, ".arrow": frame.write_ipc}[suffix](file)
    assert set(prepare(folder / (name + suffix)).values.tolist()) == {7.0}
