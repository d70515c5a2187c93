"""The front end's scripts, which are built from js/."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from nbforecast.errors import MissingExtra

_FOLDER = Path(__file__).parent / "static"


def need_widgets(feature: str) -> None:
    """Checks that the libraries of widgets are installed.

    Args:
        feature: What needs them, as the first words of a sentence.

    Raises:
        MissingExtra: If one is not installed.
    """
    for module in ("anywidget", "ipywidgets"):
        if find_spec(module) is None:
            raise MissingExtra(f"{feature} needs the library {module}: pip install 'nbforecast[notebook]'.")


def has_bundle(name: str) -> bool:
    """Returns whether the script of a widget has been built.

    Args:
        name: "explorer" or "cache".
    """
    return (_FOLDER / f"{name}.js").is_file()


@cache
def bundle(name: str) -> str:
    """Returns the script of a widget: one ES module with everything in it.

    Args:
        name: "explorer" or "cache".

    Raises:
        MissingExtra: If it has not been built.
    """
    try:
        return (_FOLDER / f"{name}.js").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MissingExtra(
            f"This copy of nbforecast comes without the front end {name}.js: in the folder js/ of its sources, "
            "'npm ci' and 'npm run build' make it."
        ) from error
