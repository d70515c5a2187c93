"""Writes the reference from the code: Python, magics, the command line, settings, models and files."""

from __future__ import annotations

import argparse
import inspect
import os
import re
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

import nbforecast as nbf
from nbforecast import cli, errors
from nbforecast.forecasters.registry import registered_models
from nbforecast.jupyter.magics.magics import PARSERS, NbForecast
from nbforecast.options import DrawOptions, ForecastOptions
from nbforecast.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sphinx.application import Sphinx

FOLDER = "reference/generated"
# pages of the public face: title, introduction and objects; functions and classes by their paths
PYTHON = {
    "forecasts": (
        "Forecasts and data",
        "Functions that start from a table.",
        ["forecast", "quickdraw", "from_long", "sample", "models", "register"],
    ),
    "run": ("Run", "What `nbf.forecast` returns.", ["Run", "series_results.SeriesResults"]),
    "forecast": (
        "Forecast, Chart and distributions",
        "What `run.at` and `nbf.quickdraw` return, and the distributions of totals, peaks and events.",
        ["Forecast", "Chart", "joint.path_distribution.PathDistribution"],
    ),
    "groups": ("Groups of series", "What `run.aggregate` returns.", ["groups.forecasts.GroupForecasts"]),
    "live": ("Live data", "Data that grow.", ["watch", "Live", "Event"]),
    "explorer": ("Explorer", "The widget.", ["explore", "jupyter.widgets.explorer.widget.Explorer"]),
    "cache": ("Result cache", "`nbf.cache` is the one object of this class.", ["cache_manager.manager.ResultCache"]),
    "panels": ("Large panels", "Panels in shards.", ["forecast_dataset", "DatasetRun"]),
    "report": ("Reports", "`nbf.report` has the sections of a report.", []),
    "own_models": (
        "Protocol of models",
        "What a forecaster of your own implements.",
        [
            "forecasters.base.Forecaster",
            "forecasters.window_forecaster.WindowForecaster",
            "forecasters.covariate_use.CovariateUse",
        ],
    ),
    "errors": ("Errors", "Every error is an `NbForecastError`.", []),
}
# what other modules of the package use, and people do not
_INTERNAL = {
    "Live": "add_monitor listen step",
    "Run": "calibrated_bands column ease entry_slice forecast_at forecaster frame_part joint_forecasts odd_points prefer reasons revision spec "
    "start status take task with_data",
    "DatasetRun": "start",
    "Forecast": "fan",
    "Explorer": "close connect open send_messages set_state view",
    "WindowForecaster": "compile_ahead compiled compiled_steps covariates infer run seconds_to_compile window_length length_for",
    "CovariateUse": "columns facts",
}


def python_names() -> dict[str, list[str]]:
    """The objects of each page, every public name among them."""
    names = {page: list(objects) for page, (_, _, objects) in PYTHON.items()}
    names["errors"] = [name for name in nbf.__all__ if hasattr(errors, name)]
    names["report"] = [f"report.{name}" for name in nbf.report.__all__]
    listed = {name for page in names.values() for name in page} | {"cache"}
    names["forecasts"] += [name for name in nbf.__all__ if name not in listed]
    return names


def public_members(owner: type) -> list[str]:
    """The public methods and properties of a class of nbforecast, in alphabetical order."""
    members, internal = [], _INTERNAL.get(owner.__name__, "").split()
    for name in dir(owner):
        value = inspect.getattr_static(owner, name)
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        module = getattr(inspect.unwrap(function), "__module__", "") if callable(function) else ""
        if (
            not name.startswith("_")
            and name not in internal
            and module.startswith("nbforecast")
            and not inspect.isclass(value)
        ):
            members.append(name)
    return members


def _python_pages() -> dict[str, str]:
    pages = {}
    for page, names in python_names().items():
        title, text, _ = PYTHON[page]
        lines = [f"# {title}", "", text, "", "```{eval-rst}", ".. py:currentmodule:: nbforecast", ""]
        for name in names:
            found = find(name)
            if inspect.isclass(found):
                members = [] if issubclass(found, Exception) else public_members(found)
                lines += [f".. autoclass:: nbforecast.{name}"]
                lines += [f"   :members: {', '.join(members)}"] if members else []
            else:
                lines += [f".. autofunction:: nbforecast.{name}"]
            lines += [""]
        pages[f"python/{page}"] = "\n".join([*lines, "```", ""])
    return pages


def find(name: str) -> Any:
    """The object of a path below `nbforecast`."""
    *path, last = f"nbforecast.{name}".split(".")
    owner = __import__(".".join(path), fromlist=[last])
    return getattr(owner, last)


def _magics_page() -> str:
    parts = [
        "# Magics",
        "",
        "`%load_ext nbforecast` loads them. `?` after a magic shows its options, and Tab completes them. FRAME is a variable, an "
        "expression without spaces outside brackets, or a file. Values of options may use variables of the notebook.",
    ]
    for parser in PARSERS.values():
        parts += ["", *_describe_parser(parser, level=2)]
    parts += [
        "",
        "## Defaults",
        "",
        "`%config NbForecast.horizon = 24` sets a default of `%forecast` and `%quickdraw`.",
        "",
    ]
    traits = NbForecast.class_own_traits(config=True)
    rows = [(f"`NbForecast.{name}`", f"`{trait.default_value!r}`", trait.help) for name, trait in traits.items()]
    return "\n".join([*parts, *_table(("setting", "default", "meaning"), rows), ""])


def _command_line_page() -> str:
    parser = cli._parser()
    parts = [
        "# Command line",
        "",
        f"`{parser.prog} COMMAND --help` shows the options of a command. The exit status is 0, {cli.USER_ERROR} for an error that you "
        f"can correct, and {cli.INTERRUPTED} for an interrupt.",
    ]
    for name, command in _commands(parser).items():
        command.description = next(a.help for a in _choices(parser)._choices_actions if a.dest == name)
        parts += ["", *_describe_parser(command, level=2)]
    return "\n".join([*parts, ""])


def _choices(parser: argparse.ArgumentParser) -> Any:
    return next((a for a in parser._actions if isinstance(a, argparse._SubParsersAction)), None)


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    choices = _choices(parser)
    return {} if choices is None else dict(choices.choices)


def _describe_parser(parser: argparse.ArgumentParser, level: int) -> list[str]:
    description = (parser.description or "").strip()
    if description and not description.endswith("."):
        description = f"{description[0].upper()}{description[1:]}."
    lines = [f"{'#' * level} {parser.prog}", "", description]
    rows = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction | argparse._HelpAction):
            continue
        value = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
        value = " ".join(value) if isinstance(value, tuple) else value
        flags = ", ".join(f"`{flag}`" for flag in action.option_strings) or f"`{value}`"
        if action.option_strings and value and action.nargs != 0:
            flags += f" {value}"
        text = parser._get_formatter()._expand_help(action) if action.help else ""
        rows.append((flags, _sentence(text)))
    if rows:
        lines += ["", *_table(("option", "meaning"), rows)]
    for name, command in _commands(parser).items():
        command.description = next(a.help for a in _choices(parser)._choices_actions if a.dest == name)
        lines += ["", *_describe_parser(command, level + 1)]
    return lines


def _options_page() -> str:
    rows = []
    for option in [*fields(ForecastOptions), *fields(DrawOptions)]:
        described = option.metadata
        flags = ", ".join(f"`{flag}`" for flag in (*described["flags"], *described["also"]))
        text = described["argument"]["help"].replace("%(default)s", repr(option.default)).replace("%%", "%")
        rows.append((f"`{option.name}=`", flags, f"`{option.default!r}`", _sentence(text)))
    return "\n".join(
        [
            "# Options",
            "",
            "Each option has one name in Python and one in magics and on the command line. `index`, `series` and `style` belong to "
            "`quickdraw`, the others to every request. [`nbf.forecast`](python/forecasts.md) explains them at length.",
            "",
            *_table(("Python", "magics and shell", "default", "meaning"), rows),
            "",
        ]
    )


def _settings_page() -> str:
    attributes = inspect.getdoc(Settings).partition("Attributes:")[2]
    rows = []
    for description in re.findall(r"^ {4}\w+: (.*?)(?=^ {4}\w|\Z)", attributes, re.MULTILINE | re.DOTALL):
        text = " ".join(description.split())
        variables = sorted(set(re.findall(r"NBFORECAST_\w+(?:=\w+)?", text)))
        meaning = re.sub(r" ?\(`NBFORECAST_\w+(?:=\w+)?`\)", "", text)
        rows.append((", ".join(f"`{variable}`" for variable in variables), _sentence(meaning)))
    rows.append(
        (
            "`NBFORECAST_SKIP_JS=1`",
            "An installation from source leaves out the explorer and the panel, and needs no Node.js.",
        )
    )
    return "\n".join(
        [
            "# Settings",
            "",
            "Environment variables are read when they are needed first; set them before the kernel or the process starts. A name that "
            "begins with `NBFORECAST_` and is none of these is a warning. Sizes are numbers of bytes or texts such as `2GB` and `500MB`.",
            "",
            *_table(("variable", "meaning"), rows),
            "",
        ]
    )


def _models_page() -> str:
    parts = [
        "# Models",
        "",
        "A card for each model that has a name. [Models](../../explanation/models.md) explains how they work, and "
        "[performance](../../explanation/performance.md) compares them.",
    ]
    for model in registered_models():
        weights = f"{model.parameters:,}" if model.parameters else "none"
        where = (
            f"Hugging Face Hub, `{model.source}`"
            if model.source
            else ("in the package" if model.parameters else "none needed")
        )
        rows = [
            ("kind", model.kind),
            ("method", model.summary),
            ("learned weights", weights),
            ("where they are", where),
            ("longest context", f"{model.context:,} steps"),
            ("horizons", model.horizons),
            ("draws", model.draws),
            ("licence", model.licence),
        ]
        parts += ["", f"## {model.name}", "", *_table(("", ""), rows)]
    return "\n".join([*parts, ""])


def _files_page() -> str:
    with tempfile.TemporaryDirectory() as folder:
        run = nbf.forecast([float(k % 7) for k in range(60)], "naive", 3, wait=True)
        file = _save(run, folder)
        schema, metadata = pq.read_schema(file), pq.read_metadata(file)
    columns = inspect.getdoc(nbf.Run.frame.fget).partition("Columns:")[2]
    rows = [(f"`{field.name}`", f"`{field.type}`") for field in schema]
    keys = sorted(key.decode() for key in metadata.metadata if not key.startswith(b"ARROW"))
    return "\n".join(
        [
            "# Files",
            "",
            "An entry of the result cache is one Parquet file, `HANDLE-SPEC.parquet` in `nbf.cache.directory`. Polars, PyArrow and "
            "DuckDB read it as a plain table with one row per time step. This is the file of a run of `naive` with H = 3 steps and "
            "Q = 10 draws:",
            "",
            *_table(("column", "type"), rows),
            "",
            f"Columns: {' '.join(columns.split())}" if columns else "",
            "",
            "The footer has the metadata as JSON, under the keys "
            + ", ".join(f"`{key}`" for key in keys)
            + ": the handle, the model's "
            "key, the horizon and levels, the grid, the versions of the format and of the scores, and a digest of each column. "
            "A file of an older format is read and written anew in the present one. A file that is damaged or foreign is set "
            "aside, with a warning.",
            "",
            "Beside the files lie `compiled/` (compiled functions), a lock file, and `.removals.json`, the list of what was removed.",
            "",
        ]
    )


def _save(run: nbf.Run, folder: str) -> Path:
    nbf.cache.save(folder)
    (file,) = Path(folder).glob(f"{run.handle}-*.parquet")
    return file


def _sentence(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        "{.stacked}",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _write(app: Sphinx) -> None:
    pages = {
        **_python_pages(),
        "magics": _magics_page(),
        "command_line": _command_line_page(),
        "options": _options_page(),
        "settings": _settings_page(),
        "models": _models_page(),
        "files": _files_page(),
    }
    folder = Path(app.srcdir, FOLDER)
    for name, text in pages.items():
        target = folder / f"{name}.md"
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")


_COLON = "\ue000"  # stands for a colon that ends no type
# ids of the specification, for those who read the code
_RULES = re.compile(r" \([A-Z]\d+[a-c]?(?:, [A-Z]\d+[a-c]?)*\)")
# classes whose objects people get and do not make
_GIVEN = {
    "Run", "Forecast", "Chart", "PathDistribution", "GroupForecasts", "DatasetRun", "ResultCache", "Live", "Event",
    "Explorer", "SeriesResults",
}  # fmt: skip


def _hide_colons(_: Sphinx, what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Napoleon takes the words before a colon for a type where a property or a result is described."""
    is_result = False
    for number, line in enumerate(lines):
        if (what == "property" and number == 0) or is_result:
            lines[number] = line.replace(":", _COLON)
        is_result = line.strip() in ("Returns:", "Yields:") or (is_result and bool(line.strip()))


def _show_colons(_: Sphinx, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    lines[:] = [_RULES.sub("", line).replace(_COLON, ":") for line in lines]


def _hide_signature(
    _: Sphinx, what: str, name: str, _object: Any, _options: Any, signature: str, returns: str
) -> tuple[str, str]:
    return ("", "") if what == "class" and name.rpartition(".")[2] in _GIVEN else (signature, returns)


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before any is read."""
    os.environ.setdefault("COLUMNS", "100")
    app.connect("builder-inited", _write, priority=200)
    app.connect("autodoc-process-docstring", _hide_colons, priority=400)  # before Napoleon, and after it
    app.connect("autodoc-process-docstring", _show_colons, priority=600)
    app.connect("autodoc-process-signature", _hide_signature)
    return {"parallel_read_safe": True}
