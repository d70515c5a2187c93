"""W9, W10: models that are compared, the window, the selected origins, and what the notebook calls a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import nbforecast as nbf
from nbforecast.jupyter.variables import expression_in
from nbforecast.jupyter.widgets.explorer import encoding

if TYPE_CHECKING:
    from nbforecast.jupyter.widgets.explorer.widget import Explorer
    from nbforecast.run import Run


@pytest.mark.parametrize(
    ("state", "is_valid"),
    [({"compare": [1]}, True), ({"compare": [2]}, False), ({"compare": [True]}, False), ({"compare": "naive"}, False),
     ({"window": [-20, 3]}, True), ({"window": []}, True), ({"window": [1]}, False), ({"window": [0.5, 1]}, False),
     ({"selected": [-20, -3]}, True), ({"selected": [-20, -3, 0]}, False), ({"selected": None}, False)],
)  # fmt: skip
def test_W10_senseless_traits_from_the_page_are_ignored(
    state: dict[str, Any], is_valid: bool, explorer: Explorer
) -> None:
    before = {name: getattr(explorer, name) for name in state}
    explorer.set_state(state)
    assert {name: getattr(explorer, name) for name in state} == (state if is_valid else before)


def test_W9_models_are_compared_by_name_or_position(explorer: Explorer) -> None:
    name = encoding.model_names(explorer.runs)[1]
    for value in (name, [name], 1, (1, 1)):
        explorer.compare = value
        assert explorer.compare == [1]
    explorer.compare = None
    assert explorer.compare == []
    for refused in ("none", 7, [-1]):
        with pytest.raises(nbf.OptionError):
            explorer.compare = refused


def test_W10_the_selected_origins_are_rows_of_the_result(explorer: Explorer, done: Run) -> None:
    assert explorer.selection.is_empty()
    explorer.series = 1
    explorer.selection = (-40, -11)
    expected = done.series(done.data.ids[1]).frame
    assert explorer.selection["index"].to_list() == list(range(-40, -10))
    assert explorer.selection.columns == done.frame.columns
    assert explorer.selection["unique_id"].unique().to_list() == [done.data.ids[1]]
    times = expected.filter(expected["index"].is_in([-40, -11]))["ds"].to_list()
    explorer.selection = tuple(str(time) for time in times)
    assert explorer.selected == [-40, -11]
    explorer.selection = None
    assert explorer.selection.is_empty()
    with pytest.raises(nbf.OptionError, match="first and a last"):
        explorer.selected = (-3,)


def test_W10_a_run_is_called_as_in_the_notebook(done: Run, other: Run) -> None:
    assert expression_in({"_": done, "load": done}, done) == "load"
    assert expression_in({"runs": {"a b": done, 'say "x"': other}}, other) == 'runs["say \\"x\\""]'
    assert expression_in({"x": [1], "both": (other, done)}, done) == "both[1]"
    assert expression_in({"x": 3}, done) is None
    assert [model.code for model in encoding.encode_meta([done]).models] == ["run"]
    assert [model.code for model in encoding.encode_meta([done, other]).models] == ["runs[0]", "runs[1]"]
