"""Reading a text file that another program is writing: whole lines only, and of those only the new ones are parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from nbforecast.data import cgm
from nbforecast.data.delimited import read_delimited
from nbforecast.data.files import read_text
from nbforecast.data.source import Source
from nbforecast.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_LAYOUT_BYTES = 1 << 16  # from this length on, more lines do not change what the layout of a text is
_MOST_CHUNKS = 64  # of a frame, before they are joined


class GrowingText:
    """A CSV file, or a glucose sensor's export, that grows.

    A last line without a line end may be half of what it will be: it is no row yet.

    Args:
        path: The file.
        text_columns: Columns whose text stays as it is, such as ids.
        is_table: Whether it is a plain table even if it looks like a sensor's export.
        date_order: How dates of a sensor's export are ordered, or None.
    """

    def __init__(self, path: Path, text_columns: Sequence[str], is_table: bool, date_order: str | None) -> None:
        self._path = path
        self._text_columns = text_columns
        self._is_table = is_table
        self._date_order = date_order
        self._content = b""
        self._frame: pl.DataFrame | None = None

    def read(self) -> Source | None:
        """Read what the file holds now.

        Returns:
            Its rows, or None where they are as before.

        Raises:
            SourceError: There is no whole line yet.
            InputError: The text is no table.
            OSError: The file cannot be read, or `PolarsError` or `UnicodeError`.
        """
        import narwhals as nw

        name = self._path.name.split(".")[0]
        raw, old = read_text(self._path), self._content
        is_continued = bool(old) and raw.startswith(old)  # what was read then ends with a line
        lines = whole_lines(raw[len(old) :] if is_continued else raw)
        if is_continued and not lines:
            return None
        if not is_continued and not lines.strip():
            raise SourceError(f"The file {str(self._path)!r} holds no whole line yet.")
        content = raw[: len(old) + len(lines)] if is_continued else lines
        frame = self._append(lines) if is_continued else None
        has_grown = frame is not None
        if frame is None and not self._is_table and cgm.is_export(content):
            readings, target, warnings = cgm.read_export(content, str(self._path), self._date_order)
            self._content, self._frame = content, None
            return Source(nw.from_native(readings), name, cgm.TIME, target, warnings=tuple(warnings))
        if frame is None:
            frame = read_delimited(content, str(self._path), self._text_columns)
        self._content, self._frame = content, frame
        return Source(nw.from_native(frame), name, has_grown=has_grown)

    def _append(self, lines: bytes) -> pl.DataFrame | None:
        """The frame with the rows of new lines below it; None where the whole text has to be read."""
        before, old = self._frame, self._content
        if before is None or len(old) < _LAYOUT_BYTES:
            return None
        header = old[: old.index(b"\n") + 1]
        try:
            added = read_delimited(header + lines, str(self._path), self._text_columns)
        except Exception:  # it is reported with the number of its line when the whole is read
            return None
        if added.columns != before.columns:  # titles above the header
            return None
        columns = [_cast(column, before.schema[column.name]) for column in added.iter_columns()]
        if any(column is None for column in columns):
            return None
        frame = before.vstack(pl.DataFrame(columns))
        return frame.rechunk() if frame.n_chunks() > _MOST_CHUNKS else frame


def whole_lines(content: bytes) -> bytes:
    r"""Return a text without a last line that has no line end, or whose quotes are open.

    Example:
        >>> whole_lines(b"a,b\n1,2\n3,"), whole_lines(b'a,b\n1,"2\n')
        (b'a,b\n1,2\n', b'a,b\n')
    """
    content = content[: content.rfind(b"\n") + 1]
    if content.count(b'"') % 2:
        content = content[: content.rfind(b"\n", 0, content.rfind(b'"')) + 1]
    return content


def _cast(column: pl.Series, dtype: Any) -> pl.Series | None:
    """The new rows of a column in the type of the rows before; None where that loses something."""
    if column.dtype == dtype:
        return column
    if column.null_count() == len(column) or (column.dtype == pl.Int64 and dtype == pl.Float64):
        return column.cast(dtype)
    return None
