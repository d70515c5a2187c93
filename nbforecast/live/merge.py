"""Uniting rows that come in parts: newer rows of the same series and time replace older ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from nbforecast.data.columns import choose_columns
from nbforecast.data.observations import to_polars

if TYPE_CHECKING:
    from nbforecast.data.source import Source
    from nbforecast.options import ForecastOptions

_MOST_CHUNKS = 64  # of a frame, before they are joined


def collect_rows(source: Source) -> pl.DataFrame:
    """The rows of an opened source as a Polars frame."""
    frame: Any = source.frame
    frame = frame.collect() if hasattr(frame, "collect") else frame
    return pl.DataFrame([to_polars(frame, name) for name in frame.columns])


class MergedRows:
    """All rows that have come so far.

    Args:
        options: Name the columns of times and series.
    """

    def __init__(self, options: ForecastOptions) -> None:
        self._options = options
        self._source: Source | None = None
        self._rows: pl.DataFrame | None = None
        self._last: pl.DataFrame | None = None

    def add(self, source: Source) -> bool:
        """Take rows: all of them, or the new ones.

        Args:
            source: The rows. Of one series and time they replace all that came before.

        Returns:
            Whether something has changed.

        Raises:
            InputError: The columns of times and series cannot be told.
        """
        rows = collect_rows(source)
        if not len(rows):
            return False
        added, last = rows, self._last
        if (
            last is not None
            and rows.schema == last.schema
            and len(rows) >= len(last)
            and last.equals(rows[: len(last)])
        ):
            added = rows[len(last) :]  # what comes again in full has grown at its end
            if not len(added):
                return False
        has_grown = False
        if self._rows is not None:
            before = self._rows
            added = _unite(before, added, self._keys(source))
            has_grown = added.schema == before.schema and added[: len(before)].equals(before)
        self._source, self._rows, self._last = replace(source, has_grown=has_grown), added, rows
        return True

    def source(self) -> Source | None:
        """All rows, as a source; None before the first."""
        import narwhals as nw

        if self._source is None or self._rows is None:
            return None
        return replace(self._source, frame=nw.from_native(self._rows))

    def _keys(self, source: Source) -> list[str]:
        options = self._options
        columns = choose_columns(
            source,
            options.time,
            options.target,
            options.id,
            options.static,
            options.future_covariates,
            options.past_covariates,
            options.groups,
        )
        return list(dict.fromkeys([columns.time, *columns.clocks, *columns.parts, *columns.ids]))


def _unite(before: pl.DataFrame, added: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    time = keys[0]
    is_later = before.schema.get(time) == added.schema[time] and _is_after(before[time], added[time])
    if not is_later and all(before.schema.get(key) == added.schema[key] for key in keys):
        before = before.join(added.select(keys).unique(), on=keys, how="anti", nulls_equal=True, maintain_order="left")
    if before.schema == added.schema:
        united = before.vstack(added)
    else:
        united = pl.concat([before, added], how="diagonal_relaxed")
    return united.rechunk() if united.n_chunks() > _MOST_CHUNKS else united


def _is_after(before: pl.Series, added: pl.Series) -> bool:
    """Whether all new times are beyond all others, in any order that the type has: none is among them."""
    latest, earliest = before.max(), added.min()
    return latest is not None and earliest is not None and bool(earliest > latest)  # type: ignore[operator]
