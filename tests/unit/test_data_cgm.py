"""S1: raw exports of glucose sensors."""

import sys

import numpy as np
import pytest

from nbforecast.data import prepare
from nbforecast.data.cgm import is_export
from nbforecast.errors import InputError, MissingExtra
from tests.support.requirements import shared

DEXCOM_HEADER = "Index,Timestamp (YYYY-MM-DDThh:mm:ss),Event Type,Event Subtype,Glucose Value (mg/dL)\n"


def test_S1_dexcom_readings_beyond_the_range_are_counted():
    data = prepare(shared("raw/dexcom_clarity_g6.csv"))
    flags = {w.flag: w.count for w in data.warnings}
    assert data.frequency.alias == "5min"
    assert flags["out_of_range"] == 15
    assert flags["duplicate_times"] == 15
    assert (np.nanmin(data.values), np.nanmax(data.values)) == (39.0, 401.0)
    assert data.names.target == "glucose (mg/dL)"


def test_S1_libreview_export_unknown_to_cgm_format_is_read_as_a_table():
    data = prepare(shared("raw/libre_libreview_us.csv"))
    assert (len(data), data.frequency.alias) == (1337, "15min")
    assert str(data.time[-1])[:10] == "2018-08-15"


def test_S1_libre_table_in_mmol_is_converted_to_mg_dl(tmp_path):
    path = tmp_path / "libre.csv"
    rows = [f"13-08-2024 1{i // 4}:{i % 4 * 15:02d};0;{v}" for i, v in enumerate(["5,5", "LO", "6,0", "HI", "5,0"])]
    path.write_text("Name;x;y\nTime;Record Type;Glucose Level (mmol/L)\n" + "\n".join(rows))
    data = prepare(path)
    assert data.values.round(1).tolist() == [99.1, 39.0, 108.1, 501.0, 90.1]
    assert [w.flag for w in data.warnings] == ["out_of_range"]


def test_S1_missing_extra_is_an_error_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cgm_format", None)
    path = tmp_path / "dexcom.csv"
    path.write_text(DEXCOM_HEADER + "1,2024-01-01T00:00:00,EGV,,100\n")
    with pytest.raises(MissingExtra, match=r'pip install "nbforecast\[cgm\]"'):
        prepare(path)


def test_S1_export_without_readings_is_an_input_error(tmp_path):
    path = tmp_path / "dexcom.csv"
    path.write_text(DEXCOM_HEADER + "1,,FirstName,,\n")
    with pytest.raises(InputError, match="no glucose readings"):
        prepare(path)


def test_S1_plain_tables_are_no_exports():
    assert not is_export(b"ds,y\n2024-01-01,1\n")
    assert not is_export(b"time,glucose (mg/dL)\n2024-01-01 00:00,100\n")
    assert is_export(DEXCOM_HEADER.encode())
