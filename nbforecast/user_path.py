"""Paths as users write them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nbforecast.safe_text import brief_repr

if TYPE_CHECKING:
    import os

    from nbforecast.errors import NbForecastError


def user_path(path: str | os.PathLike[str], error: type[NbForecastError]) -> Path:
    """Return a path with the user's home folder for `~`.

    Args:
        path: The path.
        error: What is raised if it is no path.

    Raises:
        NbForecastError: If there is no such user, or if it is no path at all.
    """
    try:
        return Path(path).expanduser()
    except (RuntimeError, TypeError, ValueError) as reason:
        raise error(f"{brief_repr(path)} is no path: {reason}") from None


def path_exists(path: Path) -> bool:
    """Tell whether a file or folder exists; a path that the file system cannot have does not."""
    try:
        return path.exists()
    except OSError:  # too long
        return False
