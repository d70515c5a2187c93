"""S8: what is refused names the option that settles it as the caller writes it: in Python, in a shell, in a report."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from nbforecast.cli import main
from nbforecast.data import prepare
from nbforecast.errors import NbForecastError
from nbforecast.options import DrawOptions, ForecastOptions
from nbforecast.report.runner import _environment
from nbforecast.text import OPTION_STYLE, option, options_as_flags

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [field.name for options in (ForecastOptions, DrawOptions) for field in fields(options)]
KEYWORD = re.compile(rf"(?<![\w.])({'|'.join(NAMES)})=")
DAYS = [f"{day:%Y-%m-%d}" for day in pd.date_range("2024-01-01", periods=12)]
RUNNING = list(range(12))

# a table, options of the command line, and the option that settles it
REFUSED: list[tuple[dict[str, Any], list[str], str]] = [
    ({"day": DAYS, "a": RUNNING, "b": RUNNING}, [], "target"),
    ({"day": DAYS, "a": RUNNING, "b": ["low", *map(str, range(11))]}, [], "target"),
    ({"day": DAYS, "end": DAYS, "a": RUNNING}, [], "time"),
    ({"a": RUNNING}, [], "time"),
    ({"day": DAYS, "a": ["x"] * 12}, [], "target"),
    ({"day": DAYS, "a": ["high"] + ["1.5"] * 11}, ["--target", "a"], "target"),
    ({"day": ["noon", *DAYS[1:]], "a": RUNNING}, ["--time", "day"], "time"),
    ({"day": [f"0{d}/0{d + 1}/2024" for d in range(1, 4)] * 4, "a": RUNNING}, [], "date_order"),
    ({"day": DAYS, "a": ["1,234", "2,345"] * 6}, [], "decimal"),
    ({"day": sorted(DAYS * 2), "shop": ["a", "b"] * 12, "a": RUNNING * 2}, [], "id"),
    ({"day": sorted(DAYS * 4), "shop": [*"aabb"] * 12, "item": [*"xyxy"] * 12, "a": RUNNING * 4}, [], "id"),
    ({"day": DAYS, "open": ["08:00"] * 12, "close": ["18:00"] * 12, "a": RUNNING}, ["--time", "day,open"], ""),
    ({"day": sorted(DAYS[:6] * 2), "open": ["8:00", "9:00"] * 6, "close": ["18:00", "19:00"] * 6, "a": RUNNING}, [],
     "time"),
    ({"day": DAYS, "a": RUNNING}, ["--freq", "fortnightly"], "freq"),
    ({"day": DAYS, "a": RUNNING}, ["--freq", "3"], "freq"),
    ({"day": DAYS, "a": RUNNING}, ["--freq", "W"], "freq"),
    ({"step": RUNNING, "a": RUNNING}, ["--time", "step", "--max-duration", "3d"], "max_duration"),
    ({"day": DAYS, "a": RUNNING}, ["--target", "A"], "target"),
    ({"day": DAYS, "a": RUNNING}, ["--id", "shop"], "id"),
    ({"day": DAYS, "a": RUNNING}, ["--time", "day,a,b"], "time"),
    ({"day": DAYS, "a": RUNNING}, ["--time", "day,a,day"], "time"),
    ({"day": DAYS, "a": RUNNING}, ["--target", "day"], "time"),
    ({"day": DAYS, "a": RUNNING}, ["--date-order", "us"], "date_order"),
    ({"day": DAYS, "a": RUNNING}, ["--decimal", ";"], "decimal"),
    ({"day": DAYS, "a": RUNNING}, ["--convert-to", "mmol/L"], "unit"),
    ({"day": DAYS, "a": [""] * 12}, [], "target"),
    ({"day": DAYS, "a": RUNNING}, ["--fill", "none"], "fill"),
    ({"day": DAYS, "a": RUNNING}, ["--calendar", "moon"], "calendar"),
    ({"day": DAYS, "a": RUNNING}, ["-H", "0"], "horizon"),
    ({"day": DAYS, "a": RUNNING}, ["--seed", "9" * 30], "seed"),
    ({"day": DAYS, "a": RUNNING}, ["--minimum", "3", "--maximum", "2"], "minimum"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "options", "name"), REFUSED, ids=range(len(REFUSED)))
def test_S8_a_shell_is_told_of_flags(
    table: dict[str, Any], options: list[str], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "data.csv"
    pd.DataFrame(table).to_csv(file, index=False)
    status = main(["quickdraw", str(file), "-m", "naive", *options])
    shown = capsys.readouterr()
    error = re.sub(r"\.group_by_dynamic\([^)]*\)", "", shown.err + shown.out)
    assert not KEYWORD.search(error), error
    if name:
        assert status == 2, error
        assert f"--{name.replace('_', '-')}" in error


def test_S8_one_wording_for_each_kind_of_caller() -> None:
    table = pd.DataFrame({"day": DAYS, "a": RUNNING, "b": RUNNING})
    with pytest.raises(NbForecastError, match="forecast with target=;"):
        prepare(table)
    with options_as_flags(), pytest.raises(NbForecastError, match="forecast with --target;"):
        prepare(table)
    with _environment(**{OPTION_STYLE: "parameter"}):
        with pytest.raises(NbForecastError, match="forecast with -p target;"):
            prepare(table)
        with options_as_flags(), pytest.raises(NbForecastError, match="forecast with --target;"):
            prepare(table)


def test_M6_options_are_written_with_flags_that_exist() -> None:
    with options_as_flags():
        for field in fields(ForecastOptions):
            if field.metadata["flags"]:
                assert option(field.name) in field.metadata["flags"]
