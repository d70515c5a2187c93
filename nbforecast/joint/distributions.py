"""Distributions of sums, extremes and events of one forecast, calibrated by past ones (J2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from nbforecast.joint.forecasts import MARGINAL_LEVELS
from nbforecast.joint.path_distribution import PathDistribution
from nbforecast.postprocessing.conformal import MIN_ERRORS
from nbforecast.postprocessing.path_statistics import STATISTICS, statistic_limits
from nbforecast.scoring.origin_scores import draw_levels
from nbforecast.text import plural

if TYPE_CHECKING:
    from nbforecast.forecasters.bounded import Bounds
    from nbforecast.joint.forecasts import JointPaths
    from nbforecast.postprocessing.path_statistics import Name, Statistic


def distribution_of(
    joint: JointPaths,
    row: int,
    paths: Float32[np.ndarray, "n H"],
    name: Name,
    part: slice,
    bounds: Bounds,
    calibrate: bool | None = None,
) -> PathDistribution:
    """The distribution of a sum or an extreme of one forecast.

    Args:
        joint: The joint forecasts of its series.
        row: Its row.
        paths: Its paths.
        name: Of the number: total, mean, maximum or minimum.
        part: The steps that it is made of.
        bounds: Of the forecast.
        calibrate: Whether past errors of the same number move its quantiles; None does as the joint forecasts do.
    """
    of, rows = STATISTICS[name], np.array([row])
    values, levels = np.sort(of(paths[:, part])), draw_levels(None, len(paths))
    notes = [str(joint.order(rows)[1][0])]
    is_calibrated = False
    if joint.calibrate if calibrate is None else calibrate:
        calibrated = joint.calibrated_values(of, part, rows)[0]
        is_calibrated = bool(np.isfinite(calibrated).all())
        if is_calibrated:
            values, levels = calibrated, MARGINAL_LEVELS
        few = f"not calibrated: fewer than {MIN_ERRORS} past errors are known yet"
        notes.insert(0, "calibrated by past errors" if is_calibrated else few)
    return PathDistribution(
        f"{name} of {_describe_part(part)}",
        values,
        levels,
        float(joint.actual(of, part, rows)[0]),
        is_calibrated=is_calibrated,
        limits=statistic_limits(of, bounds.minimum, bounds.maximum, part.stop - part.start),
        notes=tuple(notes),
    )


def distribution_of_steps(
    joint: JointPaths, row: int, paths: Float32[np.ndarray, "n H"], name: str, of: Statistic, part: slice
) -> PathDistribution:
    """The distribution of a number of steps, such as the first one above a limit.

    Args:
        joint: The joint forecasts of the forecast's series.
        row: Its row.
        paths: Its paths.
        name: Of the number, in words.
        of: Counts the steps of paths.
        part: The steps that are looked at.
    """
    rows = np.array([row])
    return PathDistribution(
        f"{name} in {_describe_part(part)}",
        np.sort(of(paths[:, part])),
        draw_levels(None, len(paths)),
        float(joint.actual(of, part, rows)[0]),
        is_count=True,
        notes=(str(joint.order(rows)[1][0]),),
    )


def _describe_part(part: slice) -> str:
    if part.start == 0:
        return f"the next {plural(part.stop, 'step')}"
    return f"the steps {part.start + 1} to {part.stop}"
