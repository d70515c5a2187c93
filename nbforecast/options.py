"""What a request for forecasts can say: each option once, with its default, its check and its command-line flag."""

from __future__ import annotations

import datetime as dt
from argparse import ArgumentTypeError
from dataclasses import dataclass, field, fields
from math import isfinite
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from nbforecast.checks import check_horizon, is_integer
from nbforecast.errors import OptionError
from nbforecast.safe_text import brief_repr
from nbforecast.text import option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from nbforecast.forecasters.base import Forecaster

    ModelLike: TypeAlias = str | Forecaster | Callable[..., Any] | None

STYLES = ("bands", "density", "paths")
Style = Literal["bands", "density", "paths"]
ExplorerStyle = Literal["bands", "density", "paths", "total"]
EXPLORER_STYLES: tuple[ExplorerStyle, ...] = get_args(ExplorerStyle)


def argument(
    *flags: str, help: str, prepares: bool = False, also: Mapping[str, dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    """Describe an option, as metadata of its field.

    Args:
        flags: Flags of the command line and the magics; an option without flags belongs to Python alone.
        help: What the option means, for `--help` and the magics' `?`, in argparse's format.
        prepares: Whether `nbforecast.data.prepare` takes the option.
        also: Other flags that set the option, with their arguments of `argparse.ArgumentParser.add_argument`.
        more: Other arguments of `argparse.ArgumentParser.add_argument`, such as `metavar` or `type`.
    """
    return {"flags": flags, "prepares": prepares, "also": also or {}, "argument": {"help": help, **more}}


def steps_or_span(text: str) -> int | str:
    """Convert the text of a number of steps, and leave a span such as `1h` as it is."""
    if not any(letter.isdigit() for letter in text):
        raise ArgumentTypeError(f"{text!r} is neither a number of steps nor a span such as 1h")
    return int(text) if text.isdigit() else text


def index_or_time(text: str) -> int | str:
    """Convert the text of an index, and leave a time such as `2025-01-31 18:00` as it is.

    An integer is always an index; its minus sign may be a hyphen or U+2212.
    """
    digits = text.strip().replace("\N{MINUS SIGN}", "-")
    return int(digits) if digits.removeprefix("-").removeprefix("+").isdecimal() else text


def _number_or_word(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


@dataclass(frozen=True, kw_only=True)
class ForecastOptions:
    """The options of a request for forecasts, checked.

    Every field is a parameter of `nbforecast.forecast`, and all but `model` and `horizon` are keys of
    `ForecastKeywords`: a test compares the three. Magics and the command line are made from the fields.

    Raises:
        OptionError: An option has a value that makes no sense.
    """

    model: ModelLike = field(
        default=None,
        metadata=argument(
            "-m",
            "--model",
            help="a model that %%forecast_models lists; with -l several (A,B), the first corrected by all",
        ),
    )
    horizon: int | str | dt.timedelta = field(
        default=12,
        metadata=argument(
            "-H",
            "--horizon",
            type=steps_or_span,
            metavar="STEPS",
            help="steps ahead, or a span such as 1h or 28d (default: %(default)s)",
        ),
    )
    time: str | Sequence[str] | None = field(
        default=None,
        metadata=argument(
            "--time", prepares=True, metavar="COL", help="the column of times, or DATE,CLOCK for dates and times of day"
        ),
    )
    target: str | None = field(
        default=None, metadata=argument("--target", prepares=True, metavar="COL", help="the column of values")
    )
    id: str | Sequence[str] | None = field(
        default=None,
        metadata=argument(
            "--id",
            prepares=True,
            action="append",
            metavar="COL",
            help="the column that names the series of a panel; several (A,B or repeated) make one id together",
        ),
    )
    static: str | Sequence[str] | None = field(
        default=None,
        metadata=argument(
            "--static", prepares=True, metavar="A,B", help="columns of one value a series, to group the series by"
        ),
    )
    freq: Any = field(
        default=None,
        metadata=argument(
            "--freq", prepares=True, metavar="F", help="the step between rows: 5min, h, D, MS ... (default: inferred)"
        ),
    )
    calendar: Any = field(
        default=None,
        metadata=argument(
            "--calendar",
            prepares=True,
            metavar="C",
            help="when rows occur: business, mon-sat, 'mon-fri 09:30-16:00', 'third friday' ... (default: found)",
        ),
    )
    fill: Any = field(
        default=None,
        metadata=argument(
            "--fill",
            prepares=True,
            type=_number_or_word,
            metavar="VALUE",
            help="what an absent row means: a number such as 0, or last (default: it is missing)",
        ),
    )
    minimum: float | None = field(
        default=None, metadata=argument("--minimum", type=float, metavar="Y", help="the smallest value of a forecast")
    )
    maximum: float | None = field(
        default=None, metadata=argument("--maximum", type=float, metavar="Y", help="the largest value of a forecast")
    )
    max_duration: Any = field(
        default=None,
        metadata=argument(
            "--max-duration",
            prepares=True,
            type=steps_or_span,
            metavar="D",
            help="use only the newest part: 18h, 90d or a number of steps",
        ),
    )
    date_order: str | None = field(
        default=None,
        metadata=argument(
            "--date-order",
            prepares=True,
            metavar="ORDER",
            help="how dates such as 1/2/24 are ordered: dmy, mdy or ymd (default: the whole column decides)",
        ),
    )
    decimal: str | None = field(
        default=None,
        metadata=argument(
            "--decimal",
            prepares=True,
            metavar="SIGN",
            help="the decimal sign of values that are text: . or , (default: the whole column decides)",
        ),
    )
    unit: str | None = field(
        default=None,
        metadata=argument("--unit", prepares=True, metavar="UNIT", help="the unit of the values, for titles"),
    )
    convert_to: str | None = field(
        default=None,
        metadata=argument(
            "--convert-to", prepares=True, metavar="UNIT", help="the unit to convert the values to, such as mmol/L"
        ),
    )
    future_covariates: str | Sequence[str] | None = field(
        default=None,
        metadata=argument("--future", prepares=True, metavar="A,B", help="columns that are known ahead, to learn from"),
    )
    past_covariates: str | Sequence[str] | None = field(
        default=None,
        metadata=argument(
            "--past",
            prepares=True,
            metavar="A,B",
            help="columns that are known up to the origin, to learn from",
        ),
    )
    issued_covariates: Any = field(
        default=None,
        metadata=argument(
            "--issued",
            metavar="TABLE",
            help="a table of covariates as they were issued, such as weather forecasts: ds, cutoff and values",
        ),
    )
    holidays: str | None = field(
        default=None,
        metadata=argument(
            "--holidays", prepares=True, metavar="COUNTRY", help="learn from public holidays: DE, DE-BY, US-CA ..."
        ),
    )
    groups: str | Sequence[str] | None = field(
        default=None,
        metadata=argument(
            "--groups",
            prepares=True,
            metavar="A,B",
            help="columns of one value a series, such as a region, whose series Chronos-2 forecasts together; or all",
        ),
    )
    origins: Any = field(
        default=None,
        metadata=argument(
            "--origins",
            metavar="WHICH",
            help="forecast from these origins only: latest, A..B (indices or times, both included) or A,B,C",
        ),
    )
    every: Any = field(
        default=None,
        metadata=argument(
            "--every",
            type=steps_or_span,
            metavar="D",
            help="the distance of two origins, such as 1d or a number of steps (default: every step)",
        ),
    )
    at: str | dt.time | None = field(
        default=None,
        metadata=argument("--at", metavar="HH:MM", help="the time of day of the origins, such as 23:45"),
    )
    seed: int = field(
        default=0,
        metadata=argument("--seed", type=int, help="seed of models that draw random numbers (default: %(default)s)"),
    )
    force: bool = field(
        default=False, metadata=argument("-f", "--force", action="store_true", help="do not use cached results")
    )
    exact: bool = field(
        default=False,
        metadata=argument(
            "--exact", action="store_true", help="use no forecast of the cache that was made from a longer history"
        ),
    )
    learn: bool = field(
        default=False,
        metadata=argument(
            "-l", "--learn", action="store_true", help="correct the forecasts by what the model's past errors teach"
        ),
    )
    calibrate: bool = field(
        default=False,
        metadata=argument(
            "-c", "--calibrate", action="store_true", help="calibrate the bands with the series' past errors"
        ),
    )
    name: str | None = field(default=None, metadata=argument(prepares=True, help="what to call the frame in titles"))

    def __post_init__(self) -> None:
        if not isinstance(self.horizon, str | dt.timedelta):
            object.__setattr__(self, "horizon", check_horizon(self.horizon))
        if not is_integer(self.seed) or not -(2**63) <= self.seed < 2**63:
            raise OptionError(f"{option('seed')} takes a whole number of up to 64 bits, not {brief_repr(self.seed)}.")
        for name, bound in (("minimum", self.minimum), ("maximum", self.maximum)):
            if bound is not None and (not _is_number(bound) or not isfinite(bound)):
                raise OptionError(f"{option(name)} takes a number, not {brief_repr(bound)}.")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise OptionError(f"{option('minimum', self.minimum)} is above {option('maximum', self.maximum)}.")
        object.__setattr__(self, "seed", int(self.seed))

    @property
    def has_covariates(self) -> bool:
        """Whether covariates are named."""
        return any(each is not None for each in (self.future_covariates, self.past_covariates, self.holidays))

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> ForecastOptions:
        """The options among the arguments of a function; the others are ignored."""
        return cls(**{f.name: arguments[f.name] for f in fields(cls) if f.name in arguments})

    @property
    def is_exact(self) -> bool:
        """Whether forecasts are made from the data alone, also where the cache knows a longer history (C5)."""
        return self.exact or self.max_duration is not None

    @property
    def preparation(self) -> dict[str, Any]:
        """Keyword arguments of `nbforecast.data.prepare`."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.metadata["prepares"]}


@dataclass(frozen=True, kw_only=True)
class DrawOptions:
    """The options of a drawn forecast: which origin, and how.

    Raises:
        OptionError: An option has a value that makes no sense.
    """

    index: int | str | dt.date | np.datetime64 = field(
        default=0,
        metadata=argument(
            "-i",
            "--index",
            type=index_or_time,
            help="the origin: 0 is the last data point, -24 the 24th before it; or a time such as 2025-01-31",
        ),
    )
    series: str | None = field(
        default=None,
        metadata=argument("-s", "--series", metavar="ID", help="which series of a panel (default: the first)"),
    )
    style: Style = field(
        default="bands",
        metadata=argument(
            "--density",
            action="store_const",
            const="density",
            help="draw densities instead of bands",
            also={"--paths": {"action": "store_const", "const": "paths", "help": "draw joint paths instead of bands"}},
        ),
    )

    def __post_init__(self) -> None:
        check_style(self.style)


def check_style(style: str, styles: tuple[str, ...] = STYLES) -> None:
    """Raise `OptionError` unless a style is one of some."""
    if style not in styles:
        names = " or ".join(", ".join(map(repr, part)) for part in (styles[:-1], styles[-1:]))
        raise OptionError(f"style= takes {names}, not {brief_repr(style)}.")


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
