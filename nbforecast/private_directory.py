"""Directories that nobody but the user and root can write to, for files that are executed."""

from __future__ import annotations

import logging
import os
import stat
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_log = logging.getLogger("nbforecast.device")


def make_private_directory(candidates: Iterable[Path]) -> Path | None:
    """Return the first directory that nobody but the user and root can write to.

    Args:
        candidates: Directories, the preferred one first; they are made where they do not exist.

    Returns:
        The directory without symbolic links in its path; None if there is none. A warning says why one is refused.
    """
    for directory in candidates:
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            resolved = directory.resolve()
            reason = find_other_writers(resolved)
            if reason is None and not os.access(resolved, os.W_OK | os.X_OK):
                reason = "it cannot be written to"
        except OSError as error:
            reason = str(error)
        if reason is None:
            return resolved
        _log.warning("Compiled functions are not kept in %s: %s.", directory, reason)
    return None


def find_other_writers(directory: Path) -> str | None:
    """Say why somebody beside the user and root could change what a directory holds; None if nobody could.

    Whoever can write to a directory above it can put another one in its place, so those are looked at too.

    Args:
        directory: A directory without symbolic links in its path.
    """
    if sys.platform == "win32":
        return None if directory.is_relative_to(directory.home()) else "it is not below the user's own folder"
    for folder in (directory, *directory.parents):
        facts = folder.stat()
        if facts.st_uid not in (0, os.getuid()):
            return f"{folder} belongs to another user"
        if folder != directory and facts.st_mode & stat.S_ISVTX:
            continue  # in such a folder nobody can replace what belongs to others
        if facts.st_mode & stat.S_IWOTH:
            return f"everybody can write to {folder}"
        if facts.st_mode & stat.S_IWGRP and not _is_own_group(facts.st_gid):
            return f"a group can write to {folder}"
    return None


def _is_own_group(number: int) -> bool:
    """Tell whether a group is root's, or the one that the system has made for the user alone."""
    if number == 0:
        return True
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(os.getuid()), grp.getgrgid(number)
    except KeyError:
        return False
    return number == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
