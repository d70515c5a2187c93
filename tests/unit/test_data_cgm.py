"""S1: raw exports of glucose sensors."""

import sys

import numpy as np
import pandas as pd
import pytest

from nbforecast.data import prepare
from nbforecast.data.cgm import is_export
from nbforecast.errors import InputError, MissingExtra
from tests.support.requirements import shared

QUARTERS = pd.date_range("2024-03-01", periods=300, freq="15min")
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


def test_S12_readings_keep_the_unit_of_the_file(tmp_path):
    path = tmp_path / "libre.csv"
    rows = [f"13-08-2024 1{i // 4}:{i % 4 * 15:02d};0;{v}" for i, v in enumerate(["5,5", "LO", "6,0", "HI", "5,0"])]
    path.write_text("Name;x;y\nTime;Record Type;Glucose Level (mmol/L)\n" + "\n".join(rows))
    data = prepare(path)
    assert data.values.round(1).tolist() == [5.5, 2.2, 6.0, 27.8, 5.0]
    assert data.names.target == "glucose (mmol/L)"
    assert [w.flag for w in data.warnings] == ["out_of_range"]


LIBREVIEW = [
    ("Gerätezeitstempel", "Aufzeichnungstyp", "Glukosewert-Verlauf", "Glukose-Scan", "Teststreifen-Blutzucker"),
    ("Horodatage de l'appareil", "Type d'enregistrement", "Historique de la glycémie",
     "Numérisation de la glycémie", "Électrode de dosage de la glycémie"),
    ("Sello de tiempo del dispositivo", "Tipo de registro", "Historial de glucosa", "Escaneo de glucosa",
     "Tira reactiva para glucosa"),
    ("Timestamp del dispositivo", "Tipo di registrazione", "Storico del glucosio", "Scansione del glucosio",
     "Glucosio su striscia"),
    ("Tijdstempel apparaat", "Recordtype", "Historie glucose", "Scan glucose", "Teststrip glucose"),
]  # fmt: skip


@pytest.mark.parametrize("unit", ["mg/dL", "mmol/L"])
@pytest.mark.parametrize(("time", "kind", "history", "scan", "strip"), LIBREVIEW)
def test_S8_libreview_in_other_languages(time, kind, history, scan, strip, unit, tmp_path):
    header = ["Gerät", "Seriennummer", time, kind, f"{history} {unit}", f"{scan} {unit}", "Insulin", f"{strip} {unit}"]
    rows = [["FreeStyle LibreLink", "0-A", f"{t:%d-%m-%Y %H:%M}", "0", f"{5 + i % 50 / 10:.1f}".replace(".", ","), "",
             "", "9,9" if i == 7 else ""] for i, t in enumerate(QUARTERS)]  # fmt: skip
    rows[3][3:6] = "1", "", "6,5"
    rows.insert(5, ["FreeStyle LibreLink", "0-A", f"{QUARTERS[5]:%d-%m-%Y %H:%M}", "6", "", "", "3", ""])
    path = tmp_path / "libre.csv"
    path.write_text("\n".join(";".join(row) for row in [["Glukose-Werte", "Erstellt am", "05-03-2024"], header, *rows]))
    data = prepare(path)
    assert (len(data), data.names.target, data.frequency.alias) == (300, f"glucose ({unit})", "15min")
    assert (data.values[3], data.values[7]) == (6.5, 5.7)
    assert str(data.time[0])[:16] == "2024-03-01T00:00"


CLARITY = [
    ("Zeitstempel (JJJJ-MM-TTThh:mm:ss)", "Ereignistyp", "Kalibrierung", "Glukosewert", "Niedrig", "Hoch"),
    ("Horodatage (AAAA-MM-JJThh:mm:ss)", "Type d'événement", "Étalonnage", "Valeur de glycémie", "Bas", "Haut"),
    ("Marca temporal (AAAA-MM-DDThh:mm:ss)", "Tipo de evento", "Calibración", "Nivel de glucosa", "Bajo", "Alto"),
    ("Timestamp (AAAA-MM-GGThh:mm:ss)", "Tipo di evento", "Calibrazione", "Valore del glucosio", "Basso", "Alto"),
    ("Tijdstempel (JJJJ-MM-DDTuu:mm:ss)", "Type gebeurtenis", "Kalibratie", "Glucosewaarde", "Laag", "Hoog"),
]


@pytest.mark.parametrize(("unit", "low", "high"), [("mg/dL", 39.0, 401.0), ("mmol/L", 2.2, 22.3)])
@pytest.mark.parametrize(("time", "kind", "calibration", "value", "low_word", "high_word"), CLARITY)
def test_S8_clarity_in_other_languages(time, kind, calibration, value, low_word, high_word, unit, low, high, tmp_path):
    rows = [f'{i},{t:%Y-%m-%dT%H:%M:%S},EGV,,"5,{i % 10}",' for i, t in enumerate(QUARTERS)]
    rows[2], rows[4] = (row.rsplit('"', 2)[0] + f"{word}," for row, word in ((rows[2], low_word), (rows[4], high_word)))
    rows.insert(3, f'0,{QUARTERS[1]:%Y-%m-%dT%H:%M:%S},{calibration},,"9,9",')
    rows = [f"Index,{time},{kind},Subtyp,{value} ({unit}),x", "1,,FirstName,,,", *rows]
    (tmp_path / "clarity.csv").write_text("\ufeff" + "\n".join(rows))
    data = prepare(tmp_path / "clarity.csv")
    assert (len(data), data.names.target) == (300, f"glucose ({unit})")
    assert data.values[1:5].tolist() == [5.1, low, 5.3, high]
    assert {w.flag: w.count for w in data.warnings} == {"out_of_range": 2}


@pytest.mark.parametrize(("separator", "form"), [(",", "%Y/%m/%d"), (";", "%Y/%m/%d"), (";", "%d/%m/%y")])
def test_S8_carelink_has_dates_and_times_in_two_columns_and_repeats_its_header(separator, form, tmp_path):
    header = ["Index", "Date", "Time", "New Device Time", "BG Reading (mg/dL)", "Sensor Glucose (mg/dL)", "ISIG Value"]
    rows = [
        [str(i), t.strftime(form), f"{t:%H:%M:%S}", "", "", str(100 + i % 50), "20"] for i, t in enumerate(QUARTERS)
    ]
    rows.insert(4, ["4", rows[3][1], rows[3][2], "", "250", "", ""])
    rows[100:100] = [["-------", "Pump"], header]
    path = tmp_path / "carelink.csv"
    path.write_text("\n".join(separator.join(row) for row in [["Last Name", "X"], ["Patient ID", "7"], header, *rows]))
    if form == "%d/%m/%y":
        with pytest.raises(InputError, match="date_order="):
            prepare(path)
    data = prepare(path, date_order="dmy" if form == "%d/%m/%y" else None)
    assert (len(data), data.frequency.alias, data.values[4]) == (300, "15min", 104)


def test_S4_words_among_readings_are_counted_and_the_order_of_dates_can_be_given(tmp_path):
    path = tmp_path / "libre.csv"
    rows = [f"0{d}-03-2024 1{i}:00;0;{v}" for d in (1, 2) for i, v in enumerate(["5,5", "Fehler", "6,0"])]
    path.write_text("Name;x;y\nTime;Record Type;Glucose Level (mmol/L)\n" + "\n".join(rows))
    with pytest.raises(InputError, match="date_order="):
        prepare(path)
    data = prepare(path, date_order="dmy")
    assert str(data.time[0])[:10] == "2024-03-01"
    assert {w.flag: w.count for w in data.warnings}["unread_values"] == 2


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
