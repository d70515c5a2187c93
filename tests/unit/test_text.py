"""Examples in the docstrings of `text` and `safe_text` are their tests: one behaviour of each function in each."""

import doctest

from nbforecast import safe_text, text
from nbforecast.errors import InputError
from nbforecast.time_units import DAY, HOUR, MINUTE


def test_every_wording_is_as_its_example_says():
    documented = [name for name, value in vars(text).items() if callable(value) and value.__module__ == text.__name__]
    results = doctest.testmod(text)
    assert results.failed == 0
    assert all(getattr(text, name).__doc__ for name in documented)
    assert results.attempted >= len(documented) - 1
    assert doctest.testmod(safe_text).failed == 0


def test_S4_messages_are_short_and_without_control_characters():
    message = str(InputError("No column is called 'a\x1b[2J\u202eb'. " + 5_000 * "x" + "\nSay which with time=."))
    assert message.startswith("No column is called 'a\\x1b[2J\\u202eb'. xxx")
    assert message.endswith("x\nSay which with time=.")
    assert len(message) == 1_200


def test_S4_any_value_has_a_brief_representation():
    class Odd:
        def __repr__(self):
            raise RuntimeError

    nested = ()
    for _ in range(100):
        nested = (nested, nested)
    values = [nested, Odd(), 10**10_000, "x" * 10_000, b"\x1b" * 1_000, list(range(10_000)), float("nan"), "\x1b\u200f"]
    texts = [safe_text.brief_repr(value) for value in values]
    assert max(map(len, texts)) <= 160
    assert texts[-2:] == ["nan", r"'\x1b\u200f'"]


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
