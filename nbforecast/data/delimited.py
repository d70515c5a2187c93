"""Reading delimited text: which encoding, separator, header line and decimal sign a file has."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NoReturn

from nbforecast.data.missing_texts import MISSING_TEXTS
from nbforecast.data.values import to_numbers
from nbforecast.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection

    import polars as pl

_SEPARATORS = ("\t", ";", "|", ",")  # the first of several that serve alike
_HEAD_BYTES, _HEAD_ROWS = 1 << 16, 200
_LONGEST_PREAMBLE = 40  # lines
_SEPARATOR_LINE = re.compile(r'^"?sep=(.)"?$', re.IGNORECASE)
_NUMBER = re.compile(r"^[+-]?[\d.,\s]*\d[\d.,]*%?$")
_DATE = re.compile(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|^\d{1,2}:\d{2}|^\d{4}-\d{2}$")
_TYPED_HEAD = 1_000  # rows that tell whether a column is worth converting
_BOOLEANS = {"true": True, "false": False, "True": True, "False": False}


@dataclass(frozen=True)
class Layout:
    """Where the table of a delimited text begins, and how it is written.

    Attributes:
        separator: The sign between fields.
        skipped: The number of lines above the header.
        has_header: Whether the first line of the table names its columns.
        is_commented: Whether the header is a comment line (`# time,value`).
    """

    separator: str
    skipped: int = 0
    has_header: bool = True
    is_commented: bool = False


def to_utf8(raw: bytes) -> bytes:
    """Return text in UTF-8 without a byte order mark, with line ends that Polars knows."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raw = raw.decode("utf-16").encode()
    elif raw[1:2] == b"\0" or raw[:1] == b"\0":
        raw = raw.decode("utf-16-le" if raw[1:2] == b"\0" else "utf-16-be", errors="replace").encode()
    else:
        try:
            raw.decode()
        except UnicodeDecodeError:
            raw = raw.decode("cp1252", errors="replace").encode()
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    return raw if b"\n" in raw else raw.replace(b"\r", b"\n")


def read_delimited(content: bytes, name: str, text_columns: Collection[str] = ()) -> pl.DataFrame:
    """Read delimited text whose layout its first lines show.

    Args:
        content: What `to_utf8` returns.
        name: What messages call the text.
        text_columns: Columns whose text stays as it is.

    Returns:
        A frame of text, but for columns that are numbers or booleans throughout.

    Raises:
        InputError: If a line has more fields than the header.
    """
    import polars as pl

    layout = find_layout(content)
    lines = io.BytesIO(content)
    for _ in range(layout.skipped):
        lines.readline()
    table = lines.read()
    if layout.is_commented:
        table = table.lstrip(b"# ")
    try:
        frame = pl.read_csv(table, separator=layout.separator, has_header=layout.has_header, infer_schema=False)
    except pl.exceptions.ComputeError as error:
        _raise_ragged(table, layout, name, error)
    except pl.exceptions.NoDataError:
        raise InputError(f"The file {name!r} has no table.") from None
    if layout.has_header and _lacks_first_name(table, layout.separator):
        frame = frame.rename({frame.columns[0]: unnamed(frame.columns)})
    columns = [
        column if column.name in text_columns else _typed(column, "," if layout.separator == ";" else None)
        for column in frame.iter_columns()
    ]
    return pl.DataFrame(columns)


def unnamed(names: Collection[str]) -> str:
    """Return the name of a first column without one: what pandas calls it, or nothing if another is called so."""
    return "Unnamed: 0" if "Unnamed: 0" not in names else ""


def _lacks_first_name(table: bytes, separator: str) -> bool:
    """Tell whether the first column has no name, as that of an index which was written to a file."""
    header = table[:_HEAD_BYTES].decode(errors="replace").splitlines()[:1]
    fields = next(csv.reader(header, delimiter=separator), [""])
    return len(fields) > 1 and not fields[0].strip()


def _typed(column: pl.Series, decimal: str | None) -> pl.Series:
    """Convert a column of numbers or booleans; other text stays, null where it is missing.

    Args:
        column: Text.
        decimal: What the separator of the file says of the decimal sign where the column leaves it open.
    """
    import polars as pl

    text = column.str.strip_chars()
    text = text.set(text.is_in(MISSING_TEXTS), None)
    head = text.drop_nulls().head(_TYPED_HEAD)
    if head.is_empty():
        return text
    if head.is_in(list(_BOOLEANS)).all() and text.drop_nulls().is_in(list(_BOOLEANS)).all():
        return text.replace_strict(_BOOLEANS, return_dtype=pl.Boolean)
    if not head.str.contains(r"^[+-]?0\d").any() and not head.cast(pl.Float64, strict=False).null_count():
        for kind in (pl.Int64, pl.Float64):
            numbers = text.cast(kind, strict=False)
            if numbers.null_count() == text.null_count() and not text.str.contains(r"^[+-]?0\d").any():
                return numbers
    if decimal is not None and head.str.contains(",", literal=True).any() and to_numbers(head, decimal) is not None:
        with_comma = to_numbers(text, decimal)
        return text if with_comma is None else with_comma
    return text


def find_layout(content: bytes) -> Layout:
    """Find the separator and the header of delimited text by its first lines."""
    head = content[:_HEAD_BYTES].decode(errors="replace")
    if len(content) > _HEAD_BYTES and "\n" in head:
        head = head[: head.rindex("\n")]
    lines = head.splitlines()
    stated = _SEPARATOR_LINE.match(lines[0].strip(" ")) if lines else None
    skipped = 1 if stated else 0
    separators = (stated[1],) if stated else _SEPARATORS
    best, best_score = Layout(","), (-1.0, -1)
    for separator in separators:
        layout, score = _layout_of("\n".join(lines[skipped:]), separator)
        if score > best_score:
            best, best_score = layout, score
    return Layout(best.separator, best.skipped + skipped, best.has_header, best.is_commented)


@dataclass(frozen=True)
class _Row:
    """A row of the head: its fields, and the number of lines above it."""

    fields: list[str]
    above: int

    @property
    def is_comment(self) -> bool:
        return bool(self.fields) and self.fields[0].startswith("#")

    @property
    def is_blank(self) -> bool:
        return not any(field.strip() for field in self.fields)

    @property
    def filled(self) -> int:
        """The number of fields that are not empty."""
        return sum(bool(field.strip()) for field in self.fields)

    @property
    def has_data(self) -> bool:
        """Whether a field is a number or a date."""
        return any(_NUMBER.match(field.strip()) or _DATE.match(field.strip()) for field in self.fields)


def _layout_of(head: str, separator: str) -> tuple[Layout, tuple[float, int]]:
    """Return the layout with a given separator, and how well it fits: the share of regular lines, and their fields."""
    rows, above = [], 0
    reader = csv.reader(io.StringIO(head), delimiter=separator)
    try:
        for fields in reader:
            rows.append(_Row(fields, above))
            above = reader.line_num
            if len(rows) >= _HEAD_ROWS:
                break
    except csv.Error:
        return Layout(separator), (-1.0, 0)
    body = [row for row in rows if not row.is_blank and not row.is_comment]
    if not body:
        return Layout(separator), (-1.0, 0)
    below = body[len(body) // 4 :]
    counts = Counter(len(row.fields) for row in below)
    width = max(counts, key=lambda width: (counts[width], width))
    header = _find_header(rows, body, width)
    layout = Layout(separator, header.above)
    if header.has_data and any(_DATE.match(field.strip()) for field in header.fields):
        comments = [row for row in rows if row.is_comment and row.above < header.above and len(row.fields) == width]
        layout = (
            Layout(separator, comments[-1].above, is_commented=True)
            if comments
            else Layout(separator, header.above, has_header=False)
        )
    if width < 2:
        return layout, (0.0, width)
    is_consistent = len(header.fields) == width
    return layout, (counts[width] / len(below) * (1.0 if is_consistent else 0.5), width)


def _find_header(rows: list[_Row], body: list[_Row], width: int) -> _Row:
    """Find the row that names the columns: the first of the table below titles, comments and other small tables."""
    first = body[0]
    candidates = [row for row in body if row.above <= _LONGEST_PREAMBLE and len(row.fields) == width]
    if not candidates:
        return first
    fullest = max(row.filled for row in candidates)
    next_has_data = {row.above: after.has_data for row, after in pairwise(body)}
    names = [row for row in candidates if not row.has_data and row.filled == fullest and next_has_data.get(row.above)]
    if len(first.fields) != width or 2 * first.filled < width:
        return names[0] if names else candidates[0]
    after_blank = {rows[i + 1].above for i in range(len(rows) - 1) if rows[i].is_blank}
    for row in names:  # a small table above the one that is meant
        size = len([each for each in body if each.above > row.above])
        if row.above in after_blank and size > len(body) - size:
            return row
    return first


def _raise_ragged(table: bytes, layout: Layout, name: str, error: Exception) -> NoReturn:
    reader = csv.reader(io.StringIO(table.decode(errors="replace")), delimiter=layout.separator)
    width = None
    for fields in reader:
        width = width or len(fields)
        if len(fields) > width:
            line = layout.skipped + reader.line_num
            raise InputError(
                f"Line {line} of {name!r} has {len(fields)} fields, but the header has {width} (separator "
                f"{layout.separator!r}). Correct the line, or read the file yourself and give the frame."
            ) from error
    raise InputError(f"The file {name!r} cannot be read: {error}") from error
