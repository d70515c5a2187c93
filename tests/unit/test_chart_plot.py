"""The chart on matplotlib's axes (SPEC Q3)."""

import io

import pytest

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from nbforecast.chart import draw
from nbforecast.errors import OptionError
from tests.unit.test_chart_svg import CASES, make


@pytest.mark.parametrize("style", ["bands", "density"])
def test_q3_draws_on_a_figure_of_its_own_and_leaves_none_open(style):
    from matplotlib import pyplot as plt

    ax = draw(make(notes=("cost in $ and more $",)), style=style)
    for kind in ("png", "pdf"):
        file = io.BytesIO()
        ax.figure.savefig(file, format=kind)
        assert len(file.getvalue()) > 5000
    assert plt.get_fignums() == []
    assert ax.get_title(loc="left") == "cgm · hall_2133"


def test_q3_draws_on_axes_that_are_given():
    ax = Figure().add_subplot()
    assert draw(make(), ax) is ax
    labels = ax.get_legend_handles_labels()[1]
    assert labels == ["95 %", "80 %", "50 %", "median", "observed"]


@pytest.mark.parametrize("case", [c for c in CASES if c not in ("denormal", "enormous")])
def test_q3_axes_take_whatever_data_come(case):
    draw(CASES[case]).figure.canvas.draw()


def test_q3_a_style_that_is_none_is_an_error():
    with pytest.raises(OptionError, match="style"):
        draw(make(), style="pie")
