"""From data to a report: a template is executed with parameters and exported as one page."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from nbforecast import errors
from nbforecast.atomic_write import atomic_write_text
from nbforecast.errors import MissingExtra, OptionError, ReportError
from nbforecast.report.parameters import chosen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nbformat import NotebookNode
    from papermill.exceptions import PapermillExecutionError

DEFAULT = "backtest_report"
EXPLORER = 3_000_000  # bytes of the interactive part of a page
_HERE = Path(__file__).parent
_TEMPLATES = (_HERE.parent / "notebooks", _HERE.parents[1] / "notebooks")  # of a wheel; of the sources


def make_report(
    data: str,
    out: Path,
    parameters: Iterable[tuple[str, str]] = (),
    template: str = DEFAULT,
    notebook: Path | None = None,
) -> Path:
    """Execute a template on some data and write it as a page that works by itself; returns the page's path.

    data: a file. parameters: names and values of the template's parameters, as text. template: the name of one that
    comes with nbforecast, or a notebook of one's own with a cell tagged `parameters`, one of them `data`. notebook:
    where the executed notebook is kept, if it is to be.

    Raises `OptionError` for parameters that the template does not have, `ReportError` with the cell that failed.
    """
    for module in ("papermill", "nbconvert", "ipykernel"):
        if find_spec(module) is None:
            raise MissingExtra(f"A report needs the library {module}: pip install 'nbforecast[notebook]'.")
    for target in (out, *([notebook] if notebook else [])):
        if not target.parent.is_dir():
            raise OptionError(f"There is no folder {str(target.parent)!r} to write {target.name!r} in.")
    source = find_template(template)
    values = chosen(source, [("data", data), *parameters])
    from nbforecast.report.page import as_page, without_pages

    with tempfile.TemporaryDirectory(prefix="nbforecast-") as folder:
        executed = execute(source, Path(folder) / source.name, values, kept=notebook)
    atomic_write_text(out, as_page(executed, out.stem))
    if notebook:
        _write(without_pages(executed), notebook)
    return out


def find_template(name: str) -> Path:
    """The notebook of that path, or the one of that name that comes with nbforecast."""
    given = Path(name)
    if given.suffix == ".ipynb":
        if not given.is_file():
            raise OptionError(f"There is no template {name!r}.")
        return given
    there = {p.stem: p for p in notebooks()}
    if name not in there:
        raise OptionError(
            f"No template is called {name!r}; there are: {', '.join(sorted(there))}, or a path to an .ipynb."
        )
    return there[name]


def notebooks() -> list[Path]:
    """The notebooks that come with nbforecast."""
    folder = next((f for f in _TEMPLATES if f.is_dir()), _TEMPLATES[0])
    return sorted(folder.glob("*.ipynb"))


def execute(template: Path, target: Path, parameters: dict[str, object], kept: Path | None = None) -> NotebookNode:
    """The executed template, with the explorers' pages in it; progress is shown on a terminal.

    Of one that fails, what there is goes to `kept`. Raises `ReportError`.
    """
    from papermill import execute_notebook
    from papermill.exceptions import PapermillExecutionError

    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        with _explorers(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made: NotebookNode = execute_notebook(
                str(template), str(target), parameters, progress_bar=sys.stderr.isatty(), cwd=str(Path.cwd()),
                request_save_on_cell_execute=False, extra_arguments=["--log-level=CRITICAL"],
            )  # fmt: skip
    except PapermillExecutionError as error:
        if kept is not None:
            _write(_read(target), kept)
        raise ReportError(_told(template, error)) from None
    return _plain(made)


@contextmanager
def _explorers() -> Iterator[None]:
    """Have explorers of kernels that are started leave their page in the notebook."""
    before = os.environ.get("NBFORECAST_EXPLORER")
    os.environ["NBFORECAST_EXPLORER"] = before or str(EXPLORER)
    try:
        yield
    finally:
        if before is None:
            del os.environ["NBFORECAST_EXPLORER"]


def _told(template: Path, error: PapermillExecutionError) -> str:
    """The cell and what it raised; of what a person can mend the sentence, of the rest where it came from."""
    from nbconvert.filters import strip_ansi

    ours = getattr(errors, error.ename, errors.ForecasterError)
    plain = f"{error.ename}: {error.evalue}"
    raised = plain if ours is not errors.ForecasterError else strip_ansi("\n".join(error.traceback)).strip()
    return f"A cell of {template.name} failed:\n\n{_indented(error.source)}\n\n{raised}"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines())


def _plain(notebook: NotebookNode) -> NotebookNode:
    """Without what differs from one execution to the next, or says where it was."""
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
