"""The command line: `nbforecast forecast|quickdraw|report|watch|cache|models|warm|doctor|demo`."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import nbforecast
from nbforecast.arguments import (
    add_alarm_options,
    add_cache_commands,
    add_draw_options,
    add_forecast_options,
    add_latest_options,
    add_report_options,
    add_shard_options,
    add_watch_options,
    draw_keywords,
    forecast_keywords,
    report_parameters,
    run_cache_command,
    shard_keywords,
)
from nbforecast.checks import check_horizon
from nbforecast.device import has_compiled
from nbforecast.distributed.destination import FAILURES_FILE
from nbforecast.errors import NbForecastError, OptionError
from nbforecast.forecast_tables import describe_latest, parse_levels, save_table
from nbforecast.safe_text import escape_controls
from nbforecast.table_files import table_path
from nbforecast.text import PREPARING, options_as_flags

USER_ERROR, ALARM, INTERRUPTED = 2, 3, 130  # exit statuses
_MAX_FAILURES = 10  # listed on the terminal


def main(arguments: list[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: The words of the command line; None reads `sys.argv`.

    Returns:
        The exit status: 0, 2 for an error that the user can correct, 3 for a surprise (`--fail-on-surprise`), 130 for
        an interrupt.
    """
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # the encoding of a file on Windows may lack some characters
            stream.reconfigure(errors="replace")
    try:
        with options_as_flags():
            status = options.run(options)
    except (NbForecastError, OSError) as error:
        sys.stderr.write(_on_terminal(f"nbforecast: {error}"))
        return USER_ERROR
    except KeyboardInterrupt:
        sys.stderr.write("nbforecast: interrupted; finished results are saved, and the same command continues them\n")
        return INTERRUPTED
    return int(status or 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nbforecast", description="Forecasts from every origin of a time series.")
    parser.add_argument("--version", action="version", version=f"nbforecast {nbforecast.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    forecast = commands.add_parser("forecast", help="forecast from every origin, write the table of forecasts")
    add_forecast_options(forecast)
    add_shard_options(forecast)
    add_latest_options(forecast)
    forecast.add_argument(
        "-o", "--out", metavar="FILE", help="the .parquet, .csv, .arrow or .xlsx file to write; a folder with --engine"
    )
    forecast.set_defaults(run=_forecast)

    quickdraw = commands.add_parser("quickdraw", help="draw the forecast as of one origin")
    add_forecast_options(quickdraw)
    add_draw_options(quickdraw)
    quickdraw.add_argument("-o", "--out", metavar="FILE", help="a .svg, .png or .pdf file to write")
    quickdraw.set_defaults(run=_quickdraw)

    report = commands.add_parser("report", help="backtest a model and write a report as one page")
    report.add_argument("data", metavar="DATA", help="a CSV or Parquet file, or a glucose sensor's export")
    report.add_argument("-o", "--out", required=True, metavar="FILE", help="the .html file to write")
    report.add_argument("--notebook", metavar="FILE", help="write the executed notebook to this .ipynb file")
    parameter = "another parameter of the template, such as compare or title; may be repeated"
    report.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help=parameter)
    add_report_options(report)
    template = "a template's name, or a notebook with a cell tagged parameters (default: %(default)s)"
    report.add_argument("--template", default="backtest_report", metavar="T", help=template)
    add_alarm_options(report)
    report.set_defaults(run=_report)

    watch = commands.add_parser("watch", help="forecast data that grow, and run a command at events")
    add_forecast_options(watch, "SOURCE", "a CSV or Parquet file, a folder of them, or a query (SELECT ...)")
    add_watch_options(watch)
    watch.set_defaults(run=_watch)

    cache = commands.add_parser("cache", help="manage the results on disk")
    add_cache_commands(cache)
    cache.set_defaults(run=_cache)

    commands.add_parser("models", help="list the models").set_defaults(run=_models)
    doctor = commands.add_parser("doctor", help="show versions, device, cache and front end, and what is missing")
    doctor.set_defaults(run=_doctor)

    warm = commands.add_parser("warm", help="compile a model's functions before anybody waits for them")
    warm.add_argument("-m", "--model", metavar="NAME", help="the model (default: pretrained)")
    warm.add_argument("-H", "--horizon", type=int, default=12, metavar="N", help="steps to forecast (default: 12)")
    shared = "a folder for all users of this machine, who set NBFORECAST_COMPILED to it"
    warm.add_argument("--to", type=Path, metavar="FOLDER", help=shared)
    warm.set_defaults(run=_warm)

    demo = commands.add_parser("demo", help="copy the bundled samples and notebooks into a folder")
    demo.add_argument("folder", type=Path, nargs="?", default=Path("nbforecast-demo"))
    demo.set_defaults(run=_demo)
    return parser


def _on_terminal(text: str) -> str:
    """Return lines that a terminal shows as they are, whatever names they hold."""
    return escape_controls(text, keep_lines=True) + "\n"


def _print(text: object) -> None:
    sys.stdout.write(_on_terminal(str(text)))


def _forecast(options: argparse.Namespace) -> None:
    if options.engine:
        return _forecast_dataset(options)
    if not (options.out or options.latest):
        raise OptionError("-o names the file to write; without it, --latest shows the newest forecasts.")
    out = table_path(options.out) if options.out else None
    levels = parse_levels(options.levels)
    _announce_preparation()
    run = nbforecast.forecast(options.frame, name=Path(options.frame).stem, wait=True, **forecast_keywords(options))
    for warning in run.warnings:
        sys.stderr.write(_on_terminal(str(warning)))
    if out is None:
        _print(describe_latest(run, levels))
    else:
        _print(f"{out}: {save_table(run, out, levels, latest=options.latest):,} rows, {run!r}")
    return None


def _forecast_dataset(options: argparse.Namespace) -> None:
    if options.latest or not options.out:
        raise OptionError("--engine takes a folder with -o, and no --latest: every origin of a shard is forecast.")
    run = nbforecast.forecast_dataset(options.frame, options.out, wait=True, **shard_keywords(options))
    failures = run.failures.select("unique_id", "kind", "message")
    for name, kind, message in failures.head(_MAX_FAILURES).iter_rows():
        sys.stderr.write(_on_terminal(f"{name} ({kind}): {message}"))
    if len(failures) > _MAX_FAILURES:
        sys.stderr.write(f"... {len(failures):,} in all, in {run.folder / FAILURES_FILE}\n")
    _print(run)


def _announce_preparation() -> None:
    """Tell on a terminal what takes some seconds where nothing has been compiled yet."""
    if sys.stderr is not None and sys.stderr.isatty() and not has_compiled():
        sys.stderr.write(f"{PREPARING}\n")


def _quickdraw(options: argparse.Namespace) -> None:
    _announce_preparation()
    chart = nbforecast.quickdraw(options.frame, name=Path(options.frame).stem, **draw_keywords(options))
    _print(chart)
    if options.out:
        _print(chart.save(options.out))


def _report(options: argparse.Namespace) -> int:
    from nbforecast.report.runner import make_report

    out = _path_with_suffix(options.out, ".html")
    notebook = _path_with_suffix(options.notebook, ".ipynb") if options.notebook else None
    parameters = [*options.p, *report_parameters(options).items()]
    page, alarms = make_report(options.data, out, parameters, options.template, notebook)
    _print(f"{page}: {page.stat().st_size / 1e6:.1f} MB")
    if notebook:
        _print(notebook)
    for alarm in alarms:
        sys.stderr.write(_on_terminal(f"surprise: {alarm}"))
    return ALARM if alarms else 0


def _watch(options: argparse.Namespace) -> None:
    from nbforecast.live.command import watch_in_terminal

    _announce_preparation()
    watch_in_terminal(options.frame, forecast_keywords(options), options, sys.stdout)


def _path_with_suffix(path: str, suffix: str) -> Path:
    if Path(path).suffix != suffix:
        raise OptionError(f"That takes a {suffix} file, not {path!r}.")
    return Path(path)


def _cache(options: argparse.Namespace) -> None:
    result = run_cache_command(options)
    _print(result.wait() if isinstance(result, nbforecast.Run) else result)


def _doctor(_: argparse.Namespace) -> None:
    from nbforecast.doctor import describe, diagnose

    _print(describe(diagnose()))


def _models(_: argparse.Namespace) -> None:
    from nbforecast.forecasters.catalogue import Catalogue

    _print(Catalogue())


def _warm(options: argparse.Namespace) -> None:
    from nbforecast.engine.warm import warm

    _print(f"compiled functions: {warm(options.model, check_horizon(options.horizon), options.to)}")


def _demo(options: argparse.Namespace) -> None:
    from nbforecast.data.samples import SALES, SAMPLES, sample_path
    from nbforecast.report.runner import notebooks

    options.folder.mkdir(parents=True, exist_ok=True)
    for name in SAMPLES:
        target = options.folder / f"{name}.parquet"
        target.write_bytes(sample_path(name).read_bytes())
        _print(f"{target}   try: nbforecast quickdraw {target} -i -24 -o {name}.svg")
    target = options.folder / SALES.name
    target.write_bytes(SALES.read_bytes())
    _print(f"{target}   try: nbforecast forecast {target} --id shop --target sold -H 28d --latest")
    for notebook in notebooks():
        target = options.folder / notebook.name
        target.write_bytes(notebook.read_bytes())
        _print(target)
