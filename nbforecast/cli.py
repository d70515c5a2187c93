"""The command line: `nbforecast forecast|quickdraw|report|cache|models|demo`."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import nbforecast
from nbforecast.arguments import (
    add_cache_commands,
    add_draw_options,
    add_forecast_options,
    add_shard_options,
    draw_keywords,
    forecast_keywords,
    run_cache_command,
    shard_keywords,
)
from nbforecast.distributed.layout import FAILURES
from nbforecast.errors import NbForecastError, OptionError


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status (2: an error that the user can mend, 130: interrupted)."""
    parser = argparse.ArgumentParser(prog="nbforecast", description="Forecasts from every origin of a time series.")
    parser.add_argument("--version", action="version", version=f"nbforecast {nbforecast.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    full = commands.add_parser("forecast", help="forecast from every origin, write the table of forecasts")
    add_forecast_options(full)
    add_shard_options(full)
    full.add_argument(
        "-o", "--out", required=True, metavar="FILE", help="the .parquet or .csv file to write; a folder with --engine"
    )
    full.set_defaults(run=_forecast)

    one = commands.add_parser("quickdraw", help="draw the forecast as of one origin")
    add_forecast_options(one)
    add_draw_options(one)
    one.add_argument("-o", "--out", metavar="FILE", help="a .svg, .png or .pdf file to write")
    one.set_defaults(run=_quickdraw)

    told = commands.add_parser("report", help="backtest a model, write what comes of it as one page")
    told.add_argument("data", metavar="DATA", help="a CSV or Parquet file, or a glucose sensor's export")
    told.add_argument("-o", "--out", required=True, metavar="FILE", help="the .html file to write")
    told.add_argument("--notebook", metavar="FILE", help="keep the executed notebook in this .ipynb file")
    parameter = "a parameter of the template, such as model, horizon or target; may be repeated"
    told.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help=parameter)
    template = "a template's name, or a notebook with a cell tagged parameters (default: %(default)s)"
    told.add_argument("--template", default="backtest_report", metavar="T", help=template)
    told.set_defaults(run=_report)

    kept = commands.add_parser("cache", help="look after the results kept on disk")
    add_cache_commands(kept)
    kept.set_defaults(run=_cache)

    commands.add_parser("models", help="list the models").set_defaults(run=_models)
    demo = commands.add_parser("demo", help="copy the bundled samples and notebooks into a folder, to try things on")
    demo.add_argument("folder", type=Path, nargs="?", default=Path("nbforecast-demo"))
    demo.set_defaults(run=_demo)

    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file on Windows may not take every sign
            stream.reconfigure(errors="replace")
    try:
        options.run(options)
    except NbForecastError as error:
        sys.stderr.write(f"nbforecast: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"nbforecast: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("nbforecast: interrupted; what is finished is kept, and the same command goes on from there\n")
        return 130
    return 0


def _say(text: object) -> None:
    sys.stdout.write(f"{text}\n")


def _forecast(options: argparse.Namespace) -> None:
    if options.engine:
        return _forecast_dataset(options)
    out = Path(options.out)
    if out.suffix not in (".parquet", ".csv"):
        raise OptionError(f"-o takes a .parquet or .csv file, not {options.out!r}.")
    if not out.parent.is_dir():
        raise OptionError(f"There is no folder {str(out.parent)!r} to write {out.name!r} in.")
    run = nbforecast.forecast(options.frame, name=Path(options.frame).stem, wait=True, **forecast_keywords(options))
    table = run.to_long()
    if out.suffix == ".csv":
        table.write_csv(out)
    else:
        table.write_parquet(out)
    for warning in run.warnings:
        sys.stderr.write(f"{warning}\n")
    _say(f"{out}: {len(table):,} rows, {run!r}")
    return None


def _forecast_dataset(options: argparse.Namespace) -> None:
    run = nbforecast.forecast_dataset(options.frame, options.out, wait=True, **shard_keywords(options))
    for name, kind, message in run.failures.select("unique_id", "kind", "message").head(10).iter_rows():
        sys.stderr.write(f"{name} ({kind}): {message}\n")
    if len(run.failures) > 10:
        sys.stderr.write(f"... {len(run.failures):,} in all, in {run.folder / FAILURES}\n")
    _say(run)


def _quickdraw(options: argparse.Namespace) -> None:
    chart = nbforecast.quickdraw(options.frame, name=Path(options.frame).stem, **draw_keywords(options))
    _say(chart)
    if options.out:
        _say(chart.save(options.out))


def _report(options: argparse.Namespace) -> None:
    from nbforecast.report.runner import make_report

    out = _named(options.out, ".html")
    notebook = _named(options.notebook, ".ipynb") if options.notebook else None
    written = make_report(options.data, out, options.p, options.template, notebook)
    _say(f"{written}: {written.stat().st_size / 1e6:.1f} MB")
    if notebook:
        _say(notebook)


def _named(path: str, suffix: str) -> Path:
    if Path(path).suffix != suffix:
        raise OptionError(f"That takes a {suffix} file, not {path!r}.")
    return Path(path)


def _cache(options: argparse.Namespace) -> None:
    done = run_cache_command(options)
    _say(done.wait() if isinstance(done, nbforecast.Run) else done)


def _models(_: argparse.Namespace) -> None:
    from nbforecast.forecasters.catalogue import Catalogue

    _say(Catalogue())


def _demo(options: argparse.Namespace) -> None:
    from nbforecast.data.samples import SAMPLES, path
    from nbforecast.report.runner import notebooks

    options.folder.mkdir(parents=True, exist_ok=True)
    for name in SAMPLES:
        target = options.folder / f"{name}.parquet"
        target.write_bytes(path(name).read_bytes())
        _say(f"{target}   try: nbforecast quickdraw {target} -i -24 -o {name}.svg")
    for notebook in notebooks():
        target = options.folder / notebook.name
        target.write_bytes(notebook.read_bytes())
        _say(target)
