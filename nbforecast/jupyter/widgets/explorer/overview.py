"""Encodes what an overview can show of a series: all that a page needs of one too long to be sent whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from nbforecast.data.covariate_strips import covariate_strips
from nbforecast.jupyter.widgets.explorer.encoding import (
    first_ranked_row,
    mean_over_steps,
    milliseconds,
    read_rows,
    series_span,
)
from nbforecast.jupyter.widgets.explorer.overview_messages import (
    LongHistoryMessage,
    LongStatusMessage,
    SketchMessage,
    WindowMessage,
)
from nbforecast.result_cache.status import Status
from nbforecast.scoring.origin_scores import QUANTILE_LEVELS

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.run import Run

PARTS = 1024  # of an overview, about one a pixel
SKETCH_LEAST = 2048  # rows; of shorter series a page soon has all forecasts
_SKETCH_ORIGINS, _SKETCH_BYTES = 1024, 384 << 10
_LEAST_SKETCH = 64
_WORST = 4096  # scores that are sent without loss
_SCORE_CODES = 255
_CODES = 65_535  # between the least and the largest quantile of an origin


def encode_long_history(data: Dataset, series: int, horizon: int) -> LongHistoryMessage:
    """Encodes times and an overview of a long series.

    Args:
        data: The dataset.
        series: The position of the series.
        horizon: H, the steps after its last row whose times are sent, too.
    """
    start, end = series_span(data, series)
    values = data.values[start:end]
    times = np.concatenate([data.time[start:end], data.future_times(np.array([end - 1]), horizon)[0]])
    stamps = milliseconds(data, times)
    is_known = np.isfinite(values)
    return LongHistoryMessage(
        series=series,
        start=float(stamps[0]),
        steps=equal_steps(stamps),
        low=float(values[is_known].min()) if is_known.any() else None,
        high=float(values[is_known].max()) if is_known.any() else None,
        overview=envelope(values, PARTS),
    )


def equal_steps(stamps: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, "R 2"]:
    """Returns the steps between ascending times as runs of equal ones: the step, and how many.

    Args:
        stamps: (N,) the times.
    """
    steps = np.diff(stamps)
    first = np.flatnonzero(np.append(True, steps[1:] != steps[:-1])) if len(steps) else np.zeros(0, np.int64)
    return np.stack([steps[first], np.diff(np.append(first, len(steps)))], -1)


def envelope(values: Float64[np.ndarray, " N"], parts: int) -> Float32[np.ndarray, "B 3"]:
    """Returns 10 % and 90 % quantiles and means of equal parts of a series; NaN where no value is known.

    Args:
        values: (N,) values, NaN where there is none.
        parts: B, the number of parts.
    """
    width = -(-len(values) // parts)
    edges = np.arange(parts) * len(values) // parts
    lengths = np.diff(np.append(edges, len(values)))
    column = np.arange(width)
    rows = np.minimum(edges[:, None] + column, len(values) - 1)
    ordered = np.sort(np.where(column < lengths[:, None], values[rows], np.nan), axis=1)  # NaN comes last
    count = np.isfinite(ordered).sum(1)
    total = np.nansum(ordered, 1)
    places = (np.array([0.1, 0.9]) * count[:, None]).astype(np.int64)
    ends = np.take_along_axis(ordered, np.minimum(places, width - 1), 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.column_stack([ends, total / count]).astype(np.float32)


def encode_long_status(run: Run, series: int, model: int, status: UInt8[np.ndarray, " N"]) -> LongStatusMessage:
    """Encodes how far the origins of a long series have come, and their mean CRPS to a few per cent.

    Args:
        run: The run of the model.
        series: The position of the series.
        model: The position of the model.
        status: The status of each row, as `series_status` has it.
    """
    start, end = series_span(run.data, series)
    reason = run.reasons[start:end]
    first = np.flatnonzero(np.append(True, (status[1:] != status[:-1]) | (reason[1:] != reason[:-1])))
    counts = np.diff(np.append(first, len(status)))
    rows = np.flatnonzero(status == Status.SCORED)
    score = origin_scores(run, start + rows)
    worst = np.argsort(np.nan_to_num(-score, nan=np.inf), kind="stable")[:_WORST]
    worst = np.sort(worst[np.isfinite(score[worst])])
    is_positive = np.isfinite(score) & (score > 0)
    lowest, highest = (
        (float(score[is_positive].min()), float(score[is_positive].max())) if is_positive.any() else (1, 1)
    )
    ratio = max((highest / lowest) ** (1 / (_SCORE_CODES - 1)), 1 + 1e-12)
    with np.errstate(invalid="ignore", divide="ignore"):
        codes = 1 + np.floor(np.log(score / np.float64(lowest)) / np.log(ratio))
    codes = np.where(np.isfinite(score), np.clip(np.nan_to_num(codes, nan=1), 1, _SCORE_CODES), 0)
    return LongStatusMessage(
        series=series,
        model=model,
        ranked_from=first_ranked_row(run, series),
        runs=np.stack([status[first], reason[first], counts], -1),
        lowest=lowest,
        ratio=ratio,
        codes=codes.astype(np.uint8),
        worst=rows[worst],
        worst_score=score[worst],
    )


def origin_scores(run: Run, rows: Int64[np.ndarray, " R"]) -> Float32[np.ndarray, " R"]:
    """Returns the mean CRPS of some origins, NaN where it is not known; part by part, since a copy of all is large.

    Args:
        run: The run.
        rows: (R,) rows of the data.
    """
    parts = [mean_over_steps(run.take("crps", rows[i : i + (1 << 16)])) for i in range(0, len(rows), 1 << 16)]
    return np.concatenate([np.zeros(0, np.float32), *parts])


def encode_window(run: Run, series: int, model: int, first: int, count: int) -> WindowMessage:
    """Encodes observations, covariates and scores of some rows of a long series.

    Args:
        run: The run of the model.
        series: The position of the series.
        model: The position of the model.
        first: The first row.
        count: How many rows from there on; those of the horizon after the last one have covariates only.
    """
    start, end = series_span(run.data, series)
    rows = np.arange(start + first, min(start + first + count, end))
    value, score = np.full(count, np.nan), np.full(count, np.nan, np.float32)
    value[: len(rows)] = run.data.values[rows]
    score[: len(rows)] = origin_scores(run, rows)
    strips = [strip.values[first : first + count] for strip in covariate_strips(run.data, series, run.horizon)]
    covariates = np.stack(strips) if strips else np.zeros((0, count))
    return WindowMessage(
        series=series, model=model, first=first, count=count, value=value, covariates=covariates, score=score
    )


def sketch_rows(run: Run, series: int) -> Int64[np.ndarray, " R"]:
    """Returns the rows of a series whose forecasts are sketched: evenly spaced ones that can be forecast.

    Args:
        run: The run.
        series: The position of the series.

    Returns:
        (R,) ascending rows of the series; none of a short series.
    """
    start, end = series_span(run.data, series)
    is_requested = np.zeros(end - start, bool)
    rows = run.rows
    is_requested[rows[(rows >= start) & (rows < end)] - start] = True
    available = np.flatnonzero(is_requested & (run.reasons[start:end] == 0))
    if len(available) < SKETCH_LEAST:
        return available[:0]
    most = max(_SKETCH_BYTES // (run.horizon * len(QUANTILE_LEVELS) * 2), _LEAST_SKETCH)
    return available[np.linspace(0, len(available) - 1, min(most, _SKETCH_ORIGINS)).astype(np.int64)]


def coarse_first(rows: Int64[np.ndarray, " R"]) -> Int64[np.ndarray, " R"]:
    """Returns rows so that any first few of them lie all over the series: every 64th, those between, and so on.

    Args:
        rows: (R,) ascending rows.
    """
    place = np.arange(len(rows))
    lowest_bit = np.where(place > 0, place & -place, 64)
    return rows[np.lexsort((place, -np.minimum(lowest_bit, 64)))]


def encode_sketch(run: Run, series: int, model: int, rows: Int64[np.ndarray, " R"]) -> SketchMessage:
    """Encodes the bands of some origins to a 65,535th of their spread; those without a forecast are left out.

    Args:
        run: The run of the model.
        series: The position of the series.
        model: The position of the model.
        rows: (R,) ascending rows of the series.
    """
    _, ends = read_rows(run, series_span(run.data, series)[0] + rows)
    is_known = np.isfinite(ends).all((1, 2))
    rows, ends = rows[is_known], ends[is_known]
    limits = np.stack([ends.min((1, 2)), ends.max((1, 2))], -1)
    spread = (limits[:, 1] - limits[:, 0]).astype(np.float64)
    shares = (ends - limits[:, :1, None]) / np.where(spread > 0, spread, 1)[:, None, None]
    return SketchMessage(
        series=series, model=model, rows=rows, limits=limits, codes=np.rint(_CODES * shares).astype(np.uint16)
    )
