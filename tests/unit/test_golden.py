"""C15: a model's numbers change only with its key, and its key only with its numbers."""

import pytest

from tests.support.golden_forecasts import CASES, dataset, forecasts, largest_difference, load, rows_of
from tests.support.isolation import compiles_quickly

pytestmark = pytest.mark.golden


@pytest.mark.parametrize("name", CASES)
def test_C15_forecasts_are_those_of_the_algorithm_version(name: str) -> None:
    case, (key, golden) = CASES[name], load(name)
    if compiles_quickly():  # one step more is one compilation more; the functions of the others are used by other tests
        case = case._replace(steps={horizon: kept for horizon, kept in case.steps.items() if horizon > 1})
    data = dataset(case.grid)
    rows = rows_of(case, data)
    present = case.model().key
    assert present == key, (
        f"The key of {name!r} is {present!r} and was {key!r}. Every user would lose the results saved under it. If its "
        f"forecasts have changed, run `python -m tests.golden {name}`; if not, restore the key."
    )
    difference = largest_difference(case, data, rows, forecasts(case, data, rows), golden)
    assert difference.size <= 1, (
        f"The forecasts of {name!r} have changed by up to {difference.size:,.1f} times the tolerance, at "
        f"{difference.place}. If they are meant to, raise its `algorithm_version`, so that forecasts saved before are "
        f"not taken for new ones, and run `python -m tests.golden {name}`."
    )
