"""The front end's scripts, as they are built from js/."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from nbforecast.errors import MissingExtra

_HERE = Path(__file__).parent / "static"


def need_widgets(what: str) -> None:
    """Raise `MissingExtra` where the libraries of widgets are not installed."""
    for module in ("anywidget", "ipywidgets"):
        if find_spec(module) is None:
            raise MissingExtra(f"{what} needs the library {module}: pip install 'nbforecast[notebook]'.")


@cache
def bundle(name: str) -> str:
    """One ES module with everything in it: "explorer" or "cache". Raises `MissingExtra` where it has not been built."""
    try:
        return (_HERE / f"{name}.js").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MissingExtra(
            f"This copy of nbforecast comes without the front end {name}.js: in the folder js/ of its sources, "
            "'npm ci' and 'npm run build' make it."
        ) from error
