"""Scores of groups at past origins, by each method (J4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from nbforecast.data.span import horizon_part
from nbforecast.errors import OptionError
from nbforecast.groups.paths import calibrate_series
from nbforecast.joint.scores import calibrated_coverages
from nbforecast.postprocessing.conformal import CALIBRATED_LEVELS
from nbforecast.postprocessing.path_statistics import find_statistic, is_event
from nbforecast.postprocessing.rank_templates import MIN_TEMPLATES, PATHS
from nbforecast.scoring.origin_scores import draw_levels, quantiles
from nbforecast.scoring.path_scores import score_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.groups.paths import GroupPaths
    from nbforecast.origin_forecast import Steps
    from nbforecast.postprocessing.path_statistics import Name, Statistic

_HEAD = ("level", "group", "groups", "method", "n", "mae", "rmse", "crps")


def score_groups(
    paths: GroupPaths, methods: Sequence[str], of: Name | Statistic, steps: Steps, by: str, every: int | None
) -> pl.DataFrame:
    """Score a statistic of groups by several methods at the same past origins; see `GroupForecasts.scores`.

    Raises:
        OptionError: There is no past origin at which all methods have enough others before it.
    """
    data, statistic = paths.data, find_statistic(of)
    part = horizon_part(steps, paths.horizon, data.frequency)
    if callable(of):
        is_event(of, part.stop - part.start)  # or an error, before anything is computed
    every = part.stop if every is None else every
    candidates = [paths.with_method(method) for method in methods]
    origins = _scored_steps(candidates, part, every)
    actual = _actual(paths, statistic, part, origins)
    rows: list[dict[str, Any]] = []
    for candidate in candidates:
        values = candidate.values(statistic, part, origins)
        for number, (level, group) in enumerate(zip(paths.groups.levels, paths.groups.ids, strict=True)):
            scores = score_values(values[number], actual[number])
            if paths.calibrate and every >= part.stop:
                ends = quantiles(values[number], draw_levels(None, PATHS), (*CALIBRATED_LEVELS, 0.5))
                scores |= calibrated_coverages(calibrate_series(ends, actual[number]), actual[number])
            head = {"level": level, "group": group, "method": candidate.method}
            rows += [head | dict(zip(scores, row, strict=True)) for row in zip(*scores.values(), strict=True)]
    table = pl.DataFrame(rows).fill_nan(None)
    measures = table.columns[3:]
    groups = pl.col("group").n_unique().alias("groups") if by == "level" else pl.col("level").first()
    table = table.group_by(by, "method", maintain_order=True).agg(
        groups, pl.col("mae").count().alias("n"), *(pl.col(measure).mean() for measure in measures)
    )
    order = {name: place for place, name in enumerate(dict.fromkeys(paths.groups.levels + paths.groups.ids))}
    table = table.sort(pl.col(by).replace_strict(order), maintain_order=True).with_columns(pl.col("rmse").sqrt())
    first = [name for name in _HEAD if name in table.columns]
    return table.select(*first, pl.exclude(*first))


def _scored_steps(candidates: Sequence[GroupPaths], part: slice, every: int) -> Int64[np.ndarray, " R"]:
    """Each so many steps, counted back from the newest whose outcome is known; with templates for every method."""
    if every < 1:
        raise OptionError(f"every= takes a positive number of steps, not {every}.")
    end = int(candidates[0].data.frequency.to_step(candidates[0].data.time[-1:])[0])
    steps = candidates[0].forecast_steps()
    for candidate in candidates[1:]:
        steps = np.intersect1d(steps, candidate.forecast_steps())
    steps = steps[steps <= end - part.stop]
    for candidate in candidates:
        steps = steps[candidate.templates(steps).available >= MIN_TEMPLATES] if len(steps) else steps
    if not len(steps):
        raise OptionError(
            f"No past origin can be scored: each needs {MIN_TEMPLATES} others whose horizon had ended, at which all "
            "series have a forecast."
        )
    return steps[(steps[-1] - steps) % every == 0]


def _actual(
    paths: GroupPaths, of: Statistic, part: slice, origins: Int64[np.ndarray, " R"]
) -> Float64[np.ndarray, "G R"]:
    """What the statistic of each group was; NaN where a value is not known."""
    data, actual = paths.data, []
    for group in paths.groups.ids:
        number = data.position(group)
        first = int(data.frequency.to_step(data.time[data.offsets[number]][None])[0])
        rows = data.offsets[number] + origins - first
        known = np.full(len(origins), np.nan)
        known[rows >= data.offsets[number]] = paths.actual(of, part, rows[rows >= data.offsets[number]])
        actual.append(known)
    return np.array(actual)
