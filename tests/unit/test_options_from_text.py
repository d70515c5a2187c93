"""M3, M4, R1: options of magics that use variables, and parameters of a report that name columns."""

from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError

from nbforecast.arguments import forecast_keywords
from nbforecast.jupyter.magics.line_parser import resolve
from nbforecast.jupyter.magics.magics import PARSERS
from nbforecast.report.parameters import parse_parameters

VARIABLES: dict[str, Any] = {"index": -3, "steps": [6, 12], "column": "kWh", "model": "naive", "both": ["a", "b"]}


@pytest.mark.parametrize("word", ["index", "{index}", "$index", "{steps[0] - 9}", "-3", "{-3 + 0 * index}"])
@pytest.mark.parametrize("form", ["-i {}", "--index {}", "--index={}"])
def test_M4_an_options_value_may_be_a_variable(word: str, form: str) -> None:
    line = f"df {form.replace('{}', word)} --target $column -m {{model}}"
    options = PARSERS["quickdraw"].parse_line(line, None, VARIABLES)
    assert (options.index, options.target, options.model) == (-3, "kWh", "naive")


def test_M4_names_of_columns_are_not_taken_for_variables_and_frames_stay_expressions() -> None:
    parse = PARSERS["forecast"].parse_line
    options = parse('{"a":index} --target column --id $both --time "cost $ {unknown}"', None, VARIABLES)
    assert (options.frame, options.target, options.id) == ('{"a":index}', "column", ["a,b"])
    assert options.time == "cost $ {unknown}"
    with pytest.raises(UsageError, match="'stps' is neither a number of steps nor a span such as 1h"):
        parse("df -H stps", None, VARIABLES)
    with pytest.raises(UsageError, match=r"\{steps\[5\]\} failed: IndexError"):
        parse("df -H {steps[5]}", None, VARIABLES)


@pytest.mark.slow
def test_R1_parameters_that_name_columns_stay_text() -> None:
    template = Path(__file__).parents[2] / "notebooks" / "backtest_report.ipynb"
    texts = [("target", "2023"), ("time", "null"), ("id", '["store", "7"]'), ("max_duration", "700"), ("horizon", "3")]
    assert parse_parameters(template, texts) == {
        "target": "2023", "time": None, "id": ["store", "7"], "max_duration": 700, "horizon": 3
    }  # fmt: skip


def test_S8_a_file_named_like_an_expression_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data[1].csv").touch()
    assert resolve("data[1].csv", {}) == ("data[1].csv", "data[1]")
    with pytest.raises(UsageError, match="no variable 'data'"):
        resolve("data[2].csv", {})


def test_Q4_origins_times_and_spans_in_the_line_of_a_magic() -> None:
    options = PARSERS["quickdraw"].parse_line("df -i 2015-01-01 -H 1h --origins -48..0 --every 1d --at 23:45")
    assert (options.index, options.horizon) == ("2015-01-01", "1h")
    assert (options.origins, options.every, options.at) == ("-48..0", "1d", "23:45")
    options = PARSERS["forecast"].parse_line('df --latest -o next.xlsx --origins "2024-01-01 06:00..2024-02-01"')
    assert forecast_keywords(options)["origins"] == "2024-01-01 06:00..2024-02-01"
    assert forecast_keywords(PARSERS["forecast"].parse_line("df --latest"))["origins"] == "latest"
