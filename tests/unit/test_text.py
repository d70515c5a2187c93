"""Examples in the docstrings of `nbforecast.text` are its tests: one behaviour of each function in each."""

import doctest

from nbforecast import text
from nbforecast.time_units import DAY, HOUR, MINUTE


def test_every_wording_is_as_its_example_says():
    documented = [name for name, value in vars(text).items() if callable(value) and value.__module__ == text.__name__]
    results = doctest.testmod(text)
    assert results.failed == 0
    assert all(getattr(text, name).__doc__ for name in documented)
    assert results.attempted >= len(documented) - 1


def test_unknown_numbers_are_dashes_and_large_ones_keep_their_digits():
    nan = float("nan")
    assert {text.number(nan), text.percent(nan), text.relative_change(nan)} == {"–"}
    assert [text.number(v) for v in (12.34, 0, 2.5e-9, 9.996)] == ["12.3", "0", "2.50e-09", "10.0"]
    assert text.distinct_numbers([0.0, 0.0]) == ["0", "0"]
    assert text.listing([]) == ""
    assert text.did_you_mean("DS", ["y", "ds"]) == " Did you mean 'ds'?"
    assert text.did_you_mean("q", ["y", "ds"]) == ""
    assert [text.time_span(n) for n in (21 * HOUR + 35 * MINUTE, 2 * DAY, 0)] == ["21 h 35 min", "2 d", ""]
    assert [text.relative_change(v) for v in (-0.18, 0.003, 0.0, 2.5)] == [
        "18 % lower", "0.3 % higher", "equal", "250 % higher",
    ]  # fmt: skip
    assert text.p_value(nan) == "too few origins for a test"
