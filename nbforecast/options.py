"""The options that magics and the command line share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


def add_drawing(parser: argparse.ArgumentParser) -> None:
    """Options of a drawn forecast."""
    parser.add_argument(
        "-i", "--index", type=int, default=0, help="the origin: 0 the last data point, -24 the 24th before it"
    )
    parser.add_argument("-s", "--series", metavar="ID", help="which series of a panel (default: the first)")
    parser.add_argument("--density", action="store_true", help="draw densities instead of bands")


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
    }


def drawing(options: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of `nbforecast.quickdraw` alone, beside the frame, from parsed options."""
    return {
        "index": options.index,
        "series": options.series,
        "style": "density" if options.density else "bands",
        **request(options),
    }
