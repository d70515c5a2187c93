"""The options that magics and the command line share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nbforecast.errors import OptionError

if TYPE_CHECKING:
    import argparse


def add_request(parser: argparse.ArgumentParser) -> None:
    """Options of any request for forecasts: the data, the model, the horizon."""
    parser.add_argument("frame", metavar="FRAME", help="a table (a variable in a notebook) or a CSV or Parquet file")
    parser.add_argument("-m", "--model", help="a model's name; %%forecast_models lists them")
    parser.add_argument("-H", "--horizon", type=int, default=12, metavar="STEPS", help="steps ahead (default: 12)")
    parser.add_argument("--max-duration", metavar="D", help="use only the newest part: 18h, 90d or a number of steps")
    parser.add_argument("--time", metavar="COL", help="the column of times")
    parser.add_argument("--target", metavar="COL", help="the column of values")
    parser.add_argument("--id", metavar="COL", help="the column that names the series of a panel")
    parser.add_argument("--freq", metavar="F", help="the step between rows, such as 5min, h, D, MS (default: inferred)")
    parser.add_argument("--seed", type=int, default=0, help="for models that draw at random (default: 0)")
    parser.add_argument("-f", "--force", action="store_true", help="do not use cached results")
    parser.add_argument("-c", "--calibrate", action="store_true", help="bands calibrated by the series' past errors")


def add_drawing(parser: argparse.ArgumentParser) -> None:
    """Options of a drawn forecast."""
    parser.add_argument(
        "-i", "--index", type=int, default=0, help="the origin: 0 the last data point, -24 the 24th before it"
    )
    parser.add_argument("-s", "--series", metavar="ID", help="which series of a panel (default: the first)")
    parser.add_argument("--density", action="store_true", help="draw densities instead of bands")


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Options of a panel that is forecast in shards."""
    parser.add_argument(
        "--engine", choices=("local", "ray"), help="forecast a panel of any size, in shards, into -o DEST"
    )
    parser.add_argument("--address", metavar="A", help="the Ray cluster (default: RAY_ADDRESS, or one begun here)")
    parser.add_argument("--workers", type=int, metavar="N", help="Ray actors (default: one a GPU, or two cores)")
    parser.add_argument("--series-per-shard", type=int, metavar="N", help="default: about 100,000 points' worth")


def add_cache(parser: argparse.ArgumentParser) -> None:
    """The commands that look after the result cache."""
    commands = parser.add_subparsers(dest="action", metavar="ACTION")
    commands.add_parser("info", help="totals: entries, sizes, budgets, reuse (the default)", add_help=parser.add_help)
    commands.add_parser("list", help="the entries, last used first", add_help=parser.add_help)

    _add_entry(commands.add_parser("show", help="everything known of an entry", add_help=parser.add_help))
    _add_entry(commands.add_parser("run", help="a run of what an entry holds", add_help=parser.add_help))
    _add_entry(commands.add_parser("recompute", help="infer an entry's origins anew", add_help=parser.add_help))

    drop = commands.add_parser("drop", help="remove an entry or some of its results", add_help=parser.add_help)
    _add_entry(drop)
    drop._negative_number_matcher = re.compile(r"-\d*(:-?\d*)?$")  # -24:0 is a value, not an option
    drop.add_argument("--index", metavar="A:B", help="only the origins from index A to B, both included")
    drop.add_argument("--only", metavar="WHAT", help="only scores, quantiles or density; forecasts stay")

    flush = commands.add_parser("flush", help="remove everything", add_help=parser.add_help)
    where = flush.add_mutually_exclusive_group()
    where.add_argument("--memory", action="store_true", help="from memory only")
    where.add_argument("--disk", action="store_true", help="from disk only")

    save = commands.add_parser("save", help="save what is not saved yet", add_help=parser.add_help)
    save.add_argument("path", metavar="PATH", nargs="?", help="save everything into this folder instead")
    load = commands.add_parser("load", help="bring saved entries into memory", add_help=parser.add_help)
    load.add_argument("path", metavar="PATH", nargs="?", help="from this folder or file instead")

    prune = commands.add_parser("prune", help="remove what was used longest ago", add_help=parser.add_help)
    prune.add_argument("--max-size", metavar="SIZE", help="what may stay in memory and on disk, each: 2GB, 500MB")
    prune.add_argument("--max-age", metavar="AGE", help="how long ago it may have been used: 30d, 12h")


def _add_entry(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("handle", metavar="HANDLE", help="a handle, or as many of its first digits as suffice")
    parser.add_argument("-m", "--model", help="of this model only")


def manage(options: argparse.Namespace) -> object:
    """Do what `add_cache`'s commands say; the result shows itself."""
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
            return cache.flush(memory=not options.disk, disk=not options.memory)
        case "save":
            return cache.save(options.path)
        case "load":
            return cache.load(options.path)
        case "prune":
            return cache.prune(options.max_size, options.max_age)
        case _:
            return cache.info()


def request(options: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of `nbforecast.forecast` and `quickdraw` from parsed options."""
    duration = options.max_duration
    return {
        "model": options.model,
        "horizon": options.horizon,
        "max_duration": int(duration) if duration and duration.isdigit() else duration,
        "time": options.time,
        "target": options.target,
        "id": options.id,
        "freq": options.freq,
        "seed": options.seed,
        "force": options.force,
        "calibrate": options.calibrate,
    }


def sharded(options: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of `nbforecast.forecast_dataset`, beside source and destination, from parsed options."""
    if options.calibrate:
        raise OptionError(
            "--calibrate is not for panels in shards: calibrate what is opened from them, run.open(ID, calibrate=True)."
        )
    own = {name: getattr(options, name) for name in ("engine", "address", "workers", "series_per_shard")}
    return {**{name: value for name, value in request(options).items() if name != "calibrate"}, **own}


def drawing(options: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of `nbforecast.quickdraw` alone, beside the frame, from parsed options."""
    return {
        "index": options.index,
        "series": options.series,
        "style": "density" if options.density else "bands",
        **request(options),
    }
