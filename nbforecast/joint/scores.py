"""Scores of sums, extremes, events and paths at every past origin (J4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float64, Int64

from nbforecast.checks import check_limit
from nbforecast.errors import OptionError
from nbforecast.joint.forecasts import MARGINAL_LEVELS
from nbforecast.postprocessing.path_statistics import STATISTICS, Statistic, is_event
from nbforecast.scoring.mean_scores import group_sums, mean_scores
from nbforecast.scoring.origin_scores import CALIBRATED_COVERAGES, draw_levels
from nbforecast.scoring.path_scores import (
    energy_scores,
    reliability_table,
    score_events,
    score_values,
    variogram_scores,
)
from nbforecast.scoring.pit import cumulative_probability
from nbforecast.text import did_you_mean, quoted

if TYPE_CHECKING:
    import polars as pl

    from nbforecast.joint.forecasts import JointForecasts
    from nbforecast.scoring.score_groups import By, Where

Of = Literal["total", "mean", "maximum", "minimum", "any_above", "any_below", "paths"]
_EVENTS = {"any_above": "maximum", "any_below": "minimum"}  # and the number that decides them


def joint_scores(
    joint: JointForecasts,
    rows: Int64[np.ndarray, " R"],
    of: Of | Statistic,
    steps: slice,
    value: float | None = None,
    by: By | None = None,
    where: Where | None = None,
) -> pl.DataFrame:
    """Mean scores of a number, an event or the paths, overall or by group.

    Args:
        joint: The forecasts.
        rows: (R,) ascending rows of the origins.
        of: What is scored, as `check_of` takes it.
        steps: The part of the horizon.
        value: The limit of "any_above" and "any_below".
        by: What a row of the result stands for, as in `score_groups.group_steps`; its step is the first.
        where: Which origins count, as in `score_groups.select_steps`.

    Returns:
        The groups, n (origins with a known outcome) and the mean scores.
    """
    check_of(of, value)
    rows = rows[joint.has_forecast(rows)]
    data = joint.part.data
    if of == "paths":
        arrays = _path_scores(joint, rows, steps)
    elif (event := _event(joint, rows, of, steps, value)) is not None:
        arrays = score_events(*event)
    else:
        statistic = of if callable(of) else STATISTICS[of]
        actual = joint.actual(statistic, steps, rows)
        arrays = score_values(joint.values(statistic, steps, rows), actual)
        if joint.calibrate:
            arrays |= calibrated_coverages(joint.calibrated_values(statistic, steps, rows), actual)
    columns = {name: array[:, None] for name, array in arrays.items()}
    return mean_scores(group_sums(data, columns, by, where, rows))


def joint_reliability(
    joint: JointForecasts,
    rows: Int64[np.ndarray, " R"],
    of: Of | Statistic,
    steps: slice,
    value: float | None = None,
    bins: int = 10,
) -> pl.DataFrame:
    """How often an event came, by the probability that was given to it; see `joint_scores` and `reliability_table`."""
    check_of(of, value)
    rows = rows[joint.has_forecast(rows)]
    event = None if of == "paths" else _event(joint, rows, of, steps, value)
    if event is None:
        raise OptionError(
            f"of={of!r} is no event: name 'any_above' or 'any_below' with value=, or a function of paths that returns "
            "truth values."
        )
    return reliability_table(*event, bins)


def check_of(of: object, value: object) -> None:
    """Raise `OptionError` unless `of` is a function or one of `Of`, with a limit where and only where it needs one."""
    if not callable(of) and of not in get_args(Of):
        hint = did_you_mean(str(of), get_args(Of))
        raise OptionError(f"of={of!r} is none of {quoted(get_args(Of))}, nor a function of paths.{hint}")
    if (of in _EVENTS) != (value is not None):
        needs = f"of={of!r} needs a limit: value=70."
        raise OptionError(needs if of in _EVENTS else f"value= is the limit of {quoted(list(_EVENTS))} only.")
    if value is not None:
        check_limit(value, "value=")


def _event(
    joint: JointForecasts, rows: Int64[np.ndarray, " R"], of: str | Statistic, steps: slice, value: float | None
) -> tuple[Float64[np.ndarray, " R"], Float64[np.ndarray, " R"]] | None:
    """Probability and outcome of an event; None if `of` is a number."""
    if callable(of):
        if not is_event(of, steps.stop - steps.start):
            return None
        values = joint.values(of, steps, rows)
        return np.where(np.isnan(values).any(1), np.nan, values.mean(1)), joint.actual(of, steps, rows)
    if of not in _EVENTS:
        return None
    assert value is not None
    statistic = STATISTICS[_EVENTS[of]]
    actual = joint.actual(statistic, steps, rows)
    draws = joint.values(statistic, steps, rows)
    limits = np.full(len(rows), float(value))
    probability = cumulative_probability(draws.astype(np.float32), draw_levels(None, draws.shape[1]), limits)
    if joint.calibrate:
        values = joint.calibrated_values(statistic, steps, rows).astype(np.float32)
        calibrated = cumulative_probability(values, MARGINAL_LEVELS, limits)
        is_calibrated = ~np.isnan(values).any(1)
        probability = type(probability)(
            *(np.where(is_calibrated, new, old) for new, old in zip(calibrated, probability, strict=True))
        )
    if of == "any_above":
        return 1 - probability.up_to, np.where(np.isnan(actual), np.nan, actual > value)
    return probability.below, np.where(np.isnan(actual), np.nan, actual < value)


def _path_scores(
    joint: JointForecasts, rows: Int64[np.ndarray, " R"], steps: slice
) -> dict[str, Float64[np.ndarray, " R"]]:
    scores = {"energy": np.empty(len(rows)), "variogram": np.empty(len(rows))}
    for part in joint.pieces(len(rows)):
        paths = joint.paths(rows[part])[..., steps]
        actual = joint.part.data.actuals(rows[part], steps.stop)[:, steps]
        scores["energy"][part] = energy_scores(paths, actual)
        scores["variogram"][part] = variogram_scores(paths, actual)
    return scores


def calibrated_coverages(
    values: Float64[np.ndarray, "R K"], actual: Float64[np.ndarray, " R"]
) -> dict[str, Float64[np.ndarray, " R"]]:
    """Whether a number lay in its calibrated intervals.

    Args:
        values: (R, 9) quantiles at `MARGINAL_LEVELS`.
        actual: (R,) what it was, NaN where it is not known.

    Returns:
        (R,) for each of `CALIBRATED_COVERAGES`, 1 or 0; NaN where one of both is not known.
    """
    half = len(CALIBRATED_COVERAGES)
    is_unknown: Bool[np.ndarray, " R"] = np.isnan(values).any(1) | np.isnan(actual)
    coverages = {}
    for i, coverage in enumerate(CALIBRATED_COVERAGES):
        low, high = values[:, half - 1 - i], values[:, half + 1 + i]
        coverages[f"calibrated_{coverage}"] = np.where(is_unknown, np.nan, (low <= actual) & (actual <= high))
    return coverages
