"""The rows of an entry that belong to a dataset: all of its own entry, or the newest part of a longer history's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Float32, Int64, UInt8

from nbforecast.result_cache.fingerprints import matched_series, tails
from nbforecast.result_cache.snapshot import has_forecast
from nbforecast.result_cache.status import REASON, STATUS, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbforecast.data import Dataset
    from nbforecast.result_cache.entry import Entry
    from nbforecast.result_cache.fingerprints import Fingerprints
    from nbforecast.result_cache.key import CacheKey, ForecastSpec


class EntrySlice:
    """Results for a dataset, read from an entry without a copy. Rows are the dataset's.

    A history that another one contains, with the same end, is a view of the longer one's entry: the same
    indices mean the same origins, and forecasts made from more of the same history serve both.
    """

    def __init__(self, entry: Entry, data: Dataset, starts: Int64[np.ndarray, " S"]) -> None:
        """`starts`: the entry's row of the first row of each of the dataset's series."""
        self.entry = entry
        self.data = data
        self._starts = starts
        self._whole = len(data) == len(entry)

    @classmethod
    def whole(cls, entry: Entry, data: Dataset | None = None) -> EntrySlice:
        """All of an entry, for the data it was made for or others of the same content."""
        return cls(entry, data or entry.data, entry.data.offsets[:-1])

    @classmethod
    def tail(
        cls, entry: Entry, data: Dataset, fingerprints: Fingerprints, reasons: UInt8[np.ndarray, " N"]
    ) -> EntrySlice | None:
        """The newest part of an entry's history, if that is what `data` are; `reasons` are those of `data` alone.

        None also where the longer history bars an origin (a gap, say) that could be forecast without it.
        """
        if not tails(fingerprints, entry.fingerprints).all():
            return None
        match = matched_series(fingerprints, entry.fingerprints)
        view = cls(entry, data, entry.data.offsets[match + 1] - data.lengths)
        return None if ((reasons == 0) & (view.reasons > 0)).any() else view

    def of(self, data: Dataset) -> EntrySlice:
        """The same rows for data of the same content, as somebody else's frame has them."""
        return EntrySlice(self.entry, data, self._starts)

    def __len__(self) -> int:
        return len(self.data)

    @property
    def key(self) -> CacheKey:
        """The key under which the data's results are found."""
        return self.spec.key(self.data.handle)

    @property
    def spec(self) -> ForecastSpec:
        return self.entry.spec

    @property
    def reasons(self) -> UInt8[np.ndarray, " N"]:
        """For every row 0, or the `UnavailableReason` why it is not forecast."""
        return self._cut(self.entry.reasons)

    @property
    def status(self) -> UInt8[np.ndarray, " N"]:
        """How far every row has come."""
        return self._cut(self.entry.status)

    @property
    def available(self) -> int:
        """Origins that can be forecast."""
        return int((self.reasons == 0).sum())

    @property
    def inferred(self) -> int:
        """Origins whose forecast stands here."""
        return int(has_forecast(self.status).sum())

    @property
    def calculated(self) -> int:
        """Origins whose calculations stand here."""
        return int((self.status == Status.SCORED).sum())

    @property
    def complete(self) -> bool:
        """Nothing waits and nothing is half done."""
        return bool((self.status >= Status.SCORED).all())

    def rows(self, rows: Int64[np.ndarray, " R"]) -> Int64[np.ndarray, " R"]:
        """The entry's rows of some of ours."""
        if self._whole:
            return rows
        series = np.searchsorted(self.data.offsets, rows, side="right") - 1
        return rows + (self._starts - self.data.offsets[:-1])[series]

    def missing(self) -> Int64[np.ndarray, " M"]:
        """Rows that wait for a forecast."""
        return np.flatnonzero(self.status == Status.PENDING)

    def uncalculated(self) -> Int64[np.ndarray, " M"]:
        """Rows that have a forecast and wait for calculations."""
        status = self.status
        return np.flatnonzero((status >= Status.INFERRED) & (status < Status.SCORED))

    def take(self, column: str, rows: Int64[np.ndarray, " R"]) -> Float32[np.ndarray, "R *T"]:
        """A copy of some rows of one column, NaN where nothing stands yet."""
        return self.entry.take(column, self.rows(rows))

    def array(self, column: str = "forecast") -> Float32[np.ndarray, "N *T"]:
        """A whole column, read-only; no copy once the entry is complete and its part in one piece."""
        pieces = list(self._pieces())
        if len(pieces) == 1:
            return self.entry.array(column)[pieces[0]]
        out = self.take(column, np.arange(len(self)))
        out.flags.writeable = False
        return out

    def frame(self) -> pl.DataFrame:
        """The Result DataFrame: a snapshot with a row an origin.

        unique_id, ds, index, y; status (`pending`, `inferred`, `unscored`: has quantiles but no scores, `scored`,
        `unavailable`) and, for the last, the reason; forecast (H, Q); median (H); quantiles (H, 7) at `LEVELS`;
        abs_error, crps, pinball (H) and covered (H, 3) for 50, 80 and 95 %; density (H, 64) and density_limits (H, 2)
        for a bounded number of origins. NaN in a result means not done where the status says so, and in a score that
        the actual value is not known.
        """
        status, columns = self.entry.results()
        names = pl.Series("status", STATUS.categories, STATUS)
        why = pl.Series("reason", [None, *REASON.categories], REASON)
        labels = [names.gather(self._cut(status)), why.gather(self.reasons)]
        if not self._whole:
            pieces = list(self._pieces())
            columns = [pl.concat([c[piece] for piece in pieces], rechunk=False) for c in columns]
        return pl.DataFrame([*self._base(), *labels, *columns])

    def _base(self) -> list[pl.Series]:
        data = self.data
        ids = pl.Series("unique_id", data.ids, pl.Categorical)
        series = np.repeat(np.arange(len(data.ids)), data.lengths)
        return [
            ids.gather(series),
            data.times(data.time).alias("ds"),
            pl.Series("index", data.index()),
            pl.Series("y", data.values, nan_to_null=True),
        ]

    def _cut(self, values: UInt8[np.ndarray, " M"]) -> UInt8[np.ndarray, " N"]:
        """Our part of an array of the entry's rows."""
        if self._whole:
            return values
        return np.concatenate([values[piece] for piece in self._pieces()])

    def _pieces(self) -> Iterator[slice]:
        """Our part of the entry as slices, neighbouring series in one."""
        ends = self._starts + self.data.lengths
        first = np.append(True, self._starts[1:] != ends[:-1])
        last = np.append(first[1:], True)
        for start, end in zip(self._starts[first].tolist(), ends[last].tolist(), strict=True):
            yield slice(start, end)
