"""Encodes datasets and runs as the messages of the explorer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

from nbforecast.data.covariate_strips import covariate_strips
from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.joint.running_totals import running_totals
from nbforecast.jupyter.variables import find_expression
from nbforecast.jupyter.widgets.explorer.messages import (
    MAX_ROWS,
    SHOWN_PATHS,
    CovariateInfo,
    HistoryMessage,
    JointMessage,
    MetaMessage,
    ModelInfo,
    ProgressMessage,
    RowsMessage,
    SeriesInfo,
    StatusMessage,
)
from nbforecast.jupyter.widgets.explorer.overview_messages import ScatteredStatusMessage
from nbforecast.postprocessing.conformal import CALIBRATED_LEVELS
from nbforecast.result_cache.status import Status
from nbforecast.scoring.origin_scores import COVERAGES, QUANTILE_LEVELS, quantiles
from nbforecast.time_units import DAY, SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nbforecast.data import Dataset, DataWarning
    from nbforecast.run import Run

MAX_NOTES = 40
_MESSAGE_BYTES, _ANSWER_BYTES = 8 << 20, 64 << 20  # rows in one message, and in all that answer one request
_NEAR = 64  # changed rows that are this close travel together
_MAX_RANGES = 32
_CODES = 63  # between the least and the largest value of the paths at one step: about a pixel


def model_names(runs: Sequence[Run]) -> list[str]:
    """Returns the names of the models, numbered where two are the same."""
    names: list[str] = []
    for run in runs:
        names.append(run.model if run.model not in names else f"{run.model} ({len(names) + 1})")
    return names


def encode_meta(runs: Sequence[Run], *, live: bool = True, notes: Sequence[str] = ()) -> MetaMessage:
    """Encodes what there is to explore.

    Args:
        runs: The runs, all of the same data.
        live: Whether a kernel answers.
        notes: Sentences that come before the notes on the data.
    """
    data, zone = runs[0].data, getattr(runs[0].data.time_type, "time_zone", None)
    is_number = data.frequency.kind == "integer"
    is_wall = data.frequency.wall_clock or zone is None
    has_step = data.frequency.kind in ("fixed", "integer")
    target = "" if data.names.target == "y" else data.names.target
    only_series = data.ids[0] if data.names.id and len(data.ids) == 1 else None
    return MetaMessage(
        live=live,
        title=" · ".join(name for name in (data.names.frame, only_series) if name) or target,
        target=target,
        zone=None if is_number or is_wall else zone,
        clock="number" if is_number else "wall" if is_wall else "utc",
        step=data.frequency.every / (1 if is_number else 1e6) if has_step else None,
        precision=_precision(data),
        slots=data.frequency.slot is not None,
        frequency=data.frequency.describe(),
        seasons=[int(season) for season in data.frequency.seasons],
        horizon=runs[0].horizon,
        levels=list(QUANTILE_LEVELS),
        coverages=list(COVERAGES),
        calibrated=any(run.calibrate for run in runs),
        series=[SeriesInfo(id, int(rows)) for id, rows in zip(data.ids, data.lengths, strict=True)],
        models=[
            ModelInfo(
                name,
                run.spec.draws,
                [float(p) for p in run.quantile_levels],
                find_expression(run, f"runs[{position}]" if len(runs) > 1 else "run"),
            )
            for position, (name, run) in enumerate(zip(model_names(runs), runs, strict=True))
        ],
        covariates=[
            CovariateInfo(strip.name, list(strip.labels), strip.is_ahead, finite(strip.low), finite(strip.high))
            for strip in covariate_strips(data, 0, runs[0].horizon)
        ],
        notes=[*notes, *_data_notes(data, dict.fromkeys(warning for run in runs for warning in run.warnings))],
        reasons={str(int(reason)): reason.sentence for reason in UnavailableReason if reason},
    )


def _data_notes(data: Dataset, warnings: Iterable[DataWarning]) -> list[str]:
    names_series = len(data.ids) > 1
    notes = [
        f"{warning.series}: {warning}"
        if names_series and warning.series is not None and warning.series not in str(warning)
        else str(warning)
        for warning in warnings
    ]
    surplus = len(notes) - MAX_NOTES
    return notes if surplus <= 0 else [*notes[:MAX_NOTES], f"{surplus:,} more notes on the data are in run.warnings."]


def series_span(data: Dataset, series: int) -> tuple[int, int]:
    """Returns the first row of a series in the data, and the one after its last."""
    return int(data.offsets[series]), int(data.offsets[series + 1])


def _precision(data: Dataset) -> float | None:
    """Seconds of the finest part of times that differs between rows; None for months, 1 without a calendar."""
    frequency = data.frequency
    if frequency.kind == "integer":
        return 1.0
    if frequency.kind == "month":
        return None
    return DAY / SECOND if frequency.kind == "business" else frequency.every / SECOND


def encode_history(data: Dataset, series: int, horizon: int, first: int = 0) -> HistoryMessage:
    """Encodes the observations of a series.

    Args:
        data: The dataset.
        series: The position of the series.
        horizon: H, the steps after its last row whose times are sent, too.
        first: The row from which on they are encoded.
    """
    start, end = series_span(data, series)
    start += first
    time = np.concatenate([data.time[start:end], data.future_times(np.array([end - 1]), horizon)[0]])
    stamps = milliseconds(data, time)
    strips = [strip.values[first:] for strip in covariate_strips(data, series, horizon)]
    covariates = np.stack(strips) if strips else np.zeros((0, len(stamps)))
    return HistoryMessage(series=series, time=stamps, value=data.values[start:end], covariates=covariates)


def milliseconds(data: Dataset, time: np.ndarray) -> Float64[np.ndarray, " N"]:
    """Converts times of the data to milliseconds since the epoch, plain numbers to themselves.

    Args:
        data: The dataset.
        time: (N,) times, as `Dataset.time` has them.
    """
    if data.frequency.kind == "integer":
        return time.astype(np.float64)
    return time.astype("datetime64[us]").astype(np.int64) / 1e3


def encode_status(run: Run, series: int, model: int, first: int, status: UInt8[np.ndarray, " N"]) -> StatusMessage:
    """Encodes how far the origins from row `first` on have come, why not, and their mean CRPS.

    Args:
        run: The run of the model.
        series: The position of the series.
        model: The position of the model.
        first: The first row.
        status: The status of each row from there on, as `series_status` has it.
    """
    start = series_span(run.data, series)[0] + first
    rows = np.arange(start, start + len(status))
    score = np.full(len(rows), np.nan, np.float32)
    is_scored = status == Status.SCORED
    score[is_scored] = mean_over_steps(run.take("crps", rows[is_scored]))
    reason = run.reasons[start : start + len(rows)]
    return StatusMessage(
        series=series,
        model=model,
        first=first,
        count=len(rows),
        ranked_from=first_ranked_row(run, series),
        status=status,
        reason=reason,
        score=score,
    )


def first_ranked_row(run: Run, series: int) -> int:
    """Returns the first row of a series that ranks among the worst origins.

    Its context is full, or holds a quarter of the series where that is shorter: the errors of the first origins come
    from their short contexts.
    """
    return min(run.forecaster.context - 1, int(run.data.lengths[series]) // 4)


def series_status(run: Run, series: int) -> UInt8[np.ndarray, " N"]:
    """Returns the status of every row of a series."""
    start, end = series_span(run.data, series)
    return run.status[start:end].copy()


def encode_status_changes(
    run: Run, series: int, model: int, status: UInt8[np.ndarray, " N"], is_changed: Bool[np.ndarray, " N"]
) -> Iterator[StatusMessage | ScatteredStatusMessage]:
    """Encodes the statuses that have changed: neighbours as a range, those all over the series row by row.

    Args:
        run: The run of the model.
        series: The position of the series.
        model: The position of the model.
        status: The status of each row, as `series_status` has it.
        is_changed: Which rows have changed.
    """
    ranges, scattered = changed_rows(is_changed)
    for first, count in ranges:
        yield encode_status(run, series, model, first, status[first : first + count])
    if len(scattered):
        start = series_span(run.data, series)[0]
        score = np.full(len(scattered), np.nan, np.float32)
        is_scored = status[scattered] == Status.SCORED
        score[is_scored] = mean_over_steps(run.take("crps", start + scattered[is_scored]))
        yield ScatteredStatusMessage(
            series=series,
            model=model,
            rows=scattered,
            status=status[scattered],
            reason=run.reasons[start + scattered],
            score=score,
        )


def changed_rows(is_changed: Bool[np.ndarray, " N"]) -> tuple[list[tuple[int, int]], Int64[np.ndarray, " K"]]:
    """Returns the rows that changed as few (first, count), some rows between them included, and those far from all."""
    rows = np.flatnonzero(is_changed)
    if not len(rows):
        return [], rows
    breaks = np.flatnonzero(np.diff(rows) > _NEAR)
    firsts, lasts = rows[np.append(0, breaks + 1)], rows[np.append(breaks, len(rows) - 1)]
    counts = np.diff(np.concatenate([[-1], breaks, [len(rows) - 1]]))
    is_range = np.ones(len(counts), bool)
    if len(counts) > _MAX_RANGES:
        largest = np.argsort(-counts, kind="stable")[:_MAX_RANGES]
        is_range = np.isin(np.arange(len(counts)), largest) & (counts > _NEAR)
    ranges = zip(firsts[is_range].tolist(), lasts[is_range].tolist(), strict=True)
    return [(first, last - first + 1) for first, last in ranges], rows[~np.repeat(is_range, counts)]


def encode_rows(
    run: Run, series: int, model: int, first: int, count: int, request: int | str | None
) -> Iterator[RowsMessage]:
    """Encodes the forecasts from some origins, in slices; of too many the ones in the middle.

    Args:
        run: The run of the model.
        series: The position of the series.
        model: The position of the model.
        first: The first row.
        count: How many rows from there on.
        request: The label of the request that is answered.
    """
    row_bytes = run.horizon * (run.spec.draws + len(QUANTILE_LEVELS)) * 4
    size = min(count, MAX_ROWS, max(_ANSWER_BYTES // row_bytes, 1))
    first += (count - size) // 2
    step = max(min(_MESSAGE_BYTES // row_bytes, size), 1)
    for start in range(first, first + size, step):
        number = min(step, first + size - start)
        draws, ends = read_forecasts(run, series, start, number)
        yield RowsMessage(
            series=series, model=model, first=start, count=number, request=request, draws=draws, ends=ends
        )


def read_forecasts(
    run: Run, series: int, first: int, count: int
) -> tuple[Float32[np.ndarray, "R H Q"], Float32[np.ndarray, "R H K"]]:
    """Reads the forecasts from some origins of a series.

    Returns:
        The draws, and the ends of the bands at `QUANTILE_LEVELS`; NaN where there is no forecast yet. The ends are
        calibrated where the run is and enough past errors are known.
    """
    start = series_span(run.data, series)[0] + first
    draws, ends = read_rows(run, np.arange(start, start + count))
    if run.calibrate:
        bands = run.calibrated_bands(slice(start, start + count))
        is_calibrated = np.isfinite(bands).all((1, 2)) & np.isfinite(draws).all((1, 2))
        for k, level in enumerate(QUANTILE_LEVELS):
            if level in CALIBRATED_LEVELS:
                ends[is_calibrated, :, k] = bands[is_calibrated][..., CALIBRATED_LEVELS.index(level)]
    return draws, ends


def read_rows(
    run: Run, rows: Int64[np.ndarray, " R"]
) -> tuple[Float32[np.ndarray, "R H Q"], Float32[np.ndarray, "R H K"]]:
    """Reads the forecasts from some rows of the data.

    Returns:
        The draws, and the ends of the bands at `QUANTILE_LEVELS`, not calibrated; NaN where there is no forecast yet.
    """
    draws, ends = run.take("forecast", rows), run.take("quantiles", rows)
    needs_ends = np.isnan(ends).any((1, 2)) & np.isfinite(draws).all((1, 2))
    if needs_ends.any():
        ends[needs_ends] = quantiles(draws[needs_ends], run.quantile_levels, QUANTILE_LEVELS)
    return draws, ends


class JointRows(NamedTuple):
    """The joint forecasts of some origins, as a `JointMessage` has them."""

    limits: Float32[np.ndarray, "R H 2"]
    codes: UInt8[np.ndarray, "R K H"]
    sums: Float32[np.ndarray, "R H Q"]
    peaks: Float32[np.ndarray, "R Q"]


def read_joint(run: Run, series: int, rows: Int64[np.ndarray, " R"]) -> JointRows:
    """Reads the joint forecasts of some origins of a series; NaN where there is none.

    Args:
        run: The run.
        series: The position of the series.
        rows: (R,) ascending rows of the series.
    """
    rows = series_span(run.data, series)[0] + rows
    paths, sums, peaks = running_totals(run.joint_forecasts(), rows)
    shown = paths[:, np.arange(SHOWN_PATHS) * paths.shape[1] // SHOWN_PATHS]
    limits = np.stack([shown.min(1), shown.max(1)], -1)
    spread = limits[..., 1] - limits[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = (shown - limits[:, None, :, 0]) / spread[:, None]
    codes = np.rint(_CODES * np.where(np.isfinite(shares), shares, 0)).astype(np.uint8)
    return JointRows(limits, codes, sums, peaks)


def encode_joint(run: Run, series: int, model: int, first: int, count: int, request: int | str | None) -> JointMessage:
    """Encodes the paths, running totals and peaks of some origins.

    Args:
        run: The run of the model.
        series: The position of the series.
        model: The position of the model.
        first: The first row.
        count: How many rows from there on.
        request: The label of the request that is answered.
    """
    joint = read_joint(run, series, np.arange(first, first + count))
    return JointMessage(
        series=series,
        model=model,
        first=first,
        count=count,
        request=request,
        limits=joint.limits,
        codes=joint.codes,
        sums=joint.sums,
        peaks=joint.peaks,
    )


def encode_progress(run: Run, model: int, note: str = "") -> ProgressMessage:
    """Encodes how far a run has come, and how it ended."""
    return ProgressMessage(
        model=model,
        available=run.available,
        inferred=run.inferred,
        calculated=run.calculated,
        reused=run.reused,
        rate=finite(run.rate) or 0.0,
        eta_seconds=finite(run.eta_seconds),
        done=run.done,
        cancelled=run.cancelled,
        error=None if run.error is None else str(run.error),
        note=note,
    )


def mean_over_steps(scores: Float32[np.ndarray, "R H"]) -> Float32[np.ndarray, " R"]:
    """Computes means over the steps whose score is known; NaN where none is.

    Args:
        scores: (R, H) a score of each step.
    """
    is_known = np.isfinite(scores)
    count = is_known.sum(1)
    total = np.where(is_known, scores, 0).sum(1, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def finite(number: float | None) -> float | None:
    """Returns a number, or None where it is not finite."""
    return None if number is None or not math.isfinite(number) else float(number)
