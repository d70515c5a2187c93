"""W6: the numbers of axes and forecasts as people read them."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import nbforecast as nbf
from nbforecast.charts import draw_fan
from nbforecast.charts.geometry import padded_range, value_range
from nbforecast.charts.labels import decimal
from nbforecast.charts.ticks import value_axis
from nbforecast.jupyter.widgets.explorer import encoding
from tests.support.explorers import series
from tests.support.hard_series import hard_panel
from tests.support.shown_numbers import GOLDEN, shown_numbers

if TYPE_CHECKING:
    from nbforecast.run import Run

SCALES = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
SUPER = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def read(text: str) -> tuple[float, float]:
    """The number of a text, and the place of its last digit."""
    match = re.fullmatch(r"([−-]?[\d,]+(?:\.(\d+))?)(?:([kMBT])|×10([⁻⁰-⁹¹²³]+)|e([+-]\d+))?", text)
    assert match, text
    digits, decimals, suffix, power, exponent = match.groups()
    scale = SCALES.get(suffix, 1.0) * 10.0 ** int((power or "0").translate(SUPER)) * 10.0 ** int(exponent or 0)
    return float(digits.replace(",", "").replace("−", "-")) * scale, scale * 10.0 ** -len(decimals or "")


def is_shown(text: str, value: float) -> bool:
    """Whether a text shows a number to its last digit."""
    number, place = read(text)
    return abs(number - value) <= place * 0.5001 + abs(value) * 1e-15


def assert_shows(text: str, value: float) -> None:
    assert is_shown(text, value), (text, value)


def test_W6_the_front_end_compares_with_the_numbers_that_python_writes_now() -> None:
    golden, now = json.loads(GOLDEN.read_text(encoding="utf-8")), json.loads(json.dumps(shown_numbers()))
    assert now == golden, "python -m tests.support.shown_numbers writes the new ones"


@settings(max_examples=30)
@given(st.floats(-12, 15), st.floats(-8, 1), st.sampled_from([-1.0, 0.0, 1.0]), st.floats(2, 9), st.floats(0, 1))
@example(9.698, -8.0, 1.0, 7.0, 0.3)  # 4.99e9 and a narrow range
def test_W6_ticks_and_values_of_an_axis_show_their_numbers(
    size: float, width: float, sign: float, count: float, share: float
) -> None:
    low = sign * 10.0**size
    low, high = padded_range(low, low + 10.0 ** (size + width))
    axis = value_axis(low, high, count)
    assert len(set(axis.labels)) == len(axis.labels)
    step = axis.values[1] - axis.values[0] if len(axis.values) > 1 else (high - low)
    lead = step / 10.0 ** math.floor(math.log10(step) + 1e-6)
    assert len(axis.values) < 2 or min(abs(lead - nice) for nice in (1, 2, 5, 10)) < 1e-3
    for value, label in zip(axis.values, axis.labels, strict=True):
        number, _ = read(label)
        assert math.isclose(number, value, rel_tol=1e-9, abs_tol=step * 1e-6), (label, value)
    assert_shows(axis.exact(low + share * (high - low)), low + share * (high - low))


@pytest.fixture(scope="module")
def run() -> Run:
    return nbf.forecast(hard_panel(), "naive", horizon=5, wait=True)


def test_W6_the_static_chart_shows_the_numbers_of_its_forecast(run: Run) -> None:
    for name in run.data.ids:
        for index in (-60, -30, 0):
            forecast = run.at(index, name)
            svg = draw_fan(forecast.fan(), theme="light")
            end = re.search(r'<text [^>]*class="e"[^>]*>([^<]+)</text>', svg)
            assert end, name
            assert any(is_shown(end[1], value) for value in (decimal(forecast.median[-1]), float(forecast.median[-1])))
            words = re.search(r"median (\S+) → (\S+), 80 % band at the end (\S+) to (\S+?)[,.](?:\s|$)", repr(forecast))
            assert words, repr(forecast)
            numbers = [*forecast.median[[0, -1]], *forecast.interval(80)[-1]]
            for text, number in zip(words.groups(), numbers, strict=True):
                assert_shows(text, decimal(number))


def test_W6_no_label_shows_the_noise_of_single_precision() -> None:
    for value in (0.1, 13.265, 4.1e-7):
        forecast = nbf.forecast(np.full(200, value), "naive", horizon=3, wait=True).at(0)
        fan = forecast.fan()
        low, high = value_range(fan)
        assert (high - low) / value == pytest.approx(0.2), "the axis does not zoom into rounding errors"
        (end,) = re.findall(r'class="e"[^>]*>([^<]+)</text>', draw_fan(fan))
        assert_shows(end, value)
    assert decimal(np.float32(0.1)) == 0.1


def test_W6_origins_with_a_short_context_do_not_rank(run: Run) -> None:
    context = run.forecaster.context
    assert encoding.first_ranked_row(run, 0) == min(context - 1, 40)
    long = nbf.forecast(series(1500), "naive", horizon=3)
    long.cancel()
    assert encoding.first_ranked_row(long, 0) == min(context - 1, 375)
