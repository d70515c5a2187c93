"""From data to a report: executes a template with parameters and exports it as one page."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import textwrap
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nbforecast import errors
from nbforecast.atomic_write import atomic_write_text
from nbforecast.errors import MissingExtra, OptionError, ReportError
from nbforecast.report.parameters import parse_parameters
from nbforecast.report.section import ALARMS
from nbforecast.text import OPTION_STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nbformat import NotebookNode
    from papermill.exceptions import PapermillExecutionError

DEFAULT_TEMPLATE = "backtest_report"
EXPLORER_BYTES = 3_000_000  # of the interactive part of a page
_HERE = Path(__file__).parent
_TEMPLATES = (_HERE.parent / "notebooks", _HERE.parents[1] / "notebooks")  # of a wheel; of the sources


class Report(NamedTuple):
    """A report that was written.

    Attributes:
        page: The path of the page.
        alarms: Sentences for which a scheduled report fails.
    """

    page: Path
    alarms: tuple[str, ...]


def make_report(
    data: str,
    out: Path,
    parameters: Iterable[tuple[str, str]] = (),
    template: str = DEFAULT_TEMPLATE,
    notebook: Path | None = None,
) -> Report:
    """Execute a template on some data and write it as a self-contained page.

    Args:
        data: A file, or the name of a bundled sample.
        out: Path of the page.
        parameters: Names and values of the template's parameters, as text.
        template: Name of a template of nbforecast, or the path of a notebook with a cell tagged `parameters`, one of
            which is `data`.
        notebook: Path of the executed notebook; None does not write it.

    Returns:
        The path of the page, and the alarms that its sections raise.

    Raises:
        OptionError: A folder or the template is missing, or the template has no such parameter.
        MissingExtra: A library for reports is not installed.
        ReportError: A cell failed; the error names it and its cause.
    """
    for module in ("papermill", "nbconvert", "ipykernel"):
        if find_spec(module) is None:
            raise MissingExtra(f"A report needs the library {module}: pip install 'nbforecast[notebook]'.")
    for target in (out, *([notebook] if notebook else [])):
        if not target.parent.is_dir():
            raise OptionError(f"There is no folder {str(target.parent)!r} to write {target.name!r} in.")
    source = find_template(template)
    values = parse_parameters(source, [("data", data), *parameters])
    from nbforecast.report.page import to_page, without_pages

    with tempfile.TemporaryDirectory(prefix="nbforecast-") as folder:
        executed = execute(source, Path(folder) / source.name, values, failed=notebook)
    atomic_write_text(out, to_page(executed, out.stem))
    if notebook:
        _write(without_pages(executed), notebook)
    return Report(out, _alarms(executed))


def _alarms(notebook: NotebookNode) -> tuple[str, ...]:
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    return tuple(alarm for output in outputs for alarm in output.get("data", {}).get(ALARMS, []))


def find_template(name: str) -> Path:
    """Find the notebook of a path, or of a name among those of nbforecast.

    Raises:
        OptionError: There is none.
    """
    path = Path(name)
    if path.suffix == ".ipynb":
        if not path.is_file():
            raise OptionError(f"There is no template {name!r}.")
        return path
    bundled = {p.stem: p for p in notebooks()}
    if name not in bundled:
        raise OptionError(
            f"No template is called {name!r}; there are: {', '.join(sorted(bundled))}, or a path to an .ipynb."
        )
    return bundled[name]


def notebooks() -> list[Path]:
    """List the notebooks of nbforecast."""
    folder = next((f for f in _TEMPLATES if f.is_dir()), _TEMPLATES[0])
    return sorted(folder.glob("*.ipynb"))


def execute(template: Path, target: Path, parameters: dict[str, object], failed: Path | None = None) -> NotebookNode:
    """Execute a template, with the explorers' pages among its outputs; a terminal shows the progress.

    Args:
        template: A notebook.
        target: Path of the executed notebook.
        parameters: Names and values.
        failed: Path of the notebook up to a cell that fails; None does not write it.

    Returns:
        The executed notebook, without what differs from one execution to the next.

    Raises:
        ReportError: A cell failed.
    """
    from papermill import execute_notebook
    from papermill.exceptions import PapermillExecutionError

    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        # explorers write their page into the notebook, and messages name parameters
        environment = {"NBFORECAST_EXPLORER": str(EXPLORER_BYTES), OPTION_STYLE: "parameter"}
        with _environment(**environment), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            executed: NotebookNode = execute_notebook(
                str(template), str(target), parameters, progress_bar=sys.stderr.isatty(), cwd=str(Path.cwd()),
                request_save_on_cell_execute=False, extra_arguments=["--log-level=CRITICAL"],
            )  # fmt: skip
    except PapermillExecutionError as error:
        if failed is not None:
            _write(_read(target), failed)
        raise ReportError(_describe(template, error)) from None
    return _without_metadata(executed)


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Set variables for new kernels, unless they are set already."""
    added = [name for name in variables if not os.environ.get(name)]
    os.environ.update({name: variables[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _describe(template: Path, error: PapermillExecutionError) -> str:
    """The cell and its error: one sentence for errors that a user can correct, the traceback for others."""
    from nbconvert.filters import strip_ansi

    error_type = getattr(errors, error.ename, errors.ForecasterError)
    message = f"{error.ename}: {error.evalue}"
    if error_type is errors.ForecasterError:
        message = strip_ansi("\n".join(error.traceback)).strip()
    return f"A cell of {template.name} failed:\n\n{textwrap.indent(error.source.strip(), '    ')}\n\n{message}"


def _without_metadata(notebook: NotebookNode) -> NotebookNode:
    """The notebook without metadata of the execution, such as times and paths."""
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = "injected-parameters"
    return notebook


def _read(path: Path) -> NotebookNode:
    import nbformat

    return nbformat.read(path, 4)


def _write(notebook: NotebookNode, path: Path) -> None:
    import nbformat

    atomic_write_text(path, nbformat.writes(notebook) + "\n")
