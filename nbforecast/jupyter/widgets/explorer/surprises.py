"""Odd observations and changes as messages of the explorer; they are computed in the background."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from nbforecast.errors import NbForecastError
from nbforecast.jupyter.sender import comm_sender
from nbforecast.jupyter.widgets.explorer.surprise_messages import ChangeDirection, SurpriseKind, SurprisesMessage
from nbforecast.surprises.table import by_strangeness

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jaxtyping import Int64, UInt8

    from nbforecast.run import Run

_log = logging.getLogger("nbforecast.jupyter")
RATE = 0.01  # of ordinary observations that an explorer marks


class OddTables(NamedTuple):
    """What `Run.surprises` and `Run.changes` found, by id of the series.

    Attributes:
        surprises: Tables of odd observations; a series without one has none.
        changes: Tables of changes.
    """

    surprises: dict[str, pl.DataFrame]
    changes: dict[str, pl.DataFrame]


def find_odd(run: Run) -> OddTables:
    """Finds the odd observations and the changes of all series of a run; none where it cannot have any."""
    try:
        return OddTables(_by_series(run.surprises(RATE)), _by_series(run.changes()))
    except NbForecastError as error:
        _log.info("No surprises of %s are shown: %s", run.model, error)
        return OddTables({}, {})


def _by_series(table: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {str(id[0]): part for id, part in table.partition_by("unique_id", as_dict=True).items()}


def encode_surprises(run: Run, series: int, model: int, tables: OddTables) -> SurprisesMessage:
    """Encodes the odd observations and the changes of one series.

    Args:
        run: The run of the model.
        series: The position of the series.
        model: The position of the model.
        tables: Those of the run.
    """
    id, last = run.data.ids[series], int(run.data.lengths[series]) - 1
    odd, changes = tables.surprises.get(id), tables.changes.get(id)

    def column(table: pl.DataFrame | None, name: str, fill: float = np.nan) -> np.ndarray:
        return np.zeros(0) if table is None else table[name].cast(pl.Float64).fill_null(fill).to_numpy()

    return SurprisesMessage(
        series=series,
        model=model,
        rate=RATE,
        row=last + column(odd, "index"),
        event=column(odd, "event"),
        lead=column(odd, "lead", 1),
        what=_codes(odd, "kind", SurpriseKind),
        p=column(odd, "p"),
        expected=column(odd, "expected"),
        low=column(odd, "lo"),
        high=column(odd, "hi"),
        rank=np.zeros(0) if odd is None else np.argsort(by_strangeness(odd)),
        alarm=last + column(changes, "index"),
        since=_rows_of(run, series, changes),
        direction=_codes(changes, "direction", ChangeDirection),
        value=run.data.values[int(run.data.offsets[series]) + (last + column(odd, "index")).astype(np.int64)],
    )


def _codes(
    table: pl.DataFrame | None, name: str, codes: type[SurpriseKind | ChangeDirection]
) -> UInt8[np.ndarray, " K"]:
    """The codes of a column of words; 0 for null, and for a word that is none of them."""
    if table is None:
        return np.zeros(0, np.uint8)
    numbers = {code.name.lower().replace("_", " "): int(code) for code in codes}
    return table[name].replace_strict(numbers, default=0, return_dtype=pl.UInt8).fill_null(0).to_numpy()


def _rows_of(run: Run, series: int, changes: pl.DataFrame | None) -> Int64[np.ndarray, " C"]:
    """The rows of the series at which changes are estimated to have begun."""
    if changes is None:
        return np.zeros(0, np.int64)
    start, end = int(run.data.offsets[series]), int(run.data.offsets[series + 1])
    times = run.data.times(run.data.time[start:end]).to_frame("ds").with_row_index("row")
    since = changes.select(ds=pl.col("since").cast(times["ds"].dtype)).with_row_index("place").sort("ds")
    rows = since.join_asof(times.sort("ds"), on="ds").sort("place")
    return rows["row"].fill_null(0).cast(pl.Int64).to_numpy()


class SurpriseSearch:
    """Finds the odd observations of runs, one run at a time, beside everything else.

    Args:
        runs: The runs.
        wake: Is called when those of a run have been found.
    """

    def __init__(self, runs: Sequence[Run], wake: Callable[[], None]) -> None:
        self._runs = tuple(runs)
        self._wake = wake
        self._lock = threading.Lock()
        self._found: dict[int, tuple[tuple[str, int], OddTables]] = {}
        self._pending: set[int] = set()

    def tables(self, model: int) -> tuple[tuple[str, int], OddTables] | None:
        """What was found for a run, with the revision that it belongs to.

        Where the run is done and has changed since, they are searched anew meanwhile.

        Returns:
            None before the first search has ended.
        """
        run = self._runs[model]
        with self._lock:
            found = self._found.get(model)
            is_due = run.done and (found is None or found[0] != run.revision) and model not in self._pending
            if is_due:
                self._pending.add(model)
        if is_due:
            comm_sender.analysis.submit(lambda: self._search(model))
        return found

    def _search(self, model: int) -> None:
        run = self._runs[model]
        revision = run.revision
        tables = OddTables({}, {})
        try:
            tables = find_odd(run)
        except Exception:
            _log.warning("The surprises of %s could not be found.", run.model, exc_info=True)
        with self._lock:
            self._found[model] = revision, tables
            self._pending.discard(model)
        self._wake()
