"""X3, S11, Q4: the newest forecast of every series, and tables whose suffix decides their format."""

import datetime as dt
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.cli import main
from nbforecast.errors import MissingExtra, OptionError
from nbforecast.forecast_tables import describe_latest
from nbforecast.result_cache import export
from nbforecast.run import Run
from tests.support.cache_files import LastValueModel
from tests.support.requirements import Requirement, skip_without

LEVELS = ["last-lo-80", "last-hi-80", "last-lo-95", "last-hi-95"]


def shops(*ends: int) -> pl.DataFrame:
    """Daily sales of shops, from 1 January 2024 on."""
    start = dt.date(2024, 1, 1)
    rows = [
        (start + dt.timedelta(day), f"shop {n}", 100.0 * n + day) for n, end in enumerate(ends) for day in range(end)
    ]
    return pl.DataFrame(rows, ["date", "shop", "sales (kg)"], orient="row")


@pytest.fixture(scope="module")
def run() -> Run:
    return nbf.forecast(shops(60, 60, 40), LastValueModel(), 3, id="shop", origins="latest", wait=True)


def test_Q4_latest_is_a_row_a_series_and_step(run: Run) -> None:
    table = run.latest()
    assert table.columns == ["unique_id", "cutoff", "ds", "step", "last", *LEVELS]
    assert table["unique_id"].to_list() == [f"shop {n}" for n in range(3) for _ in range(3)]
    assert table["step"].to_list() == [1, 2, 3] * 3
    assert table["cutoff"].unique().sort().to_list() == [dt.date(2024, 2, 9), dt.date(2024, 2, 29)]
    for name in run.data.ids:
        mine, forecast = table.filter(unique_id=name), run.at(0, name)
        assert mine["ds"].to_list() == forecast.future.to_list()
        np.testing.assert_array_equal(mine["last"], forecast.median)
        np.testing.assert_array_equal(mine["last-lo-80", "last-hi-80"].to_numpy(), forecast.interval(80))
    assert run.latest(50).columns[-2:] == ["last-lo-50", "last-hi-50"]


def test_S11_series_that_end_earlier_are_named(run: Run) -> None:
    (warning,) = (w for w in run.warnings if w.flag == "ends_earlier")
    assert warning.count == 1
    assert "1 of 3 series end before the newest time, 2024-02-29: 'shop 2' at 2024-02-09" in warning.sentence


def test_Q4_latest_of_a_whole_run_infers_what_is_missing_at_once(run: Run) -> None:
    nbf.cache.flush()
    whole = nbf.forecast(shops(60, 60, 40), LastValueModel(), 3, id="shop")
    assert whole.latest().equals(run.latest())
    whole.wait()


def test_Q4_latest_is_calibrated_where_the_run_is() -> None:
    whole = nbf.forecast(shops(120), LastValueModel(), 3, id="shop", origins="latest", calibrate=True, wait=True)
    ends = whole.latest(90).select("last-lo-90", "last-hi-90").to_numpy()
    np.testing.assert_array_equal(ends, whole.at(0).interval(90))


def test_X1_index_and_step_are_columns_on_request(run: Run) -> None:
    few = nbf.forecast(shops(30), LastValueModel(), 2, id="shop", origins=[-3, 0], wait=True)
    table = few.to_long(80, index=True, step=True)
    assert table.columns == ["unique_id", "ds", "cutoff", "index", "step", "y", "last", "last-lo-80", "last-hi-80"]
    assert table.select("index", "step").rows() == [(-3, 1), (-3, 2), (0, 1), (0, 2)]
    assert few.to_long(80).columns == ["unique_id", "ds", "cutoff", "y", "last", "last-lo-80", "last-hi-80"]


@pytest.mark.parametrize("calibrate", [False, True])
def test_E10_parts_make_the_whole_table(monkeypatch: pytest.MonkeyPatch, calibrate: bool) -> None:
    monkeypatch.setattr(export, "PART_ROWS", 50)
    many = nbf.forecast(shops(90, 80), LastValueModel(), 3, id="shop", calibrate=calibrate, wait=True)
    parts = list(many.long_parts(index=True))
    assert len(parts) > 5
    assert max(map(len, parts)) <= 50
    assert pl.concat(parts).equals(many.to_long(index=True))


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".csv", ".CSV"])
def test_X3_the_suffix_decides_the_format_of_the_long_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(export, "PART_ROWS", 50)
    many = nbf.forecast(shops(60), LastValueModel(), 3, id="shop", wait=True)
    path = tmp_path / f"table{suffix}"
    assert many.sink_long(path, step=True) == len(many.to_long())
    read = {".parquet": pl.read_parquet, ".arrow": pl.read_ipc}.get(suffix)
    if read is not None:
        assert read(path).equals(many.to_long(step=True))
    else:
        table = pl.read_csv(path, try_parse_dates=True, schema_overrides={"last": pl.Float32})
        assert table.select("ds", "cutoff", "last").equals(many.to_long().select("ds", "cutoff", "last"))
    with pytest.raises(OptionError, match=r"written as \.csv, \.parquet, \.arrow, \.xlsx, not as '\.txt'"):
        many.sink_long(tmp_path / "table.txt")
    with pytest.raises(OptionError, match="There is no folder"):
        many.sink_long(tmp_path / "none" / "table.csv")


def test_X3_times_in_text_have_no_empty_fractions(tmp_path: Path) -> None:
    ds = pl.datetime_range(dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 3), "1h", time_zone="UTC", eager=True)
    frame = pl.DataFrame({"ds": ds.dt.convert_time_zone("Europe/Berlin"), "y": np.arange(49.0)})
    nbf.forecast(frame, LastValueModel(), 1, origins="latest", wait=True).sink_long(tmp_path / "a.csv")
    line = (tmp_path / "a.csv").read_text().splitlines()[1]
    assert line.startswith("series,2024-01-03 02:00:00+01:00,2024-01-03 01:00:00+01:00,")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    shops(60, 60, 40).write_csv(tmp_path / "shops.csv")
    return tmp_path / "shops.csv"


def test_X3_the_command_line_shows_and_writes_the_latest(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["forecast", str(source), "-m", "naive", "-H", "3d", "--id", "shop", "--latest"]
    assert main(command) == 0
    captured = capsys.readouterr()
    head, first = captured.out.splitlines()[:2]
    assert head.split("  ")[0] == "shop"
    assert "naive (kg)" in head
    assert first.split()[:4] == ["shop", "0", "2024-02-29", "2024-03-01"]
    assert "'shop 2' at 2024-02-09" in captured.err
    out = source.with_name("next.csv")
    assert main([*command, "--levels", "50", "-o", str(out)]) == 0
    assert f"{out}: 9 rows" in capsys.readouterr().out
    table = pl.read_csv(out)
    assert table.columns == ["unique_id", "cutoff", "ds", "step", "naive", "naive-lo-50", "naive-hi-50"]
    assert max(len(str(v)) for v in table["naive-lo-50"]) <= 6


def test_Q4_the_command_line_takes_origins(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = source.with_name("some.parquet")
    command = ["forecast", str(source), "-m", "naive", "-H", "2", "--id", "shop", "-o", str(out)]
    assert main([*command, "--origins", "-7..0", "--every", "7d"]) == 0
    table = pl.read_parquet(out)
    assert table["cutoff"].unique().sort().dt.day().to_list() == [8, 22, 29]
    assert main([*command, "--origins", "2024-02-10..2024-02-12"]) == 0
    assert pl.read_parquet(out)["cutoff"].n_unique() == 3
    assert main([*command, "--origins", "2025-01-01"]) == 2
    assert "valid times run from 2024-01-01 to 2024-02-29" in capsys.readouterr().err
    assert main(command[:-2]) == 2
    assert "-o names the file to write" in capsys.readouterr().err


def test_X3_a_table_for_people_has_units_and_sensible_digits(run: Run) -> None:
    lines = describe_latest(run, (80,)).splitlines()
    assert lines[0].split() == ["shop", "As", "of", "date", "Step", "last", "(kg)", "80", "%", "from", "80", "%", "to"]
    assert lines[1].split()[-4:] == ["1", "59.00", "58.13", "59.87"]


def workbook(path: Path) -> dict[str, pl.DataFrame]:
    if not find_spec("fastexcel"):
        skip_without(Requirement.LIBRARY, "fastexcel")
    return pl.read_excel(path, sheet_id=0)


def test_X3_a_workbook_has_a_sheet_a_level_of_summary(source: Path) -> None:
    if not find_spec("xlsxwriter"):
        skip_without(Requirement.LIBRARY, "xlsxwriter")
    latest, whole = source.with_name("next.xlsx"), source.with_name("all.xlsx")
    command = ["forecast", str(source), "-m", "naive", "-H", "3", "--id", "shop"]
    assert main([*command, "--latest", "-o", str(latest)]) == 0
    assert main([*command, "-o", str(whole)]) == 0
    sheets = workbook(latest)
    assert list(sheets) == ["Forecast", "By series", "About"]
    assert sheets["Forecast"].columns[:5] == ["shop", "As of", "date", "Step", "naive (kg)"]
    assert sheets["Forecast"].height == 9
    assert sheets["By series"].columns == ["shop", "As of", "Last value", "Step 1", "Step 2", "Step 3"]
    assert sheets["By series"].height == 3
    assert "'shop 2' at 2024-02-09" in " ".join(sheets["About"]["Value"].cast(pl.String))
    summaries = workbook(whole)
    assert list(summaries) == ["Overall", "By step", "By series", "Forecasts", "About"]
    assert summaries["By step"]["Step"].to_list() == [1, 2, 3]
    assert "MAE (kg)" in summaries["Overall"].columns


def test_X3_a_missing_library_is_named(source: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setitem(__import__("sys").modules, "xlsxwriter", None)
    from nbforecast.forecast_tables import save_table

    with pytest.raises(MissingExtra, match=r'pip install "nbforecast\[excel\]"'):
        save_table(run, source.with_name("next.xlsx"), latest=True)
