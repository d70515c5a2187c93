"""Files that appear complete under their name, or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PART_SUFFIX = ".part"  # of files that are being written


@contextlib.contextmanager
def atomic_write(target: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Write a file beside its target, and rename it when the block ends without an exception.

    Readers see the old file or the new one, whole, also after a crash or a power failure: the data and the rename are
    flushed to disk. After an exception the target is unchanged and the unfinished file is deleted.

    Args:
        target: The path that the file replaces.
        mode: Permission bits, less those of the process's umask.

    Yields:
        The file, open for writing bytes.

    Example:
        >>> with atomic_write(folder / "result.json") as file:
        ...     file.write(b"{}")
    """
    part = target.with_name(f".{target.stem}.{secrets.token_hex(8)}{PART_SUFFIX}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    _flush_directory(target.parent)


def atomic_write_text(target: Path, text: str) -> None:
    """Write a text in UTF-8 to a file, or to the file that a symbolic link names."""
    with atomic_write(target.resolve()) as file:
        file.write(text.encode())


def _flush_directory(directory: Path) -> None:
    """Flush a rename to disk, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
