"""The rows of an entry that belong to a dataset: the whole entry, or the newest part of a longer history's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from jaxtyping import Bool, Float32, Float64, Int64, Shaped, UInt8

from nbforecast.forecasters.bounded import split_key
from nbforecast.postprocessing import conformal
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.fingerprints import Fingerprints, are_newest_parts, match_series
from nbforecast.result_cache.snapshot import has_forecast
from nbforecast.result_cache.status import REASON, STATUS, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbforecast.data import Dataset
    from nbforecast.result_cache.key import CacheKey, ForecastSpec


class EntrySlice:
    """Results for a dataset, read from an entry without a copy. Rows are the dataset's.

    The results of a history that a longer one contains, with the same end, are a slice of the longer one's entry: the
    same indices mean the same origins, and forecasts made from more of the same history serve both (C5).

    Attributes:
        entry: The entry.
        data: The dataset.
        requested: (R,) the rows that a request asks for, ascending; None for all. What is counted, pending or complete
            refers to them; the other rows can be read as well.
    """

    def __init__(
        self,
        entry: Entry,
        data: Dataset,
        starts: Int64[np.ndarray, " S"],
        requested: Int64[np.ndarray, " R"] | None = None,
    ) -> None:
        """Use `whole` or `newest_part`.

        Args:
            entry: The entry.
            data: The dataset.
            starts: (S,) the entry's row of the first row of each of the dataset's series.
            requested: See the attributes.
        """
        self.entry = entry
        self.data = data
        self.requested = requested
        self._starts = starts
        self._is_whole = len(data) == len(entry)

    def __getstate__(self) -> dict[str, Any]:
        """The slice's results at this moment, as plain arrays: a copy belongs to no cache."""
        snapshot, densities = self.entry.snapshot()[0], self.entry.density_columns()
        if not self._is_whole:
            rows = self.entry_rows(np.arange(len(self)))
            snapshot, densities = snapshot.take(rows), densities.take(rows)
        snapshot = replace(snapshot, data=self.data, columns=dict(snapshot.columns))
        return {"snapshot": snapshot, "densities": densities, "requested": self.requested}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.data = state["snapshot"].data
        self.requested = state.get("requested")
        self.entry = Entry.from_snapshot(state["snapshot"], state["densities"])
        self._starts = self.data.offsets[:-1]
        self._is_whole = True

    @classmethod
    def whole(cls, entry: Entry, data: Dataset | None = None) -> EntrySlice:
        """All of an entry.

        Args:
            entry: The entry.
            data: Data of the same content as the entry's, to be shown instead of them.

        Returns:
            The slice.
        """
        return cls(entry, data or entry.data, entry.data.offsets[:-1])

    @classmethod
    def newest_part(
        cls, entry: Entry, data: Dataset, fingerprints: Fingerprints, reasons: UInt8[np.ndarray, " N"]
    ) -> EntrySlice | None:
        """The newest part of an entry's history, if the data are that.

        Args:
            entry: The entry of the longer history.
            data: The shorter history.
            fingerprints: Those of `data`.
            reasons: (N,) for every row of `data` why it cannot be forecast from `data` alone, 0 where it can.

        Returns:
            The slice. None if `data` are not the newest part, or if the longer history bars an origin (a gap, say)
            that can be forecast without it, or if its forecasts depend on covariates, which may differ.
        """
        if entry.spec.covariates is not None or not are_newest_parts(fingerprints, entry.fingerprints).all():
            return None
        match = match_series(fingerprints, entry.fingerprints)
        part = cls(entry, data, entry.data.offsets[match + 1] - data.lengths)
        return None if ((reasons == 0) & (part.reasons > 0)).any() else part

    def with_data(self, data: Dataset) -> EntrySlice:
        """The same rows, for another request's data.

        Args:
            data: Data of the same content; names and warnings may differ.

        Returns:
            The slice.
        """
        return EntrySlice(self.entry, data, self._starts, self.requested)

    def with_requested(self, rows: Int64[np.ndarray, " R"] | None) -> EntrySlice:
        """The same results, for a request of some rows.

        Args:
            rows: (R,) ascending rows of the slice; None for all.

        Returns:
            The slice.
        """
        return EntrySlice(self.entry, self.data, self._starts, rows)

    def __len__(self) -> int:
        return len(self.data)

    @property
    def key(self) -> CacheKey:
        """The key of the data's results."""
        return self.spec.key(self.data.handle, self.entry.covariates)

    @property
    def spec(self) -> ForecastSpec:
        """How the forecasts are made."""
        return self.entry.spec

    @property
    def reasons(self) -> UInt8[np.ndarray, " N"]:
        """(N,) for every row 0, or the `UnavailableReason` why it is not forecast."""
        return self._select(self.entry.reasons)

    @property
    def status(self) -> UInt8[np.ndarray, " N"]:
        """(N,) a `Status` each, at this moment."""
        return self._select(self.entry.status)

    @property
    def forced_times(self) -> Float64[np.ndarray, " N"]:
        """(N,) when each row was last requested with `force`, in seconds since the epoch; 0 if never (C6)."""
        return self._select(self.entry.forced_times)

    def longer_contexts(self) -> Bool[np.ndarray, " N"]:
        """Which rows are forecast from a longer history than that of the data (C5).

        Returns:
            (N,) whether the row's context reaches back further, or holds other values, than the data.
        """
        if self.spec.covariates is not None:  # reused where all that they depend on is equal, and nowhere else
            return np.zeros(len(self), bool)
        own = self.entry.fingerprints if self._is_whole else Fingerprints(self.data)
        is_other = self._select(self.entry.contexts) != own.contexts(self.spec.context)
        return is_other & (self.reasons == 0)

    @property
    def available(self) -> int:
        """How many origins can be forecast."""
        return int((self._only_requested(self.reasons) == 0).sum())

    @property
    def inferred(self) -> int:
        """How many origins have a forecast."""
        return int(has_forecast(self._only_requested(self.status)).sum())

    @property
    def calculated(self) -> int:
        """How many origins have a forecast and all calculations."""
        return int((self._only_requested(self.status) == Status.SCORED).sum())

    @property
    def complete(self) -> bool:
        """Whether no row is pending or lacks calculations."""
        return bool((self._only_requested(self.status) >= Status.SCORED).all())

    def entry_rows(self, rows: Int64[np.ndarray, " R"]) -> Int64[np.ndarray, " R"]:
        """The entry's rows of some rows of the slice.

        Args:
            rows: (R,) rows of the slice's dataset.

        Returns:
            (R,) rows of the entry's dataset.
        """
        if self._is_whole:
            return rows
        series = np.searchsorted(self.data.offsets, rows, side="right") - 1
        return rows + (self._starts - self.data.offsets[:-1])[series]

    def pending_rows(self) -> Int64[np.ndarray, " M"]:
        """The requested rows that have no forecast yet."""
        return self._rows_where(self._only_requested(self.status) == Status.PENDING)

    def incomplete_rows(self) -> Int64[np.ndarray, " M"]:
        """The requested rows that have a forecast and lack calculations, which idle tasks make up for (C10)."""
        status = self._only_requested(self.status)
        return self._rows_where((status >= Status.INFERRED) & (status < Status.SCORED))

    def take(self, column: str, rows: Int64[np.ndarray, " R"]) -> Float32[np.ndarray, "R *T"]:
        """A copy of some rows of one column.

        Args:
            column: A name of `status.FIRST_STATUS`.
            rows: (R,) rows of the slice's dataset.

        Returns:
            (R, ...) the values, NaN where there is no result yet.
        """
        return self.entry.take(column, self.entry_rows(rows))

    def array(self, column: str = "forecast") -> Float32[np.ndarray, "N *T"]:
        """A whole column, read-only; no copy once the entry is complete and its rows are in one piece.

        Args:
            column: A name of `status.FIRST_STATUS`.

        Returns:
            (N, ...) the values, NaN where there is no result yet.
        """
        pieces = list(self._pieces())
        if len(pieces) == 1:
            return self.entry.array(column)[pieces[0]]
        values = self.take(column, np.arange(len(self)))
        values.flags.writeable = False
        return values

    def calibrate(self) -> Float32[np.ndarray, "N H K"]:
        """Calibrated prediction intervals of every origin, from the forecasts stored at this moment.

        Returns:
            (N, H, 8) quantiles at `conformal.CALIBRATED_LEVELS`; NaN where too few past errors are known.
        """
        rows = np.flatnonzero(has_forecast(self.status))
        if 2 * len(rows) < len(self):
            bands = np.full((len(self), self.spec.horizon, len(conformal.CALIBRATED_LEVELS)), np.nan, np.float32)
            bands[rows] = self.calibrate_sparse(rows)
            return bands
        actual = self.data.actuals(np.arange(len(self)), self.spec.horizon)
        return self._within_bounds(
            conformal.calibrate(self.array("forecast"), actual, self.data.lengths, self.spec.levels)
        )

    def calibrate_rows(self, start: int, end: int) -> Float32[np.ndarray, "R H K"]:
        """As `calibrate`, for neighbouring origins of one series; only the rows they depend on are read (E10).

        Args:
            start: The first row.
            end: One more than the last row, which is of the same series.

        Returns:
            (end - start, H, 8) quantiles at `conformal.CALIBRATED_LEVELS`.
        """
        horizon = self.spec.horizon
        series, _ = self.data.locate(start)
        rows = np.arange(max(int(self.data.offsets[series]), start + 1 - conformal.rows_needed(horizon)), end)
        draws, actual = self.take("forecast", rows), self.data.actuals(rows, horizon)
        return self._within_bounds(
            conformal.calibrate(draws, actual, np.array([len(rows)]), self.spec.levels)[start - end :]
        )

    def calibrate_sparse(self, rows: Int64[np.ndarray, " R"]) -> Float32[np.ndarray, "R H K"]:
        """As `calibrate`, for some origins; only the rows they depend on are read (E10).

        Args:
            rows: (R,) ascending rows.

        Returns:
            (R, H, 8) quantiles at `conformal.CALIBRATED_LEVELS`.
        """
        needed = conformal.rows_that_calibrate(rows, self.data.offsets, self.spec.horizon)
        starts = np.flatnonzero(np.append(True, np.diff(needed) != 1) | np.isin(needed, self.data.offsets))
        lengths = np.diff(np.append(starts, len(needed)))
        draws, actual = self.take("forecast", needed), self.data.actuals(needed, self.spec.horizon)
        bands = conformal.calibrate(draws, actual, lengths, self.spec.levels)
        return self._within_bounds(bands[np.searchsorted(needed, rows)])

    def frame(self, rows: Int64[np.ndarray, " R"] | None = None) -> pl.DataFrame:
        """The Result DataFrame: a snapshot with one row per origin (C1).

        Args:
            rows: (R,) ascending rows, or None for all.

        Returns:
            unique_id, ds, index, y; status (`pending`, `inferred`, `unscored`: has quantiles but no scores, `scored`,
            `unavailable`) and, for the last, the reason; forecast (H, Q); median (H); quantiles (H, 7) at
            `origin_scores.QUANTILE_LEVELS`; abs_error, crps, pinball (H) and covered (H, 3) for 50, 80 and 95 %;
            density (H, 64) and density_limits (H, 2) for a bounded number of origins. NaN in a result means not done
            where the status says so, and in a score that the actual value is not known (C2).
        """
        if rows is not None:
            return self._frame_of_rows(rows)
        status, columns = self.entry.results()
        labels = _labels(self._select(status), self.reasons)
        if not self._is_whole:
            pieces = list(self._pieces())
            columns = [pl.concat([c[piece] for piece in pieces], rechunk=False) for c in columns]
        return pl.DataFrame([*self._data_columns(slice(None)), *labels, *columns])

    def _within_bounds(self, bands: Float32[np.ndarray, "R H K"]) -> Float32[np.ndarray, "R H K"]:
        """Move the ends of intervals into the bounds of the forecasts (S12)."""
        _, bounds = split_key(self.spec.model.key)
        return bands if bounds is None else np.clip(bands, np.float32(bounds.minimum), np.float32(bounds.maximum))

    def _frame_of_rows(self, rows: Int64[np.ndarray, " R"]) -> pl.DataFrame:
        status, columns = self.entry.results_of_rows(self.entry_rows(rows))
        return pl.DataFrame([*self._data_columns(rows), *_labels(status, self.reasons[rows]), *columns])

    def _data_columns(self, rows: Int64[np.ndarray, " R"] | slice) -> list[pl.Series]:
        data = self.data
        ids = pl.Series("unique_id", data.ids, pl.Categorical)
        series = np.repeat(np.arange(len(data.ids)), data.lengths)
        return [
            ids.gather(series[rows]),
            data.times(data.time[rows]).alias("ds"),
            pl.Series("index", data.index()[rows]),
            pl.Series("y", data.values[rows], nan_to_null=True),
        ]

    def _only_requested(self, values: UInt8[np.ndarray, " N"]) -> UInt8[np.ndarray, " R"]:
        return values if self.requested is None else values[self.requested]

    def _rows_where(self, mask: Bool[np.ndarray, " R"]) -> Int64[np.ndarray, " M"]:
        """The rows of the slice under a mask of the requested rows."""
        return np.flatnonzero(mask) if self.requested is None else self.requested[mask]

    def _select(self, values: Shaped[np.ndarray, " M"]) -> Any:
        """The slice's part of an array of the entry's rows."""
        if self._is_whole:
            return values
        return np.concatenate([values[piece] for piece in self._pieces()])

    def _pieces(self) -> Iterator[slice]:
        """The slice's rows of the entry, neighbouring series in one piece."""
        ends = self._starts + self.data.lengths
        is_first = np.append(True, self._starts[1:] != ends[:-1])
        is_last = np.append(is_first[1:], True)
        for start, end in zip(self._starts[is_first].tolist(), ends[is_last].tolist(), strict=True):
            yield slice(start, end)


def _labels(status: UInt8[np.ndarray, " R"], reasons: UInt8[np.ndarray, " R"]) -> list[pl.Series]:
    """Status and reason in words."""
    status_names = pl.Series("status", STATUS.categories, STATUS)
    reason_names = pl.Series("reason", [None, *REASON.categories], REASON)
    return [status_names.gather(status), reason_names.gather(reasons)]
