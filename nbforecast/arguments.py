"""The options of the magics and the command line, as arguments of argparse."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from nbforecast.errors import OptionError
from nbforecast.options import DrawOptions, ForecastOptions, steps_or_span

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection

_ORIGINS = re.compile(r"-\d+(\.\d*)?(\.\..*|(,-?\d+)+)?$")
_NOT_OF_REPORTS = {"calibrate", "exact"}  # a report is both
_ALARMS = ("fail_on_surprise", "since")
SHARD_OPTIONS = ("engine", "address", "workers", "series_per_shard")


# options that panels in shards do not take, and why
_NOT_OF_SHARDS = {
    "calibrate": "calibrate what is opened from them, run.open(ID, calibrate=True)",
    **dict.fromkeys(("origins", "every", "at"), "every origin of a shard is forecast"),
    "static": "group the series of what is opened from them",
    "groups": "forecast the panel as one table, so that each series sees the others",
    **dict.fromkeys(
        ("future_covariates", "past_covariates", "issued_covariates", "holidays"),
        "forecast the panel as one table to learn from them",
    ),
}


def add_forecast_options(
    parser: argparse.ArgumentParser,
    metavar: str = "FRAME",
    help: str = "a table (a variable in a notebook) or a CSV or Parquet file",
) -> None:
    """Add what is forecast, `frame`, and the fields of `ForecastOptions`.

    Args:
        parser: The parser.
        metavar: What help calls the frame.
        help: What it says of it.
    """
    parser.add_argument("frame", metavar=metavar, help=help)
    parser._negative_number_matcher = _ORIGINS  # -48..0 is a value, not an option
    _add_fields(parser, ForecastOptions)


def add_draw_options(parser: argparse.ArgumentParser) -> None:
    """Add the fields of `DrawOptions`."""
    _add_fields(parser, DrawOptions)


def add_latest_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which forecasts are written to a file."""
    parser.add_argument(
        "--latest", action="store_true", help="only the newest forecast of each series, a row a series and step"
    )
    parser.add_argument(
        "--levels", default="80,95", metavar="P", help="coverages of the intervals in %% (default: %(default)s)"
    )


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ForecastOptions` that are parameters of reports; what is not given is None."""
    _add_fields(parser, ForecastOptions, _report_parameters())
    parser._negative_number_matcher = _ORIGINS


def add_alarm_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for which a scheduled report fails."""
    parser.add_argument(
        "--fail-on-surprise",
        type=_rate,
        metavar="RATE",
        help="exit with status 3 where a new observation is odd at this rate, such as 0.001, and say which",
    )
    parser.add_argument(
        "--since",
        type=steps_or_span,
        metavar="D",
        help="which observations are new, back from the last one of each series: steps, or a span such as 1d; "
        "give the pause between two scheduled reports (default: the horizon)",
    )


def _rate(text: str) -> float:
    rate = float(text)
    if not 0 < rate < 1:
        raise ArgumentTypeError(f"a rate is between 0 and 1, such as 0.001, not {text}")
    return rate


def report_parameters(namespace: argparse.Namespace) -> dict[str, str]:
    """The parameters of a report, as text, that parsed options of `add_report_options` set."""
    values = {name: getattr(namespace, name) for name in (*sorted(_report_parameters()), *_ALARMS)}
    return {name: _parameter_text(value) for name, value in values.items() if value is not None}


def _parameter_text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "true" if value is True else str(value)


def _report_parameters() -> set[str]:
    return {option.name for option in fields(ForecastOptions) if option.metadata["flags"]} - _NOT_OF_REPORTS


def forecast_keywords(namespace: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of `nbforecast.forecast`, beside the frame, from parsed options."""
    keywords = _values(namespace, ForecastOptions)
    if getattr(namespace, "latest", False) and keywords["origins"] is None:
        keywords["origins"] = "latest"
    if keywords["learn"] and isinstance(keywords["model"], str) and "," in keywords["model"]:
        keywords["model"] = [name.strip() for name in keywords["model"].split(",")]
    return keywords


def draw_keywords(namespace: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of `nbforecast.quickdraw`, beside the frame, from parsed options."""
    return {**_values(namespace, DrawOptions), **_values(namespace, ForecastOptions)}


def shard_keywords(namespace: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of `nbforecast.forecast_dataset`, beside source and destination, from parsed options.

    Raises:
        OptionError: An option is set that shards do not have.
    """
    given = forecast_keywords(namespace)
    flags = {each.name: each.metadata["flags"][-1] for each in fields(ForecastOptions) if each.metadata["flags"]}
    for name, reason in _NOT_OF_SHARDS.items():
        if given[name] not in (None, False):
            raise OptionError(f"{flags[name]} is not for panels in shards: {reason}.")
    options = {name: value for name, value in given.items() if name not in _NOT_OF_SHARDS}
    return {**options, **{name: getattr(namespace, name) for name in SHARD_OPTIONS}}


def _add_fields(parser: argparse.ArgumentParser, options: type, names: Collection[str] | None = None) -> None:
    """Add the fields of a class of options; those that are named have no default of their own."""
    for option in fields(options):
        if not option.metadata["flags"] or (names is not None and option.name not in names):
            continue
        for flags, argument in (
            (option.metadata["flags"], option.metadata["argument"]),
            *(((flag,), also) for flag, also in option.metadata["also"].items()),
        ):
            default, more = option.default, dict(argument)
            if names is not None:
                default, more["help"] = None, more["help"].replace("%(default)s", "that of the template")
            parser.add_argument(*flags, dest=option.name, default=default, **more)


def _values(namespace: argparse.Namespace, options: type) -> dict[str, Any]:
    return {option.name: getattr(namespace, option.name) for option in fields(options) if option.metadata["flags"]}


def add_shard_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a panel that is forecast in shards."""
    parser.add_argument(
        "--engine", choices=("local", "ray"), help="forecast a panel of any size, in shards, into -o DEST"
    )
    parser.add_argument("--address", metavar="A", help="the Ray cluster (default: RAY_ADDRESS, or one started here)")
    parser.add_argument("--workers", type=int, metavar="N", help="Ray actors (default: one a GPU, or two cores)")
    parser.add_argument("--series-per-shard", type=int, metavar="N", help="default: about 100,000 points' worth")


def add_watch_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of live data: how often the source is looked at, and which events call what."""
    parser.add_argument("--poll", default="30s", metavar="D", help="time between two looks (default: %(default)s)")
    parser.add_argument("--above", type=float, metavar="Y", help="an event: a value above this limit is forecast")
    parser.add_argument("--below", type=float, metavar="Y", help="an event: a value below this limit is forecast")
    parser.add_argument(
        "--within", type=steps_or_span, metavar="D", help="the part of the horizon that counts, such as 30min"
    )
    parser.add_argument("--probability", type=float, metavar="P", help="the least probability of it (default: 0.5)")
    parser.add_argument("--surprise", type=float, metavar="RATE", help="an event: a value that was so improbable")
    parser.add_argument(
        "--hold", metavar="D", help="for how long the condition is over when an event ends (default: one row)"
    )
    parser.add_argument(
        "--run", dest="call_command", metavar="CMD", help="the command that an event calls as it begins and ends"
    )


def add_cache_commands(parser: argparse.ArgumentParser) -> None:
    """Add the commands that manage the result cache."""
    commands = parser.add_subparsers(dest="action", metavar="ACTION")
    commands.add_parser("info", help="totals: entries, sizes, budgets, reuse (the default)", add_help=parser.add_help)
    commands.add_parser("list", help="the entries, last used first", add_help=parser.add_help)

    _add_entry(commands.add_parser("show", help="all facts about an entry", add_help=parser.add_help))
    _add_entry(commands.add_parser("run", help="a run of an entry's results", add_help=parser.add_help))
    _add_entry(commands.add_parser("recompute", help="infer an entry's origins anew", add_help=parser.add_help))

    drop = commands.add_parser("drop", help="remove an entry or some of its results", add_help=parser.add_help)
    _add_entry(drop)
    drop._negative_number_matcher = re.compile(r"-\d*(:-?\d*)?$")  # -24:0 is a value, not an option
    drop.add_argument(
        "--index", metavar="A:B", help="only this origin, or those from A to B (A..B for times), both included"
    )
    drop.add_argument("--only", metavar="WHAT", help="remove only scores, quantiles or density; forecasts stay")

    flush = commands.add_parser("flush", help="remove everything", add_help=parser.add_help)
    where = flush.add_mutually_exclusive_group()
    where.add_argument("--memory", action="store_true", help="from memory only")
    where.add_argument("--disk", action="store_true", help="from disk only")
    where.add_argument("--compiled", action="store_true", help="the compiled functions on disk instead of results")

    save = commands.add_parser("save", help="save results that are not saved yet", add_help=parser.add_help)
    save.add_argument("path", metavar="PATH", nargs="?", help="a folder that receives every entry instead")
    load = commands.add_parser("load", help="load saved entries into memory", add_help=parser.add_help)
    load.add_argument("path", metavar="PATH", nargs="?", help="from this folder or file instead")

    prune = commands.add_parser("prune", help="remove the entries that were used longest ago", add_help=parser.add_help)
    prune.add_argument("--max-size", metavar="SIZE", help="size that memory and disk are each reduced to: 2GB, 500MB")
    prune.add_argument("--max-age", metavar="AGE", help="time since the last use that an entry may have: 30d, 12h")


def _add_entry(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("handle", metavar="HANDLE", help="a handle, or enough of its first digits")
    parser.add_argument("-m", "--model", help="only the results of this model")


def run_cache_command(options: argparse.Namespace) -> object:
    """Run a command of `add_cache_commands`; returns an object that shows itself."""
    from nbforecast.cache_manager.manager import cache

    match options.action:
        case "list":
            return cache.listing()
        case "show":
            return cache.show(options.handle, options.model)
        case "run":
            return cache.run(options.handle, options.model)
        case "recompute":
            return cache.recompute(options.handle, options.model)
        case "drop":
            return cache.drop(options.handle, options.model, options.index, options.only)
        case "flush":
            return cache.flush(memory=not options.disk, disk=not options.memory, compiled=options.compiled)
        case "save":
            return cache.save(options.path)
        case "load":
            return cache.load(options.path)
        case "prune":
            return cache.prune(options.max_size, options.max_age)
        case _:
            return cache.info()
