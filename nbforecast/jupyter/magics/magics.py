"""The magics `%forecast`, `%quickdraw`, `%forecast_cache` and `%forecast_models`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from IPython.core.magic import Magics, line_magic, magics_class, needs_local_scope, no_var_expand
from traitlets import Bool, Int, Unicode, Union
from traitlets.config import Configurable

from nbforecast.arguments import (
    add_cache_commands,
    add_draw_options,
    add_forecast_options,
    add_latest_options,
    draw_keywords,
    forecast_keywords,
    run_cache_command,
)
from nbforecast.checks import MAX_HORIZON
from nbforecast.jupyter.magics.line_parser import LineParser, resolve
from nbforecast.text import options_as_flags

if TYPE_CHECKING:
    import argparse

    from IPython.core.interactiveshell import InteractiveShell

    from nbforecast.forecast_chart import Chart
    from nbforecast.forecasters.catalogue import Catalogue
    from nbforecast.run import Run


class NbForecast(Configurable):
    """Defaults of `%forecast` and `%quickdraw`, set with `%config` or in `ipython_config.py`.

    Example:
        >>> %config NbForecast.horizon = 24
    """

    model = Unicode(None, allow_none=True, help="the default model; None is nbforecast's own").tag(config=True)
    horizon = Union(
        [Int(12, min=1, max=MAX_HORIZON), Unicode()], help="the default number of steps ahead, or a span such as 1h"
    ).tag(config=True)
    calibrate = Bool(False, help="whether to calibrate bands with the series' past errors").tag(config=True)


def _forecast_parser() -> LineParser:
    parser = LineParser("%forecast", "Forecast from every origin of FRAME, in the background.")
    add_forecast_options(parser)
    add_latest_options(parser)
    parser.add_argument("--wait", action="store_true", help="return when everything is done")
    parser.add_argument(
        "-o", "--out", metavar="NAME", help="store the run in this variable, or write it to this .csv, .xlsx ... file"
    )
    return parser


def _quickdraw_parser() -> LineParser:
    parser = LineParser("%quickdraw", "Draw the forecast as of one origin of FRAME at once.")
    add_forecast_options(parser)
    add_draw_options(parser)
    parser.add_argument("-o", "--out", metavar="NAME", help="store the chart in this variable")
    return parser


def _models_parser() -> LineParser:
    return LineParser("%forecast_models", "List the models, their size, licence, weights and the device.")


def _cache_parser() -> LineParser:
    parser = LineParser("%forecast_cache", "Manage the results in memory and on disk.")
    add_cache_commands(parser)
    return parser


PARSERS = {
    "forecast": _forecast_parser(),
    "quickdraw": _quickdraw_parser(),
    "forecast_cache": _cache_parser(),
    "forecast_models": _models_parser(),
}


@magics_class
class ForecastMagics(Magics):
    """The magics of nbforecast; `?` after a magic shows its options."""

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell, defaults: NbForecast) -> None:
        super().__init__(shell)
        self._defaults = defaults

    @line_magic
    @no_var_expand
    @needs_local_scope
    def forecast(self, line: str, local_ns: dict[str, Any] | None = None) -> Run:
        """Forecast from every origin, and show the progress."""
        from nbforecast.api import forecast
        from nbforecast.forecast_tables import parse_levels, save_table
        from nbforecast.jupyter.display.show import show
        from nbforecast.table_files import is_table_path, table_path

        options = self._parse("forecast", line, local_ns)
        if options.out is not None and is_table_path(options.out):
            table_path(options.out)  # before anything is inferred
        frame, name = self._resolve(options.frame, local_ns)
        with options_as_flags():
            run = forecast(frame, name=name, **forecast_keywords(options))
        is_file = options.out is not None and is_table_path(options.out)
        if not is_file:
            self._store(options.out, run)
        show(run, self.shell, wait=options.wait or is_file)
        if is_file:
            with options_as_flags():
                save_table(run, options.out, parse_levels(options.levels), latest=options.latest)
        return run

    @line_magic
    @no_var_expand
    @needs_local_scope
    def quickdraw(self, line: str, local_ns: dict[str, Any] | None = None) -> Chart:
        """Draw the forecast from one origin."""
        from nbforecast.api import quickdraw
        from nbforecast.jupyter.display.show import announce_preparation

        options = self._parse("quickdraw", line, local_ns)
        frame, name = self._resolve(options.frame, local_ns)
        with options_as_flags(), announce_preparation(self.shell):
            chart = quickdraw(frame, name=name, **draw_keywords(options))
        self._store(options.out, chart)
        return chart

    @line_magic
    @no_var_expand
    def forecast_cache(self, line: str) -> object:
        """List, delete, save or recompute stored results."""
        options = PARSERS["forecast_cache"].parse_line(line)
        result = run_cache_command(options)
        if options.action == "recompute":
            from nbforecast.jupyter.display.show import show

            show(cast("Run", result), self.shell)
        return result

    @line_magic
    @no_var_expand
    def forecast_models(self, line: str) -> Catalogue:
        """List the models."""
        from nbforecast.forecasters.catalogue import Catalogue

        PARSERS["forecast_models"].parse_line(line)
        return Catalogue()

    def _parse(self, magic: str, line: str, local_ns: dict[str, Any] | None) -> argparse.Namespace:
        options = PARSERS[magic].parse_line(line, self._defaults.trait_values(config=True), self._variables(local_ns))
        if options.issued_covariates is not None:  # another table
            options.issued_covariates, _ = self._resolve(options.issued_covariates, local_ns)
        return options

    def _resolve(self, word: str, local_ns: dict[str, Any] | None) -> tuple[Any, str]:
        return resolve(word, self._variables(local_ns))

    def _variables(self, local_ns: dict[str, Any] | None) -> dict[str, Any]:
        return {**self.shell.user_ns, **(local_ns or {})}

    def _store(self, name: str | None, value: object) -> None:
        if name:
            self.shell.push({name: value})


for _name, _parser in PARSERS.items():
    getattr(ForecastMagics, _name).__doc__ = _parser.format_all()
