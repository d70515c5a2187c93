"""The series of a panel, each in one row: how it looks, how well it is forecast, and where worst."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from nbforecast.jupyter.widgets.explorer.encoding import first_ranked_row, mean_over_steps, milliseconds
from nbforecast.jupyter.widgets.explorer.panel_messages import SPARK_POINTS, PanelMessage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jaxtyping import Float32, Float64, Int64, UInt8

    from nbforecast.data import Dataset
    from nbforecast.run import Run

_BLOCK_ROWS = 1 << 17  # whose scores are read at once


def encode_panel(run: Run, model: int, surprises: Mapping[str, pl.DataFrame] | None) -> PanelMessage:
    """Encodes a row for each series of a run.

    Args:
        run: The run.
        model: The position of its model.
        surprises: The odd observations by series; None where they have not been found yet.
    """
    data = run.data
    ids = pl.DataFrame({"unique_id": data.ids})
    scores = ids.join(run.scores("series"), on="unique_id", how="left", maintain_order="left")
    is_calibrated = run.calibrate and run.done and scores["calibrated_80"].is_not_null().any()
    worst = _worst_rows(run)
    time = np.full(len(worst), np.nan)
    has_worst = worst >= 0
    time[has_worst] = milliseconds(data, data.time[data.offsets[:-1][has_worst] + worst[has_worst]])
    events = [-1 if surprises is None else _count_events(surprises.get(id)) for id in data.ids]
    return PanelMessage(
        model=model,
        mase=_floats(scores["mase"]),
        coverage=_floats(scores["calibrated_80" if is_calibrated else "coverage_80"]),
        worst=worst,
        worst_time=time,
        events=np.array(events),
        sparks=_sparks(data),
    )


def _count_events(surprises: pl.DataFrame | None) -> int:
    return 0 if surprises is None else surprises["event"].n_unique()


def _floats(column: pl.Series) -> Float64[np.ndarray, " S"]:
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _worst_rows(run: Run) -> Int64[np.ndarray, " S"]:
    """The row of each series with the largest mean CRPS among those that rank, or -1 where none has a score."""
    data, worst = run.data, np.full(len(run.data.ids), -1)
    first = 0
    while first < len(worst):
        last = max(int(np.searchsorted(data.offsets, data.offsets[first] + _BLOCK_ROWS, side="right")) - 1, first + 1)
        start, end = int(data.offsets[first]), int(data.offsets[last])
        block = mean_over_steps(run.take("crps", np.arange(start, end)))
        for series in range(first, last):
            score = block[data.offsets[series] - start : data.offsets[series + 1] - start]
            worst[series] = _worst_row(score, first_ranked_row(run, series))
        first = last
    return worst


def _worst_row(score: Float32[np.ndarray, " N"], ranked_from: int) -> int:
    """The row with the largest score, from the first that ranks on where any of these has one."""
    if not np.isfinite(score).any():
        return -1
    start = ranked_from if np.isfinite(score[ranked_from:]).any() else 0
    return start + int(np.nanargmax(score[start:]))


def _sparks(data: Dataset) -> UInt8[np.ndarray, " S*P"]:
    """Means of parts of each series, from 1 for its lowest to 255 for its highest; 0 where nothing was observed."""
    out = np.zeros((len(data.ids), SPARK_POINTS), np.uint8)
    for series, (start, end) in enumerate(zip(data.offsets[:-1].tolist(), data.offsets[1:].tolist(), strict=True)):
        count = min(SPARK_POINTS, end - start)
        bounds = np.linspace(0, end - start, count, endpoint=False).astype(int)
        values = data.values[start:end]
        is_known = np.isfinite(values)
        number = np.add.reduceat(is_known.astype(float), bounds)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = np.add.reduceat(np.where(is_known, values, 0.0), bounds) / np.where(number > 0, number, np.nan)
            least, most = (np.nanmin(means), np.nanmax(means)) if np.isfinite(means).any() else (0.0, 1.0)
            share = (means - least) / (most - least) if most > least else np.where(np.isfinite(means), 0.5, np.nan)
        out[series, :count] = np.where(np.isfinite(share), 1 + np.rint(254 * np.nan_to_num(share)), 0)
    return out.ravel()
