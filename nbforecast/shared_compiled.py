"""Compiled functions that an administrator has made for all users of a machine: `nbforecast warm --to FOLDER`."""

from __future__ import annotations

import hashlib
import logging
import platform
import shutil
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from nbforecast.private_directory import find_other_writers
from nbforecast.settings import settings

_log = logging.getLogger("nbforecast.device")
_CPU = Path("/proc/cpuinfo")


@cache
def copy_shared(directory: Path) -> None:
    """Copy what the administrator's folder (`NBFORECAST_COMPILED`) has for this machine into the user's own.

    The folder is used only if nobody but its owner and root can write to it, since its files are executed.

    Args:
        directory: The user's directory of compiled functions.
    """
    shared = settings().compiled
    if shared is None:
        return
    folder = shared / machine_name()
    try:
        if not folder.is_dir():
            return
        reason = find_other_writers(folder.resolve())
        if reason is not None:
            _log.warning("The compiled functions in %s are not used: %s.", folder, reason)
            return
        copy_missing(folder, directory)
    except OSError as error:
        _log.warning("The compiled functions in %s are not used: %s.", folder, error)


def copy_missing(source: Path, target: Path) -> int:
    """Copy the files of a folder that another one lacks.

    Args:
        source: A folder of compiled functions.
        target: Another one.

    Returns:
        How many were copied.
    """
    missing = [path for path in source.iterdir() if path.is_file() and not (target / path.name).exists()]
    for path in missing:
        part = target / f".{path.name}.part"
        shutil.copyfile(path, part)
        part.replace(target / path.name)
    return len(missing)


@cache
def machine_name() -> str:
    """What compiled functions depend on: the versions of the package and of JAX, and the processor."""
    try:
        lines = _CPU.read_text(encoding="utf-8").splitlines()
        facts = sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))})
    except OSError:
        facts = [platform.machine(), platform.processor()]
    return f"{_version('nbforecast')}-jax{_version('jax')}-{hashlib.sha256(repr(facts).encode()).hexdigest()[:12]}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # it runs from its sources
        return "0"
