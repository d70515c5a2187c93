"""The time from a user's frame to a dataset: columns, frequency, grid and warnings."""

from __future__ import annotations

import logging
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from nbforecast.data import prepare
from tests.benchmarks.series import walk
from tests.benchmarks.table import Table, milliseconds, number, ratio
from tests.benchmarks.timing import compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def tables(quick: bool) -> Iterator[Table]:
    points, repeats = (50_000, 1) if quick else (1_000_000, 5)
    whole, gaps, panel = walk(points), walk(points, missing=0.01), walk(points, series=points // 1000)
    pandas = gaps.to_pandas()
    data = prepare(gaps)
    calls: dict[str, Callable[[], Any]] = {
        "one series": lambda: prepare(whole),
        "one series, 1 % of the rows missing": lambda: prepare(gaps),
        "the same from pandas": lambda: prepare(pandas),
        f"a panel of {points // 1000:,} series": lambda: prepare(panel),
        "its content hash alone (`handle`)": lambda: replace(data).handle,
    }
    notes = []
    if find_spec("utilsforecast"):
        from utilsforecast.preprocessing import fill_gaps

        calls["utilsforecast `fill_gaps`, given freq, 1 % missing"] = lambda: fill_gaps(gaps, freq="5m")
    if find_spec("darts"):
        logging.getLogger("darts").setLevel(logging.ERROR)
        from darts import TimeSeries

        calls["Darts `TimeSeries.from_dataframe`, fill_missing_dates, given freq"] = lambda: TimeSeries.from_dataframe(
            pandas, "ds", "y", fill_missing_dates=True, freq="5min"
        )
    else:
        notes.append("Darts is not installed and therefore not measured.")
    seconds = compare(calls, repeats)
    reference = seconds["one series, 1 % of the rows missing"]
    rows = [(name, milliseconds(t), number(1e9 * t / points), ratio(t / reference)) for name, t in seconds.items()]
    note = (
        "nbforecast chooses the columns, infers the frequency and checks order, duplicates and gaps. "
        "The other libraries are given columns and frequency, and fill gaps."
    )
    columns = ("", "ms", "ns a row", "to one series with gaps")
    yield Table(f"Preparing {points:,} rows", columns, rows, (note, *notes))
