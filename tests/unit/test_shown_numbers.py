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
from nbforecast.charts import Band, FanData, describe, draw_fan
from nbforecast.charts.geometry import padded_range, value_range
from nbforecast.charts.text_layout import decimal
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


@st.composite
def fans(draw: st.DrawFn) -> FanData:
    """Fans over series of any size: waves, counts, steps of level, glitches and exponential growth, with an offset."""
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    size, time = 10.0 ** draw(st.floats(-12, 15)), np.arange(40)
    waves, growth, counts = np.sin(time / 3), np.exp(time / draw(st.floats(2, 20))), rng.poisson(1.2, 40)
    shapes = [waves, growth, counts, np.where(time < 30, 1, 1000), np.where(time == 20, 1e5, 1.0), np.ones(40)]
    values = size * (shapes[draw(st.integers(0, len(shapes) - 1))] + draw(st.sampled_from([0, 0, -3, 1000, 1e7])))
    spread = size * np.sqrt(np.arange(1, 6)) * draw(st.sampled_from([0, 1e-3, 0.3, 30]))
    bands = tuple(
        Band(c, (values[29] - k * spread).astype(np.float32), (values[29] + k * spread).astype(np.float32))
        for c, k in ((95, 2), (80, 1.3), (50, 0.7))
    )
    median = np.full(5, values[29], np.float32)
    return FanData("t", "u", "m", -10, time[:30], values[:30], time[30:35], values[30:35], median, bands)


@settings(max_examples=30)
@given(fans())
def test_W6_a_static_chart_of_any_series_shows_its_numbers(fan: FanData) -> None:
    low, high = value_range(fan)
    assert low <= min(fan.values.min(), fan.bands[0].low.min())
    assert high >= max(fan.values.max(), fan.bands[0].high.max()), "nothing is cut by the axis"
    svg = draw_fan(fan, theme="light")
    (end,) = re.findall(r'class="e"[^>]*>([^<]+)</text>', svg)
    assert is_shown(end, decimal(fan.median[-1])) or is_shown(end, float(fan.median[-1])), end
    words = re.search(r"median (\S+) → (\S+), 80 % band at the end (\S+) to (\S+), observed (\S+)\.$", describe(fan))
    assert words, describe(fan)
    numbers = [*fan.median[[0, -1]], fan.bands[1].low[-1], fan.bands[1].high[-1], fan.actual[-1]]
    for text, number in zip(words.groups(), numbers, strict=True):
        assert_shows(text, decimal(number))


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
