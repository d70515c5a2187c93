"""Covariates as Chronos-2 reads them: numbers as they are, a column of categories as means of the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Float64, Int64

from nbforecast.data.covariate_grid import covariate_grid, cut_covariates
from nbforecast.forecasters.gap_bridging import pad_and_bridge

if TYPE_CHECKING:
    from nbforecast.data import Dataset

_PRIOR = 1.0  # the weight of the context's mean in the mean of a category, in observations


def lay_out_variates(
    data: Dataset,
    rows: Int64[np.ndarray, " R"],
    context: int,
    horizon: int,
    columns: Int64[np.ndarray, " C"],
) -> Float32[np.ndarray, "R L+H V"]:
    """Lay out covariates of some rows as variates beside the target.

    Args:
        data: The dataset.
        rows: The R rows to forecast from.
        context: L, in steps.
        horizon: H.
        columns: The numbers of the covariates in `covariate_grid`.

    Returns:
        Values of the context, then those of the horizon that are known at the origin. NaN is a missing value. A number
        is relative to its last one in the context, so that single precision loses nothing. A category is the mean of
        the target's observations with it in the context (see `_encode`).
    """
    grid = covariate_grid(data, horizon)
    numbers: list[int] = []
    categories: dict[str, list[int]] = {}
    for column in columns.tolist():
        source = grid.columns[column]
        if grid.names[column].startswith(f"{source} = "):
            categories.setdefault(source, []).append(column)
        else:
            numbers.append(column)
    values = np.concatenate(cut_covariates(data, rows, context, horizon), 1)
    parts = [_relative(values[..., numbers], context)]
    if categories:
        padded = pad_and_bridge(data, context)
        target = padded.values[padded.start[rows][:, None] + np.arange(context)]
        parts += [_encode(target, values[..., members])[..., None] for members in categories.values()]
    return np.concatenate(parts, -1).astype(np.float32)


def _relative(values: Float64[np.ndarray, "R T V"], context: int) -> Float64[np.ndarray, "R T V"]:
    """Values less the last of the context, or the first known ahead where the context has none."""
    is_known = np.isfinite(values)
    last = context - 1 - np.argmax(is_known[:, context - 1 :: -1], 1)
    place = np.where(is_known[:, :context].any(1), last, np.argmax(is_known, 1))[:, None]
    reference = np.take_along_axis(np.where(is_known, values, 0.0), place, 1)
    return np.where(is_known, values - reference, np.nan)


def _encode(target: Float64[np.ndarray, "R L"], membership: Float64[np.ndarray, "R T K"]) -> Float64[np.ndarray, "R T"]:
    """Means of the target by category, shrunk to the mean of the context, which weighs one observation.

    To have no category is a category of its own; one that the context does not have is worth the mean.

    Args:
        target: The values of the context, NaN where none was observed.
        membership: For each category whether a step of context or horizon has it, NaN where that is not known.

    Source:
        The target encoding of chronos-forecasting, of the context alone.
    """
    count = membership.shape[-1]
    is_observed = ~np.isnan(target)
    location = np.nanmean(np.where(is_observed.any(1, keepdims=True), target, 0.0), 1)[:, None]
    above = np.where(is_observed, target - location, 0.0)
    is_known = ~np.isnan(membership).any(-1)
    code = np.where(membership.any(-1) & is_known, np.argmax(np.nan_to_num(membership), -1), count)
    past = code[:, : target.shape[1]]
    means = np.zeros((len(target), count + 1))
    for number in range(count + 1):
        is_member = (past == number) & is_observed & is_known[:, : target.shape[1]]
        means[:, number] = (above * is_member).sum(1) / (_PRIOR + is_member.sum(1))
    return np.where(is_known, np.take_along_axis(means, code, 1), np.nan)
