"""The wording of numbers, shares, counts, sizes, times and lists in everything that people read.

Typographic conventions: thousands are separated by commas, the minus sign is U+2212, a value that is not known is an
en dash, and a number is separated from its unit by a space.
"""

from __future__ import annotations

import difflib
import os
from contextlib import contextmanager
from contextvars import ContextVar
from math import ceil, floor, isfinite, log10
from typing import TYPE_CHECKING

from nbforecast.safe_text import brief_repr, escape_controls
from nbforecast.time_units import DAY, HOUR, MINUTE, SECOND, largest_unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

UNKNOWN = "–"
PREPARING = "Preparing the model: its functions are compiled, once on this machine …"
NEGLIGIBLE = 5e-5  # a relative change below this is none
_SPAN_UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"), (1_000, "ms"), (1, "us"))
_SIZE_UNITS = ("B", "kB", "MB", "GB")
_MOST_UNITS = 99  # of a step that is expressed in one unit
OPTION_STYLE = "NBFORECAST_OPTION_STYLE"  # an environment variable: how the callers of a process write options
_style: ContextVar[str | None] = ContextVar("style", default=None)  # how the caller does


@contextmanager
def options_as_flags() -> Iterator[None]:
    """Write options as flags in messages, for callers of a shell or a magic."""
    token = _style.set("flag")
    try:
        yield
    finally:
        _style.reset(token)


# flags that are not called as in Python
_SHORT_FLAGS = {"future_covariates": "future", "past_covariates": "past", "issued_covariates": "issued"}


def option(name: str, value: object = None) -> str:
    """Write an option as the caller would: a keyword in Python, a flag in a shell and in magics, `-p` in reports.

    Args:
        name: The name of the keyword argument.
        value: What to give or what was given; several values are a list, and flags take them with commas.

    Example:
        >>> option("id"), option("id", "store"), option("id", ("store", "item"))
        ('id=', "id='store'", "id=['store', 'item']")
        >>> with options_as_flags():
        ...     option("max_gap"), option("id", ["store", "item"])
        ('--max-gap', '--id store,item')
    """
    if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        written, word = repr(list(value)), ",".join(value)
    else:
        written, word = (repr(value), value) if isinstance(value, str) else (brief_repr(value), brief_repr(value))
    style = _style.get() or os.environ.get(OPTION_STYLE)
    if style not in ("flag", "parameter"):
        return f"{name}=" if value is None else f"{name}={written}"
    flag = "--" + _SHORT_FLAGS.get(name, name).replace("_", "-") if style == "flag" else f"-p {name}"
    return flag if value is None else f"{flag} {_shell_word(word)}"


def _shell_word(word: str) -> str:
    """Quote a word if a shell or a magic would split it.

    Example:
        >>> _shell_word("store"), _shell_word("Wert in kWh")
        ('store', '"Wert in kWh"')
    """
    return word if word and all(letter.isalnum() or letter in "_-.,:/+" for letter in word) else f'"{word}"'


def number(value: float, digits: int = 3) -> str:
    """Write a number with a few significant digits.

    Args:
        value: Any number; NaN and infinity are unknown.
        digits: Significant digits; integer digits are never cut.

    Example:
        >>> number(1234.5), number(0.01234), number(-3.456), number(float("nan"))
        ('1,234', '0.0123', '−3.46', '–')
    """
    if not isfinite(value):
        return UNKNOWN
    if value == 0:
        return "0"
    exponent = floor(log10(abs(float(f"{value:.{digits - 1}e}"))))
    if not -5 < exponent < 12:
        return f"{value:.{digits - 1}e}"
    return minus(f"{value:,.{max(0, digits - 1 - exponent)}f}")


def distinct_numbers(values: Sequence[float], digits: int = 3) -> list[str]:
    """Write finite numbers alike, with as many decimals as it takes to tell them apart.

    Args:
        values: Finite numbers.
        digits: Significant digits that the largest of them has at least.

    Example:
        >>> distinct_numbers([1000.0, 1000.25])
        ['1,000.00', '1,000.25']
    """
    largest = max(map(abs, values), default=0.0)
    if largest == 0:
        return ["0" for _ in values]
    spread = max(values) - min(values)
    if spread > largest * 1e-11:
        digits = max(digits, 2 + ceil(log10(largest / spread)))
    if 1e-4 <= largest < 1e15:
        decimals = max(0, digits - 1 - floor(log10(largest)))
        return [minus(without_signed_zero(f"{v:,.{decimals}f}")) if v or decimals == 0 else "0" for v in values]
    return [f"{v:.{digits - 1}e}" for v in values]


def without_signed_zero(text: str) -> str:
    """Remove the sign of a number that is rounded to zero.

    Example:
        >>> without_signed_zero("-0.00"), without_signed_zero("-0.01")
        ('0.00', '-0.01')
    """
    return text[1:] if text.startswith("-") and not text.strip("-0.,") else text


def brief_number(value: float) -> str:
    """Write a number with at most four significant digits and no zeros behind them.

    Example:
        >>> brief_number(1_000_000_000_000.0), brief_number(1.5), brief_number(1e-7)
        ('1,000,000,000,000', '1.5', '1e-07')
    """
    rounded = float(f"{value:.4g}")
    return f"{rounded:,.0f}" if 1_000 <= rounded < 1e15 else f"{rounded:g}"


def integer(value: int) -> str:
    """Write an integer.

    Example:
        >>> integer(1234), integer(-3)
        ('1,234', '−3')
    """
    return minus(f"{value:,}")


def minus(text: str) -> str:
    """Replace hyphens by minus signs in the text of a number."""
    return text.replace("-", "−")


def percent(share: float, digits: int = 1) -> str:
    """Write a share of one as a percentage.

    Args:
        share: 1.0 is 100 %.
        digits: Decimals of the percentage.

    Example:
        >>> percent(0.794), percent(1, 0)
        ('79.4 %', '100 %')
    """
    return minus(f"{100 * share:.{digits}f} %") if isfinite(share) else UNKNOWN


def relative_change(change: float) -> str:
    """Write a relative change with two significant digits.

    Args:
        change: 0.1 is 10 % more.

    Example:
        >>> relative_change(-0.18), relative_change(0.003), relative_change(0.0)
        ('18 % lower', '0.3 % higher', 'equal')
    """
    if not isfinite(change):
        return UNKNOWN
    if abs(change) < NEGLIGIBLE:
        return "equal"
    rounded = float(f"{100 * abs(change):.2g}") if abs(change) < 1 else round(100 * abs(change))
    return f"{rounded:,g} % {'lower' if change < 0 else 'higher'}"


def p_value(p: float) -> str:
    """Write the p-value of a test; NaN means that there are too few observations for one.

    Example:
        >>> p_value(1e-9), p_value(0.0301), p_value(0.42)
        ('p < 0.001', 'p = 0.030', 'p = 0.42')
    """
    if not isfinite(p):
        return "too few origins for a test"
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def plural(count: int, one: str, many: str = "") -> str:
    """Write a count with its noun.

    Args:
        count: How many.
        one: The noun, or the noun and its verb, for a count of one.
        many: The same for other counts; by default `one` with an "s".

    Example:
        >>> plural(1, "origin"), plural(1200, "origin"), plural(2, "value is", "values are")
        ('1 origin', '1,200 origins', '2 values are')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def byte_size(count: float) -> str:
    """Write a number of bytes.

    Example:
        >>> byte_size(480), byte_size(12_340_000)
        ('480 B', '12.3 MB')
    """
    for unit in _SIZE_UNITS:
        if count < 999.5 or unit == _SIZE_UNITS[-1]:
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "B" or count >= 99.5 else f"{count:.3g} {unit}"


def duration(seconds: float) -> str:
    """Write how long work takes, to two digits or so.

    Example:
        >>> duration(2.51), duration(80.2), duration(720)
        ('2.5 s', '80 s', '12 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def age(seconds: float) -> str:
    """Write how long ago something happened.

    Example:
        >>> age(273_600), age(0.2)
        ('3 d 4 h ago', '0 s ago')
    """
    return f"{time_span(max(int(seconds), 0) * SECOND) or '0 s'} ago"


def time_span(microseconds: float) -> str:
    """Write a length of time in its two largest units; nothing for zero.

    Example:
        >>> time_span(21 * HOUR + 40 * MINUTE), time_span(2 * SECOND)
        ('21 h 40 min', '2 s')
    """
    parts: list[str] = []
    rest = round(microseconds)
    for length, unit in _SPAN_UNITS:
        count, rest = divmod(rest, length)
        if count or parts:
            parts.append(f"{count:,} {unit}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part)


def step_span(microseconds: int) -> str:
    """Write the length of a step, or of a few, as a count of one unit where that is below a hundred.

    Example:
        >>> step_span(5 * MINUTE), step_span(HOUR), step_span(101 * MINUTE)
        ('5 minutes', '1 hour', '1 h 41 min')
    """
    count, _, word = largest_unit(microseconds)
    return plural(count, word) if count <= _MOST_UNITS else time_span(microseconds)


def timestamp(time: object) -> str:
    """Write a time in ISO format without the seconds, or the time of day, that are zero.

    Args:
        time: A NumPy or Python date, datetime or integer.

    Example:
        >>> timestamp("2025-01-05T18:30:00.000000"), timestamp("2025-01-05T00:00:00")
        ('2025-01-05 18:30', '2025-01-05')
    """
    return str(time).replace("T", " ").removesuffix(".000000").removesuffix(":00").removesuffix(" 00:00")


def listing(words: Sequence[str]) -> str:
    """Join words as in a sentence.

    Example:
        >>> listing(["a"]), listing(["a", "b", "c"])
        ('a', 'a, b and c')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))


def quoted(names: Sequence[object], most: int = 12) -> str:
    """Join quoted names, the first few of many.

    Args:
        names: Of columns, series or models.
        most: How many are named before the rest is counted.

    Example:
        >>> quoted(["a", "b", "c"], most=2)
        "'a', 'b' and 1 more"
    """
    first = ", ".join(repr(str(name)) for name in names[:most])
    return f"{first} and {len(names) - most:,} more" if len(names) > most else first


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Suggest the name that a misspelt one stands for, as a sentence that follows another, or nothing.

    Args:
        name: The name that does not exist.
        names: Those that do.

    Example:
        >>> did_you_mean("horizn", ["model", "horizon"])
        " Did you mean 'horizon'?"
    """
    candidates = list(names)
    same = [c for c in candidates if c.lower().strip() == name.lower().strip()]
    near = same or difflib.get_close_matches(name, candidates, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def aligned_table(rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> str:
    """Align rows of cells as lines of text.

    Args:
        rows: Rows of equally many cells, the head first.
        right: Numbers of the columns that are aligned to the right, from 0.

    Example:
        >>> print(aligned_table([("model", "MAE"), ("theta", "9")], right=[1]))
        model  MAE
        theta    9
    """
    lines = [[escape_controls(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in lines) for column in range(len(lines[0]))]
    numeric = set(right)

    def line(row: Sequence[str]) -> str:
        cells = enumerate(zip(row, widths, strict=True))
        return "  ".join(c.rjust(width) if n in numeric else c.ljust(width) for n, (c, width) in cells).rstrip()

    return "\n".join(map(line, lines))
