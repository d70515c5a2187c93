"""The chart on matplotlib's axes (SPEC Q3)."""

import io

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from nbforecast.charts import draw_fan_on_axes, fan_figure
from nbforecast.errors import OptionError
from tests.unit.test_charts_svg import CASES, draw_fan, make, texts


@pytest.fixture(autouse=True)
def _agg():
    before = matplotlib.get_backend()
    matplotlib.use("Agg")
    yield
    plt.close("all")
    matplotlib.use(before)


def words(artists) -> list[str]:
    return [line for a in artists if a.get_text() for line in a.get_text().splitlines() if line.strip()]


@pytest.mark.parametrize("style", ["bands", "density"])
def test_q3_a_new_figure_is_one_that_pyplot_shows(style):
    ax = draw_fan_on_axes(make(), style=style)
    assert [plt.figure(number) for number in plt.get_fignums()] == [ax.figure]


@pytest.mark.parametrize("style", ["bands", "density"])
def test_q3_a_figure_to_save_stays_unknown_to_pyplot(style):
    figure = fan_figure(make(notes=("cost in $ and more $",)), style)
    for kind in ("png", "pdf"):
        file = io.BytesIO()
        figure.savefig(file, format=kind)
        assert len(file.getvalue()) > 5000
    assert plt.get_fignums() == []
    assert figure.axes[0].get_title(loc="left") == "cgm · hall_2133"


@pytest.mark.parametrize("style", ["bands", "density"])
@pytest.mark.parametrize("data", [make(zone="Europe/Berlin"), make(history=400, horizon=96, step="1h")])
def test_q3_a_figure_says_what_the_svg_says(data, style):
    figure = fan_figure(data, style)
    figure.canvas.draw()
    ax = figure.axes[0]
    svg_texts = set(texts(draw_fan(data, style=style)))
    beside = words(ax.texts)
    assert set(beside) <= svg_texts
    assert len(beside) == len(set(beside)) >= 4
    dates = words(ax.get_xticklabels())
    assert any("2015" in word for word in dates)
    assert len(set(dates) - svg_texts) <= 1  # the margin may have room for a tick more
    assert set(words(ax.get_yticklabels())) & svg_texts
    assert not ax.xaxis.get_offset_text().get_text()


@pytest.mark.parametrize("style", ["bands", "density"])
def test_q3_axes_that_are_given_get_nothing_beyond_their_labels(style):
    fig, both = plt.subplots(2, 1)
    for ax in both:
        draw_fan_on_axes(make(step="1h"), ax, style)
    fig.canvas.draw()
    assert fig.texts == fig.legends == []
    for ax in both:
        assert list(ax.texts) == []
        assert ax.get_legend() is None
        assert ax.get_title(loc="left").startswith("cgm · hall_2133")
        assert ax.get_ylabel() == "glucose, mg/dL"
    upper, lower = (ax.get_tightbbox() for ax in both)
    assert upper.y0 >= lower.y1


@pytest.mark.parametrize("style", ["bands", "density"])
@pytest.mark.parametrize("data", [make(), make(base=0.0, scale=0.0), make(history=700, horizon=336, step="1h")])
def test_q3_no_dot_is_cut_at_the_border(data, style):
    figure = fan_figure(data, style)
    figure.canvas.draw()
    ax = figure.axes[0]
    dots = [line for line in ax.lines if line.get_marker() in ("o", ".") and len(line.get_xdata())]
    assert len(dots) >= 3
    for dot in dots:
        x, y = (np.asarray(v, float) for v in (ax.convert_xunits(dot.get_xdata()), dot.get_ydata()))
        at = ax.transData.transform(np.column_stack([x, y]))
        radius = (dot.get_markersize() + dot.get_markeredgewidth()) / 2 * figure.dpi / 72
        box = dot.get_clip_box()
        assert dot.get_clip_path() is None
        assert (at - radius >= [box.x0, box.y0]).all()
        assert (at + radius <= [box.x1, box.y1]).all()


def test_q3_what_is_drawn_afterwards_fits_in():
    ax = draw_fan_on_axes(make())
    ax.plot(make().future, np.full(12, 500.0))
    assert ax.get_ylim()[1] > 500
    ax.figure.canvas.draw()
    assert "500" in words(ax.get_yticklabels())


def test_q3_draws_on_axes_that_are_given():
    ax = Figure().add_subplot()
    assert draw_fan_on_axes(make(), ax) is ax
    labels = ax.get_legend_handles_labels()[1]
    assert labels == ["95 %", "80 %", "50 %", "median", "observed"]


@pytest.mark.slow
@pytest.mark.parametrize("case", [c for c in CASES if c not in ("denormal", "enormous")])
def test_q3_axes_take_whatever_data_come(case):
    draw_fan_on_axes(CASES[case]).figure.canvas.draw()


def test_q3_a_style_that_is_none_is_an_error():
    with pytest.raises(OptionError, match="style"):
        draw_fan_on_axes(make(), style="pie")
