"""The ways of writing dates, clock times and offsets from UTC, as patterns that the whole column must fit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int64

from nbforecast.time_units import DAY, HOUR, MINUTE, SECOND

if TYPE_CHECKING:
    import polars as pl

# English, German, French, Spanish, Italian and Dutch, with the abbreviations of each.
_MONTH_NAMES = (
    "jan january januar jänner jän janvier janv enero ene gennaio gen januari",
    "feb february februar février fevrier févr fevr fév fev febrero febbraio februari",
    "mar march märz maerz mrz mär mars marzo maart mrt",
    "apr april avril avr abril abr aprile",
    "may mai mayo maggio mag mei",
    "jun june juni juin junio giugno giu",
    "jul july juli juillet juil julio luglio lug",
    "aug august août aout aoû agosto ago augustus",
    "sep sept september septembre septiembre setiembre settembre set",
    "oct october oktober okt octobre octubre ottobre ott",
    "nov november novembre noviembre",
    "dec december dezember dez décembre decembre déc diciembre dic dicembre",
)
MONTH_NUMBERS = {name: number for number, names in enumerate(_MONTH_NAMES, 1) for name in names.split()}
_WEEKDAYS = (
    "mon monday tue tues tuesday wed wednesday thu thur thurs thursday fri friday sat saturday sun sunday",
    "mo montag di dienstag mi mittwoch do donnerstag fr freitag sa samstag sonnabend so sonntag",
    "lun lundi mardi mer mercredi jeu jeudi ven vendredi sam samedi dim dimanche",
    "lunes martes mié mie miércoles miercoles jue jueves vie viernes sáb sab sábado sabado dom domingo",
    "lunedì lunedi martedì martedi mercoledì mercoledi gio giovedì giovedi venerdì venerdi sabato domenica",
    "ma maandag dinsdag wo woensdag donderdag vr vrijdag za zaterdag zo zondag",
)
_WEEKDAY = rf"^(?:{'|'.join(' '.join(_WEEKDAYS).split())})\.?,? "
_TUESDAY = r"^mar\.?,? (\d{1,2}\.? (?:de )?[^\W\d_])"  # in French, Spanish and Italian; in other places "mar" is March

_SHORT_YEAR = r"(?P<year>\d{4}|\d{2})"
_YEAR, _MONTH, _DAY = r"(?P<year>\d{4})", r"(?P<month>\d{1,2})", r"(?P<day>\d{1,2})"
_NAME = r"(?P<name>[^\W\d_]{3,11})\.?"
_ORDINAL = r"(?:st|nd|rd|th|er|º|°)?\.?"
_CLOCK = (
    r"(?:(?:t|,? |:)(?:"
    r"(?P<hour>\d{1,2})(?:[:h](?P<minute>\d{2})(?:[:m](?P<second>\d{2})s?(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    r"(?:[ -]?(?P<half>[ap])\.? ?m\.?)?(?: ?uhr| ?h)?))?"
)
_ZONE = r"(?: ?(?:(?P<zulu>z|utc|gmt)|(?:utc|gmt)?(?P<sign>[+−-])(?P<zone_hour>\d{2}):?(?P<zone_minute>\d{2})?))?"
_ZULU = r"(?: ?(?P<zulu>z|utc|gmt))?"


@dataclass(frozen=True)
class Shape:
    """A way of writing dates.

    Attributes:
        pattern: A regular expression of lower-case text with a named group for each part. Groups `a`, `b`, `c` are
            numbers whose meaning the order decides.
        orders: The orders in which `a`, `b` and `c` may be read, such as `dmy`.
    """

    pattern: str
    orders: tuple[str, ...] = ()

    def fits_any(self, texts: list[str]) -> bool:
        """Tell whether some of a few normalised texts are written so."""
        fits = _compile(self.pattern).match
        return any(fits(text) for text in texts)


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _dates(date: str, orders: tuple[str, ...] = ()) -> Shape:
    return Shape(f"^{date}{_CLOCK}{_ZONE}$", orders)


def _periods(period: str) -> Shape:
    return Shape(f"^{period}{_ZULU}$")


# In the order in which they are tried.
SHAPES = (
    *(_dates(f"{_YEAR}{mark}{_MONTH}{mark}{_DAY}") for mark in ("-", "/", r"\.", " ")),
    _dates(r"(?P<year>\d{4})年(?P<month>\d{1,2})月(?P<day>\d{1,2})日"),
    _dates(r"(?P<a>\d{1,2})\. ?(?P<b>\d{1,2})\. ?(?P<c>\d{4}|\d{2})", ("dmy",)),
    *(_dates(rf"(?P<a>\d{{1,2}}){mark}(?P<b>\d{{1,2}}){mark}(?P<c>\d{{4}}|\d{{2}})", ("dmy", "mdy", "ymd"))
      for mark in ("/", "-", " ")),
    _dates(rf"{_DAY}{_ORDINAL}[ /-]?(?:de |of |d')?{_NAME}[ ,/-]*(?:de |del )?{_SHORT_YEAR}"),
    _dates(rf"{_NAME}[ /-]{_DAY}{_ORDINAL},?[ /-]{_YEAR}"),
    _dates(rf"{_NAME} {_DAY}{_ORDINAL}, {_SHORT_YEAR}"),
    _dates(rf"{_YEAR}[ /-]?{_NAME}[ /-]?{_DAY}"),
    Shape(rf"^{_NAME} {_DAY}{_CLOCK}{_ZONE} {_YEAR}$"),
    Shape(r"^(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?:[t _-]?(?P<hour>\d{2})"
          rf"(?::?(?P<minute>\d{{2}})(?::?(?P<second>\d{{2}})(?:[.,](?P<fraction>\d{{1,9}}))?)?)?)?{_ZONE}$"),
    _periods(rf"{_YEAR}[-/. ]{_MONTH}"),
    _periods(rf"{_MONTH}[-/. ]{_YEAR}"),
    _periods(rf"{_YEAR}[ -]?m ?{_MONTH}"),
    _periods(rf"m ?{_MONTH}[ /-]{_YEAR}"),
    _periods(rf"{_NAME}[ /.',-]*(?:de |del )?{_SHORT_YEAR}"),
    _periods(rf"{_YEAR}[ /.,-]*{_NAME}"),
    _periods(rf"{_YEAR}[ /:.-]?[qtk](?P<quarter>[1-4])"),
    _periods(rf"[qtk](?P<quarter>[1-4])[ /:.-]?{_YEAR}"),
    _periods(rf"(?P<quarter>[1-4])\.? ?(?:[qtk]|quarter|quartal|trimestre|kwartaal)[ /.-]?{_YEAR}"),
    _periods(rf"{_YEAR}[ /-]?[hs](?P<semester>[12])"),
    _periods(rf"[hs](?P<semester>[12])[ /-]?{_YEAR}"),
    _periods(rf"{_YEAR}[ /-]?(?:w|kw|wk) ?(?P<week>\d{{1,2}})(?:-?(?P<weekday>[1-7]))?"),
    _periods(rf"(?:w|kw|wk) ?(?P<week>\d{{1,2}})[ /-]{_YEAR}"),
)  # fmt: skip


def normalise(text: pl.Series) -> pl.Series:
    """Return text in lower case, with single spaces and without a weekday in front."""
    text = text.str.to_lowercase().str.replace_all(r"[\s\x{a0}\x{202f}]+", " ")
    return text.str.replace(_WEEKDAY, "").str.replace(_TUESDAY, "${1}").str.replace(r",? um ", " ")


@dataclass(frozen=True)
class DateParts:
    """The parts of the dates that fit a shape, -1 where one is absent.

    Attributes:
        numbers: An array for each named group that is a number, or `name`, the number of a month.
        is_match: Where the text fits.
        offset: Microseconds of the local clock ahead of UTC.
        has_offset: Where the text has such an offset.
    """

    numbers: dict[str, Int64[np.ndarray, " rows"]]
    is_match: Bool[np.ndarray, " rows"]
    offset: Int64[np.ndarray, " rows"]
    has_offset: Bool[np.ndarray, " rows"]

    @property
    def has_clock(self) -> bool:
        """Whether any row has a time of day."""
        hour = self.numbers.get("hour")
        return hour is not None and bool((hour >= 0).any())

    def is_short_year(self) -> Bool[np.ndarray, " rows"]:
        """Return where the year has two digits."""
        year = self.numbers.get("year", self.numbers.get("c"))
        return self.is_match & (year < 100) if year is not None else np.zeros_like(self.is_match)


def split(text: pl.Series, shape: Shape) -> DateParts:
    """Take normalised text apart.

    Args:
        text: What `normalise` returns.
        shape: The way of writing that is tried.
    """
    import polars as pl

    groups = text.str.extract_groups(shape.pattern).struct.unnest()
    numbers = {}
    for name in groups.columns:
        column = groups[name]
        if name == "name":
            column = column.replace_strict(MONTH_NUMBERS, default=None, return_dtype=pl.Int64)
        elif name == "half":
            column = column.replace_strict({"a": 0, "p": 12}, default=None, return_dtype=pl.Int64)
        elif name == "fraction":
            column = column.str.pad_end(6, "0").str.slice(0, 6)
        elif name == "sign":
            column = column.replace_strict({"+": 1}, default=-1, return_dtype=pl.Int64).set(column.is_null(), 0)
        elif name == "zulu":
            column = column.is_not_null().cast(pl.Int64)
        numbers[name] = column.cast(pl.Int64, strict=False).fill_null(-1).to_numpy()
    is_match = _is_match(numbers, len(text))
    zero = np.zeros(len(text), dtype=np.int64)
    sign, hours = numbers.pop("sign", zero), numbers.pop("zone_hour", zero - 1)
    minutes = np.maximum(numbers.pop("zone_minute", zero), 0)
    offset = np.where(hours >= 0, sign * (hours * HOUR + minutes * MINUTE), 0)
    return DateParts(numbers, is_match, offset, (hours >= 0) | (numbers.pop("zulu", zero) > 0))


def _is_match(numbers: dict[str, Int64[np.ndarray, " rows"]], count: int) -> Bool[np.ndarray, " rows"]:
    """Return where the parts without which no text fits are present."""
    is_match = np.ones(count, dtype=bool)
    for name in ("year", "month", "day", "name", "a", "b", "c", "quarter", "semester", "week"):
        if name in numbers:
            is_match &= numbers[name] >= 0
    return is_match


def to_local_times(
    parts: DateParts, order: str, century_year: Int64[np.ndarray, " rows"] | None
) -> tuple[Int64[np.ndarray, " rows"], Bool[np.ndarray, " rows"]]:
    """Return microseconds of the local clock, and where the parts are a date that exists.

    Args:
        parts: The parts of the dates.
        order: How `a`, `b` and `c` are read, such as `dmy`; empty where a shape names its parts.
        century_year: The year of each row with its century, or None where all years have four digits.
    """
    numbers = dict(parts.numbers)
    for part, letter in zip("abc", order, strict=False):
        numbers[{"d": "day", "m": "month", "y": "year"}[letter]] = numbers[part]
    year = numbers["year"] if century_year is None else century_year
    one = np.ones(len(year), dtype=np.int64)
    month, day = numbers.get("month", numbers.get("name", one)), numbers.get("day", one)
    for name, months in (("quarter", 3), ("semester", 6)):
        if name in numbers:
            month = months * (numbers[name] - 1) + 1
    is_valid = parts.is_match & (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
    first = (12 * (np.where(is_valid, year, 1970) - 1970) + np.where(is_valid, month, 1) - 1).astype("datetime64[M]")
    days = first.astype("datetime64[D]").astype(np.int64)
    is_valid &= days + day <= (first + 1).astype("datetime64[D]").astype(np.int64)
    days = days + day - 1
    if "week" in numbers:
        fourth = days + 3  # of January, which lies in the first week
        monday = fourth - (fourth + 3) % 7
        days = monday + 7 * (numbers["week"] - 1) + np.maximum(numbers.get("weekday", one), 1) - 1
        next_monday = _first_monday(year + 1)
        is_valid &= (numbers["week"] >= 1) & (days < next_monday)
    clock, is_clock = _clock(numbers, len(year))
    return np.where(is_valid & is_clock, days * DAY + clock, 0), is_valid & is_clock


def _first_monday(year: Int64[np.ndarray, " rows"]) -> Int64[np.ndarray, " rows"]:
    """Return the day on which the first week of a year begins."""
    fourth = (year - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64) + 3
    return np.asarray(fourth - (fourth + 3) % 7)


def _clock(
    numbers: dict[str, Int64[np.ndarray, " rows"]], count: int
) -> tuple[Int64[np.ndarray, " rows"], Bool[np.ndarray, " rows"]]:
    """Return microseconds since midnight, and where there is such a time of day; 24:00 is the next midnight."""
    zero = np.zeros(count, dtype=np.int64)
    hour, half = np.maximum(numbers.get("hour", zero), 0), numbers.get("half", zero - 1)
    minute, second = (np.maximum(numbers.get(name, zero), 0) for name in ("minute", "second"))
    fraction = np.maximum(numbers.get("fraction", zero), 0)
    is_half = half >= 0
    is_valid = np.where(is_half, (hour >= 1) & (hour <= 12), hour <= 24) & (minute < 60) & (second < 60)
    is_valid &= (hour < 24) | (minute + second + fraction == 0)
    hour = np.where(is_half, hour % 12 + half, hour)
    return hour * HOUR + minute * MINUTE + second * SECOND + fraction, is_valid
