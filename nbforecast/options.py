"""What a request for forecasts can say: each option once, with its default, its check and its command-line flag."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, fields
from functools import wraps
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, cast

from nbforecast.errors import OptionError
from nbforecast.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nbforecast.forecasters.base import Forecaster

    ModelLike = str | Forecaster | Callable[..., Any] | None

MAX_HORIZON = 4096
STYLES = ("bands", "density")
Style = Literal["bands", "density"]
F = TypeVar("F", bound="Callable[..., Any]")


def argument(*flags: str, help: str, prepares: bool = False, **more: Any) -> dict[str, Any]:
    """Describe an option, as metadata of its field.

    Args:
        flags: Flags of the command line and the magics; an option without flags belongs to Python alone.
        help: What the option means, for `--help` and the magics' `?`, in argparse's format.
        prepares: Whether `nbforecast.data.prepare` takes the option.
        more: Other arguments of `argparse.ArgumentParser.add_argument`, such as `metavar` or `type`.
    """
    return {"flags": flags, "prepares": prepares, "argument": {"help": help, **more}}


def _steps_or_span(text: str) -> int | str:
    return int(text) if text.isdigit() else text


@dataclass(frozen=True, kw_only=True)
class ForecastOptions:
    """The options of a request for forecasts, checked.

    Every field is a parameter of `nbforecast.forecast`, and all but `model` and `horizon` are keys of
    `ForecastKeywords`: a test compares the three. Magics and the command line are made from the fields.

    Raises:
        OptionError: An option has a value that makes no sense.
    """

    model: ModelLike = field(
        default=None, metadata=argument("-m", "--model", help="a model's name; %%forecast_models lists them")
    )
    horizon: int = field(
        default=12,
        metadata=argument("-H", "--horizon", type=int, metavar="STEPS", help="steps ahead (default: %(default)s)"),
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
    freq: Any = field(
        default=None,
        metadata=argument(
            "--freq", prepares=True, metavar="F", help="the step between rows: 5min, h, D, MS ... (default: inferred)"
        ),
    )
    max_duration: Any = field(
        default=None,
        metadata=argument(
            "--max-duration",
            prepares=True,
            type=_steps_or_span,
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
    seed: int = field(
        default=0,
        metadata=argument("--seed", type=int, help="seed of models that draw random numbers (default: %(default)s)"),
    )
    force: bool = field(
        default=False, metadata=argument("-f", "--force", action="store_true", help="do not use cached results")
    )
    calibrate: bool = field(
        default=False,
        metadata=argument(
            "-c", "--calibrate", action="store_true", help="calibrate the bands with the series' past errors"
        ),
    )
    name: str | None = field(default=None, metadata=argument(prepares=True, help="what to call the frame in titles"))

    def __post_init__(self) -> None:
        if not _is_integer(self.horizon) or not 1 <= self.horizon <= MAX_HORIZON:
            raise OptionError(f"horizon= takes a number of steps from 1 to {MAX_HORIZON}, not {self.horizon!r}.")
        if not _is_integer(self.seed) or not -(2**63) <= self.seed < 2**63:
            raise OptionError(f"seed= takes a whole number of up to 64 bits, not {self.seed!r}.")
        object.__setattr__(self, "horizon", int(self.horizon))
        object.__setattr__(self, "seed", int(self.seed))

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> ForecastOptions:
        """The options among the arguments of a function; the others are ignored."""
        return cls(**{f.name: arguments[f.name] for f in fields(cls) if f.name in arguments})

    @property
    def preparation(self) -> dict[str, Any]:
        """Keyword arguments of `nbforecast.data.prepare`."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.metadata["prepares"]}


class PanelKeywords(TypedDict, total=False):
    """The options that requests of any size take as keyword arguments; see `ForecastOptions`."""

    time: str | Sequence[str] | None
    target: str | None
    id: str | Sequence[str] | None
    freq: Any
    max_duration: Any
    seed: int
    force: bool


class ForecastKeywords(PanelKeywords, total=False):
    """The options that requests for one dataset take as keyword arguments; see `ForecastOptions`."""

    date_order: str | None
    decimal: str | None
    unit: str | None
    convert_to: str | None
    calibrate: bool
    name: str | None


class ExploreKeywords(ForecastKeywords, total=False):
    """The options that `nbforecast.explore` takes as keyword arguments; see `ForecastOptions`."""

    horizon: int


def takes_options(keywords: type) -> Callable[[F], F]:
    """Show the options in the signature of a function with `**options: Unpack[keywords]`.

    Help and tab completion list the options, and a name that is no parameter is an error that names the nearest one.

    Args:
        keywords: `ForecastKeywords` or another TypedDict of options.

    Returns:
        A decorator.
    """
    options = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=f.type)
        for f in fields(ForecastOptions)
        if f.name in keywords.__annotations__
    ]

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        names = [p.name for p in (*own, *options)]

        @wraps(function)
        def checked(*arguments: Any, **keywords: Any) -> Any:
            for name in keywords:
                if name not in names:
                    hint = did_you_mean(name, names)
                    raise TypeError(f"{function.__name__}() got an unexpected keyword argument {name!r}.{hint}")
            return function(*arguments, **keywords)

        checked.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
        return cast("F", checked)

    return decorate


@dataclass(frozen=True, kw_only=True)
class DrawOptions:
    """The options of a drawn forecast: which origin, and how.

    Raises:
        OptionError: An option has a value that makes no sense.
    """

    index: int = field(
        default=0,
        metadata=argument(
            "-i", "--index", type=int, help="the origin: 0 is the last data point, -24 the 24th before it"
        ),
    )
    series: str | None = field(
        default=None,
        metadata=argument("-s", "--series", metavar="ID", help="which series of a panel (default: the first)"),
    )
    style: Style = field(
        default="bands",
        metadata=argument("--density", action="store_const", const="density", help="draw densities instead of bands"),
    )

    def __post_init__(self) -> None:
        check_style(self.style)


def check_style(style: str) -> None:
    """Raise `OptionError` unless a style is "bands" or "density"."""
    if style not in STYLES:
        raise OptionError(f"style= takes 'bands' or 'density', not {style!r}.")


def _is_integer(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
