"""S4: names of columns, series, files and models are escaped wherever text goes to a terminal or a page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

import nbforecast as nbf
from nbforecast.cache_manager.tables import Change, Detail, Listing
from nbforecast.charts.html import escape, html_table
from nbforecast.cli import main
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.jupyter.widgets.explorer.widget import Explorer
from nbforecast.safe_text import escape_controls

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

HOSTILE = "a\x1b[2J\u202eb\x9b31m\u2066\rc"
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def last(contexts: np.ndarray, horizon: int) -> np.ndarray:
    return np.repeat(np.nan_to_num(contexts[:, -1:]), horizon, 1)


MODEL = FunctionForecaster(last, name=HOSTILE, context=4)


def table() -> pd.DataFrame:
    days = pd.date_range("2024-01-01", periods=30)
    parts = [pd.DataFrame({"when": days, HOSTILE: np.arange(30.0), "id": name}) for name in ("plain", HOSTILE)]
    return pd.concat([*parts, parts[1].tail(1), parts[1].tail(1).assign(id=HOSTILE + "alone")])


def assert_clean(*texts: str) -> None:
    for text in texts:
        assert not CONTROLS.search(text), repr(text)


def test_S4_nothing_that_is_shown_holds_control_characters(caplog: pytest.LogCaptureFixture) -> None:
    run = nbf.forecast(table(), MODEL, 3, id="id", wait=True, name=HOSTILE)
    forecast = run.at(0, HOSTILE)
    card = run._repr_mimebundle_()
    assert_clean(repr(run), repr(run.series(HOSTILE)), repr(forecast), *map(str, run.warnings), *card.values())
    assert run.warnings
    assert_clean(*(record.getMessage() for record in caplog.records))
    assert_clean(*forecast._repr_mimebundle_().values(), repr(Explorer([run], series=HOSTILE)))
    listing = nbf.cache.listing()
    assert_clean(repr(listing), listing._repr_html_(), repr(nbf.cache.info()))
    assert escape_controls(HOSTILE) in repr(listing)
    detail = nbf.cache.show(run.handle)
    assert isinstance(listing, Listing)
    assert isinstance(detail, Detail)
    assert_clean(repr(detail), detail._repr_html_(), repr(Change("Saved", 1, None, 0, 1, where=HOSTILE)))  # type: ignore[arg-type]
    assert_clean(html_table([[HOSTILE]]), escape(HOSTILE))


def test_S4_nothing_in_a_terminal_holds_control_characters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / f"{HOSTILE}.csv"
    table().to_csv(file, index=False)
    for arguments in (
        ["quickdraw", str(file), "-m", "naive", "--id", "id", "-s", HOSTILE], ["quickdraw", str(file), "-m", "naive"],
        ["forecast", str(file), "-m", "naive", "--id", "id", "-o", str(tmp_path / "out.csv")],
        ["forecast", str(file), "-m", HOSTILE, "-o", str(tmp_path / "out.csv")], ["cache", "list"],
        ["quickdraw", str(file) + "x"], ["quickdraw", str(file), "--target", HOSTILE + "x"],
    ):  # fmt: skip
        main(arguments)
    shown = capsys.readouterr()
    assert_clean(shown.out, shown.err)
    assert escape_controls(HOSTILE) in shown.out
    assert escape_controls(HOSTILE) in shown.err
