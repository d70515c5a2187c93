"""The static chart as SVG and HTML (SPEC Q3, W4)."""

import base64
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbforecast.charts import Band, Density, FanData, describe, draw_fan, history_steps, svg_image
from nbforecast.charts.text_layout import shorten, text_width
from nbforecast.charts.theme import DARK, LIGHT
from nbforecast.errors import InputError, OptionError

SVG = "{http://www.w3.org/2000/svg}"
NAN = np.nan


def make(history=48, horizon=12, *, scale=1.0, base=112.0, step="5m", **changes) -> FanData:
    rng = np.random.default_rng(7)
    number, unit = int(step[:-1]), step[-1]
    clock = np.datetime64("2015-06-01T04:40", "us") + np.arange(history + horizon) * np.timedelta64(number, unit)
    values = base + scale * rng.normal(size=history + horizon).cumsum()
    median = np.full(horizon, values[history - 1]) + scale * np.linspace(0, 3, horizon)
    wide = scale * np.sqrt(np.arange(1, horizon + 1.0))
    bands = tuple(Band(c, median - z * wide, median + z * wide) for c, z in ((95, 1.96), (80, 1.28), (50, 0.67)))
    grid = np.linspace(-3, 3, 64)
    density = Density(median - 3 * wide, median + 3 * wide, np.exp(-(grid**2) / 2) / np.maximum(wide, 1e-30)[:, None])
    data = FanData(
        "cgm · hall_2133", "glucose, mg/dL", "ridge", -24, clock[:history], values[:history], clock[history:],
        values[history:], median, bands, density, (), None,
    )  # fmt: skip
    return replace(data, **changes)


def parse(svg: str) -> ET.Element:
    root = ET.fromstring(svg)
    assert root.tag == SVG + "svg"
    assert "nan" not in re.sub(r"<(title|desc|text)[^>]*>.*?</\1>", "", svg).lower().replace("nance", "")
    return root


def texts(svg: str) -> list[str]:
    return [e.text or "" for e in parse(svg).iter(SVG + "text")]


HOSTILE = [
    '<img src=x onerror="alert(1)">',
    "</title></svg><script>alert(1)</script>",
    "\" onload='x' & < > ]]> <!-- -->",
    "control \x00\x08\x1b[31m \ufffe \ud800 characters",
    "\u202eright to left\u202c عربى תחזית",
    "🚑👨‍👩‍👧‍👦 予測 " * 20,
    "x" * 5000,
    "",
]
CASES = {
    "one step": make(horizon=1),
    "one step without history": make(horizon=1, values=np.full(48, NAN)),
    "two weeks of hours": make(history=700, horizon=336, step="1h"),
    "actuals unknown": make(actual=np.full(12, NAN)),
    "constant": make(scale=0.0),
    "all zero": make(scale=0.0, base=0.0),
    "huge": make(scale=1e9, base=1e12),
    "tiny": make(scale=1e-10, base=1e-9),
    "denormal": make(scale=1e-320, base=0.0),
    "enormous": make(scale=1e306, base=1e307),
    "hardly changing": make(scale=1e-4, base=1e12),
    "negative": make(base=-400.0),
    "one point": make(history=1),
    "nothing known": make(
        values=np.full(48, NAN), actual=np.full(12, NAN), median=np.full(12, NAN), bands=(), density=None
    ),
    "no forecast yet": make(
        median=np.full(12, NAN), bands=tuple(Band(c, np.full(12, NAN), np.full(12, NAN)) for c in (95, 80, 50)),
        density=Density(np.full(12, NAN), np.full(12, NAN), np.full((12, 64), NAN)),
    ),
    "infinite band": make(bands=(Band(95, np.full(12, -np.inf), np.full(12, np.inf)),)),
    "no bands": make(bands=(), density=None),
    "density of one point": make(density=Density(np.zeros(12), np.ones(12), np.ones((12, 1)))),
    "origin missing": make(values=np.where(np.arange(48) > 40, NAN, 5.0)),
    "integers for time": make(time=np.arange(48), future=np.arange(48, 60)),
    "single precision": make(values=make().values.astype(np.float32), median=make().median.astype(np.float32)),
    "years": make(step="365D"),
    "a zone": make(zone="Europe/Berlin"),
    "no such zone": make(zone="Middle_Earth/Shire"),
}  # fmt: skip


@pytest.mark.parametrize("style", ["bands", "density"])
@pytest.mark.parametrize("width", [860, 420, 240])
@pytest.mark.parametrize("case", CASES)
def test_q3_draws_whatever_data_come(case, width, style):
    data = CASES[case]
    svg = draw_fan(data, style=style, width=width)
    root = parse(svg)
    assert root.get("role") == "img"
    assert root.find(SVG + "title").text == "cgm · hall_2133"
    assert root.find(SVG + "desc").text == describe(data)
    assert len(svg) < 40_000


@pytest.mark.parametrize("text", HOSTILE)
def test_q3_w4_text_from_data_stays_text(text):
    data = make(title=text, target=text, model=text, notes=(text, text))
    svg = draw_fan(data)
    kinds = {e.tag.removeprefix(SVG) for e in parse(svg).iter()}
    assert kinds <= {"svg", "title", "desc", "style", "rect", "g", "path", "text", "circle"}
    assert not {k for e in parse(svg).iter() for k in e.attrib if k.startswith("on")}
    svg.encode("utf-8")
    tags: list[tuple[str, dict]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.append((tag, dict(attrs)))

    Reader().feed(svg_image(svg, describe(data)))
    assert [tag for tag, _ in tags] == ["div", "style", "img"]
    assert set(tags[2][1]) == {"src", "alt"}
    assert tags[2][1]["alt"] == describe(data)


@pytest.mark.slow
@given(st.text(max_size=60), st.integers(10, 400), st.sampled_from([11, 12, 15]))
def test_q3_long_text_is_shortened_to_its_room(text, room, size):
    short = shorten(text, room, size)
    assert text_width(short, size) <= room + 1e-6
    ET.fromstring(draw_fan(make(title=text, notes=(text,))))


def test_q3_everything_it_must_show_is_there():
    data = make(notes=("3 values interpolated", "1 gap of 40 min"), zone="America/New_York")
    shown = texts(draw_fan(data))
    for text in (
        "cgm · hall_2133", "glucose, mg/dL", "ridge · 12 × 5 min ahead · index −24", "Mon 1 Jun 2015, 04:35 EDT",
        "3 values interpolated · 1 gap of 40 min", "median", "95", "80", "50", "observed",
    ):  # fmt: skip
        assert text in shown
    assert "observed" not in texts(draw_fan(replace(data, actual=np.full(12, NAN))))


def test_q3_a_gap_in_history_is_a_gap_in_the_line():
    values = make().values.copy()
    values[10:14] = NAN
    values[20] = values[22] = NAN
    whole, gaps = (re.search(r'class="h" d="([^"]*)"', draw_fan(make(values=v)))[1] for v in (make().values, values))
    assert whole.count("M") == 1
    assert gaps.count("M") == 3
    assert re.search(r'class="i" d="M[\d ]+h0"', draw_fan(make(values=values))), "the lone point between two gaps"


def test_q3_the_fan_opens_at_the_last_observation():
    svg = draw_fan(make())
    history = re.search(r'class="h" d="M(\d+) (\d+)l([^"]*)"', svg)
    steps = np.array(re.findall(r"-?\d+", history[3]), dtype=int).reshape(-1, 2)
    end = np.array([history[1], history[2]], dtype=int) + steps.sum(axis=0)
    for kind in ("m", "b0", "b1", "b2"):
        start = re.search(rf'class="{kind}" d="M(\d+) (\d+)', svg)
        assert (int(start[1]), int(start[2])) == tuple(end)


def test_q3_downsampling_keeps_every_peak():
    values = np.zeros(100_000)
    values[[500, 50_000]] = 100.0, -100.0
    data = make(history=100_000, values=values)
    svg = draw_fan(data)
    assert len(svg) < 40_000
    path = re.search(r'class="h n" d="M(\d+) (\d+)l([^"]*)"', svg)
    heights = int(path[2]) + np.array(re.findall(r"-?\d+", path[3]), dtype=int)[1::2].cumsum()
    assert len(np.unique(heights)) == 3


def test_q3_a_wanted_density_that_is_not_there_yet_shows_bands():
    assert 'class="b0"' in draw_fan(make(density=None), style="density")


def test_q3_two_peaks_of_a_density_are_two_stretches():
    grid = np.linspace(-3, 3, 64)
    two = np.exp(-(((grid - 1.5) / 0.3) ** 2)) + np.exp(-(((grid + 1.5) / 0.3) ** 2))
    data = make(density=Density(np.full(12, 100.0), np.full(12, 130.0), np.tile(two, (12, 1))))
    assert re.search(r'class="l0" d="([^"]*)"', draw_fan(data, style="density"))[1].count("M") == 24


@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_w4_themes(theme):
    svg = draw_fan(make(), theme=theme)
    assert ("prefers-color-scheme" in svg) == (theme == "auto")
    assert (LIGHT.bg in svg) == (theme != "dark")
    assert (DARK.bg in svg) == (theme != "light")


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_q3_text_has_the_contrast_of_wcag_aa(palette):
    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in
                  (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))]  # fmt: skip
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(a, b):
        low, high = sorted((luminance(a), luminance(b)))
        return (high + 0.05) / (low + 0.05)

    for colour in (palette.ink, palette.soft, palette.median, palette.accent):
        assert contrast(colour, palette.bg) >= 4.5
    for rank in range(3):
        assert contrast(palette.ink, palette.band(rank, 3)) >= 4.5


def test_q3_same_data_same_bytes_and_few_of_them():
    svg = draw_fan(make())
    assert svg == draw_fan(make())
    assert len(svg) < 10_000
    assert draw_fan(make(), style="density") == draw_fan(make(), style="density")


def test_q3_import_brings_no_drawing_library():
    code = "import sys, nbforecast.charts; sys.exit('matplotlib' in sys.modules or 'jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_w4_html_is_an_image_that_follows_the_theme_of_the_page():
    svg = draw_fan(make())
    html = svg_image(svg, describe(make()))
    assert base64.b64decode(re.search(r"base64,([^\"]+)", html)[1]).decode() == svg
    assert 'body[data-jp-theme-light="false"] .nbf-chart img' in html
    rules = re.search(r"<style>(.*)</style>", html)[1]
    assert all(".nbf-chart img" in s for rule in rules.split("}")[:-1] for s in rule.split("{")[0].split(","))


def test_w4_the_description_is_a_sentence_with_the_forecast_in_it():
    data = make(median=np.linspace(112, 131, 12), notes=("3 values interpolated",))
    last = replace(data, actual=np.full(12, 125.0), bands=(Band(80, np.full(12, 98.0), np.full(12, 171.0)),))
    assert describe(last) == (
        "cgm · hall_2133 (glucose, mg/dL): forecast by ridge as of 2015-06-01 08:35 (index -24), 12 steps of 5 min: "
        "median 112 → 131, 80 % band at the end 98 to 171, observed 125. 3 values interpolated."
    )
    assert "t = 47 (index -24), 12 steps:" in describe(CASES["integers for time"])
    assert "2015-06-01 08:35 UTC" in describe(CASES["no such zone"])
    assert describe(CASES["no forecast yet"]).endswith("not calculated yet.")


def test_q3_data_that_do_not_fit_together_and_options_that_make_no_sense_are_errors():
    with pytest.raises(InputError, match=r"median of a chart has shape \(3,\), expected \(12,\)"):
        make(median=np.zeros(3))
    with pytest.raises(InputError, match="times"):
        make(time=np.zeros(48))
    with pytest.raises(InputError, match="at least one step"):
        make(future=make().future[:0])
    with pytest.raises(OptionError, match="theme"):
        draw_fan(make(), theme="sepia")
    with pytest.raises(OptionError, match="style"):
        draw_fan(make(), style="pie")
    with pytest.raises(OptionError, match="240"):
        draw_fan(make(), width=100)


def test_q3_the_suggested_history_leaves_the_fan_a_fair_share():
    assert [history_steps(h) for h in (1, 12, 48, 336)] == [24, 48, 192, 768]
