"""Where live rows come from: a file or a folder that grows, a function, or a query."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from nbforecast.data.files import is_data_file, is_text_file, read_file
from nbforecast.data.source import Source, open_source
from nbforecast.errors import InputError, MissingExtra, OptionError, SourceError
from nbforecast.live.merge import MergedRows
from nbforecast.live.text_file import GrowingText
from nbforecast.safe_text import brief_repr
from nbforecast.user_path import user_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbforecast.options import ForecastOptions

_QUERY = re.compile(r"\s*(select|from|with|describe|values|pivot|unpivot|table)\s", re.IGNORECASE)
_SETTLED = 0.1  # seconds after which a file's time of change would show another change

_Signature = tuple[int, int, int]


class LiveSource(Protocol):
    """Where rows come from.

    Attributes:
        name: What messages call it.
        identity: The same text for the same source in every process.
        folders: Folders in which changes announce new rows; none where the source is polled.
    """

    @property
    def name(self) -> str:
        """What messages call it."""
        ...

    @property
    def identity(self) -> str:
        """The same text for the same source in every process."""
        ...

    @property
    def folders(self) -> tuple[Path, ...]:
        """Folders in which changes announce new rows."""
        ...

    def read(self) -> Source | None:
        """Read all rows that there are now.

        Returns:
            The rows, or None if nothing has changed since the last call that returned.

        Raises:
            SourceError: The source cannot be read at present.
            InputError: What it holds cannot be read as a table.
        """
        ...


def open_live_source(source: Any, options: ForecastOptions) -> LiveSource:
    """Tell what kind of source somebody gives.

    Args:
        source: The path of a file or folder, a query that begins with SELECT, FROM or WITH, or a function without
            arguments.
        options: Name columns, and say how text is read.

    Raises:
        OptionError: It is none of these.
        MissingExtra: It is a query, and the library duckdb is not installed.
    """
    if isinstance(source, str) and _QUERY.match(source):
        return QuerySource(source, options)
    if isinstance(source, (str, os.PathLike)):
        path = user_path(source, InputError)
        return FolderSource(path, options) if path.is_dir() else FileSource(path, options)
    if callable(source):
        return FunctionSource(source, options)
    raise OptionError(
        f"nbforecast.watch takes a file, a folder, a query that begins with SELECT, FROM or WITH, or a function that "
        f"returns a frame, not {brief_repr(source)}. A frame does not grow: use nbforecast.forecast."
    )


class FileSource:
    """A file that grows, or that is replaced by a longer one."""

    def __init__(self, path: Path, options: ForecastOptions) -> None:
        self.name = str(path)
        self.identity = f"file {path.resolve()}"
        self.folders = (path.parent,)
        self._file = _File(path, options)

    def read(self) -> Source | None:
        """See `LiveSource.read`."""
        with _reading(self.name):
            return self._file.read()


class FolderSource:
    """A folder that receives files, or whose files grow; a later file, by its name, corrects earlier ones."""

    def __init__(self, path: Path, options: ForecastOptions) -> None:
        self.name = str(path)
        self.identity = f"folder {path.resolve()}"
        self.folders = (path,)
        self._path = path
        self._options = options
        self._files: dict[Path, tuple[_File, Source]] = {}

    def read(self) -> Source | None:
        """See `LiveSource.read`."""
        with _reading(self.name):
            paths = sorted(path for path in self._path.iterdir() if is_data_file(path) and path.is_file())
            if not paths:
                raise SourceError(f"The folder {self.name!r} holds no CSV or Parquet file yet.")
            has_changed = self._files.keys() != set(paths)
            files: dict[Path, tuple[_File, Source]] = {}
            for path in paths:
                file, before = self._files.get(path) or (_File(path, self._options), None)
                source = file.read()
                has_changed = has_changed or source is not None
                source = source or before
                if source is not None:
                    files[path] = (file, source)
            merged = MergedRows(self._options)
            if has_changed:
                for _, source in files.values():
                    merged.add(source)
            self._files = files
            return merged.source()


class FunctionSource:
    """A function that returns a frame, of all rows or of new ones."""

    folders: tuple[Path, ...] = ()

    def __init__(self, function: Callable[[], Any], options: ForecastOptions) -> None:
        self.name = f"{getattr(function, '__name__', type(function).__name__)}()"
        self.identity = f"function {getattr(function, '__module__', '')}.{getattr(function, '__qualname__', self.name)}"
        self._function = function
        self._options = options
        self._merged = MergedRows(options)

    def read(self) -> Source | None:
        """See `LiveSource.read`."""
        try:
            frame = self._function()
        except Exception as error:
            raise SourceError(f"{self.name} failed: {type(error).__name__}: {error}") from error
        if frame is None or (hasattr(frame, "__len__") and not len(frame)):
            return None
        options = self._options
        has_changed = self._merged.add(open_source(frame, options.time, options.target, options.id, options.date_order))
        return self._merged.source() if has_changed else None


class QuerySource:
    """A query of DuckDB, over files or databases that it names."""

    folders: tuple[Path, ...] = ()

    def __init__(self, query: str, options: ForecastOptions) -> None:
        try:
            import duckdb
        except ImportError as error:
            raise MissingExtra(
                "A query needs the library duckdb: pip install duckdb. Without it give a file, a folder or a function."
            ) from error
        self.name = "the query"
        self.identity = f"query {Path.cwd()} {hashlib.sha256(query.encode()).hexdigest()}"
        self._query = query
        self._duckdb = duckdb
        self._options = options
        self._merged = MergedRows(options)

    def read(self) -> Source | None:
        """See `LiveSource.read`."""
        try:
            with self._duckdb.connect() as connection:
                frame = connection.sql(self._query).pl()
        except self._duckdb.Error as error:
            raise SourceError(f"DuckDB cannot answer the query: {error}") from error
        options = self._options
        has_changed = self._merged.add(open_source(frame, options.time, options.target, options.id, options.date_order))
        return self._merged.source() if has_changed else None


class _File:
    """One file, read again when it has changed."""

    def __init__(self, path: Path, options: ForecastOptions) -> None:
        named = [options.id] if isinstance(options.id, str) else list(options.id or ["unique_id"])
        self._ids = [*named, *(part.strip() for name in named for part in name.split(","))]
        self._path = path
        self._text: GrowingText | None = None
        if is_text_file(path):
            is_table = options.time is not None or options.target is not None
            self._text = GrowingText(path, self._ids, is_table, options.date_order)
        self._signature: _Signature | None = None

    def read(self) -> Source | None:
        """Read the file, or return None where it is as it was."""
        status = self._path.stat()
        signature = (status.st_mtime_ns, status.st_size, status.st_ino)
        if signature == self._signature:
            return None
        if not status.st_size:
            raise SourceError(f"The file {str(self._path)!r} is empty.")
        if self._text is not None:
            source = self._text.read()
        else:
            frame: Any = read_file(self._path, None, self._ids)
            frame = frame.collect() if hasattr(frame, "collect") else frame
            source = Source(frame, self._path.name.split(".")[0])
        # a change of the same length in the same moment would have the same signature
        self._signature = signature if time.time() - status.st_mtime > _SETTLED else None
        return source


@contextlib.contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turn what reading a file may raise into `SourceError`: the file may be in the middle of being written."""
    try:
        yield
    except FileNotFoundError as error:
        raise SourceError(f"{name!r} does not exist, or a file in it.") from error
    except (pl.exceptions.PolarsError, OSError, UnicodeError) as error:
        raise SourceError(f"{name!r} cannot be read: {error}") from error
