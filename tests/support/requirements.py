"""What a test may need that a machine may lack: the only reasons for which a test is skipped."""

from __future__ import annotations

import importlib
import os
import shutil
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn

import pytest
from _pytest.outcomes import Skipped

SHARED = Path(__file__).parents[3] / "shared"


class Requirement(Enum):
    """Something that a test needs."""

    SHARED_FILE = "a file of ../shared, which may not be published"
    CHROMIUM = "a Chromium browser"
    NODE_TOOLS = "Node.js and the tools of js/package.json, which `npm --prefix js ci` installs"
    LIBRARY = "a library that nbforecast adapts to and does not depend on"
    PACKAGE_INDEX = "an index to install a package from"
    FORK = "a system that forks processes"
    NO_GPU = "a machine without a GPU"
    SUBSHELLS = "a kernel with subshells (ipykernel 7)"


class Missing(Skipped):
    """Skips a test for want of a requirement."""

    def __init__(self, requirement: Requirement, detail: str) -> None:
        super().__init__(f"needs {requirement.value}: {detail}")
        self.requirement = requirement


def is_expected(error: BaseException) -> bool:
    """Whether a test may be skipped for an exception.

    Where `CI` is set, the browser and the tools must be there, and the shared files where their folder is.
    """
    if not isinstance(error, Missing):
        return False
    required = {Requirement.CHROMIUM, Requirement.NODE_TOOLS, *([Requirement.SHARED_FILE] if SHARED.exists() else [])}
    return not (os.environ.get("CI") and error.requirement in required)


def skip_without(requirement: Requirement, detail: str) -> NoReturn:
    raise Missing(requirement, detail)


def requires(requirement: Requirement) -> pytest.MarkDecorator:
    """Marks tests that `check_requirements` skips where a requirement is missing."""
    return pytest.mark.requires(requirement)


def check_requirements(item: pytest.Item) -> None:
    """Skips a test whose marks name what is missing."""
    for mark in item.iter_markers("requires"):
        (requirement,) = mark.args
        if requirement is Requirement.CHROMIUM and chromium() is None:
            skip_without(requirement, "none is on the path, nor does CHROMIUM name one")
        if requirement is Requirement.FORK and not hasattr(os, "fork"):
            skip_without(requirement, os.name)


def chromium() -> str | None:
    """The browser's executable."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


def shared(name: str) -> Path:
    """The path of a shared data file; skips the test where it is missing."""
    return _shared("data", name)


def shared_model(name: str) -> Path:
    """The path of a shared file of reference numbers or weights; skips the test where it is missing."""
    return _shared("models", name)


def _shared(folder: str, name: str) -> Path:
    path = SHARED / folder / name
    if not path.exists():
        skip_without(Requirement.SHARED_FILE, f"{folder}/{name}")
    return path


def library(name: str) -> Any:
    """An imported library; skips the test where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        skip_without(Requirement.LIBRARY, f"{name} ({error})")
