"""Reconciliation: forecasts of groups and of their parts, moved as little as their errors allow until they add up (J3).

The forecasts of all groups and series at one step are a vector x with a covariance of errors W. Of all linear, unbiased
adjustments that make it add up, the reconciled one has the smallest variance of errors (Wickramasuriya, Athanasopoulos
& Hyndman 2019, "Optimal forecast reconciliation for hierarchical and grouped time series through trace minimization").
With the constraints C = [I, -A], where A has the weights of the series in each group, it is
`x - W C' (C W C')^-1 C x`: one system of the size of the groups, however many series there are. W is the covariance of
past errors, shrunk to its diagonal (Schäfer & Strimmer 2005). W itself is never laid out: products of the errors with
their own disagreement `C e` are all that is needed, so memory grows with the series and not with their square.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64, Int64

LEAST_SHRINKAGE = 1e-4  # so that a group of one series, which errs as that series does, leaves a system to solve
MIN_ERRORS = 20  # past errors of all series, below which nothing is reconciled
WINDOW = 500  # past errors that the weights rest on
_GROWTH = 1.25  # of the known errors, from one fit of the weights to the next
_LEAST_DEVIATION = 1e-3  # of an error, relative to the least positive one: a series that never errs hardly moves


def fit_counts(known: Int64[np.ndarray, " R"]) -> Int64[np.ndarray, " R"]:
    """How many past errors the weights of each origin rest on: those of the last fit before it.

    Weights are fitted anew whenever the known errors have grown by a quarter, or by a quarter of `WINDOW`: an origin's
    weights depend on nothing after it, and data that are appended change none (L1).

    Args:
        known: (R,) how many past errors each origin knows.

    Returns:
        (R,) a number of errors each; 0 where too few are known.
    """
    fits, count = [], float(MIN_ERRORS)
    while count <= max(int(known.max(initial=0)), MIN_ERRORS):
        fits.append(int(count))
        count = min(count * _GROWTH, count + WINDOW * (_GROWTH - 1))
    position = np.searchsorted(fits, known, side="right")
    return np.append(0, np.array(fits, np.int64))[position]


def reconciliation_gain(
    errors: Float64[np.ndarray, "T M"], weights: Float64[np.ndarray, "G S"]
) -> Float64[np.ndarray, "S G"]:
    """How the forecasts of series follow the disagreement between groups and their parts.

    Args:
        errors: (T, M) past errors of one step, T > 1, of the G groups first and then of the S series.
        weights: (G, S) what each series counts in each group.

    Returns:
        (S, G) the gain K: series less K times (groups less weighted sums of the series) are reconciled.
    """
    count, groups = len(errors), len(weights)
    centred = errors - errors.mean(0)
    deviation = np.sqrt((centred**2).sum(0) / (count - 1))
    is_positive = deviation > 0
    scale = np.maximum(deviation, deviation[is_positive].min() * _LEAST_DEVIATION if is_positive.any() else 1.0)
    shrinkage = shrinkage_intensity(centred / scale)
    added = scale**2 - (1 - shrinkage) * deviation**2  # to the variances, so that shrinkage leaves them as they are

    constraints_of_errors = centred[:, :groups] - centred[:, groups:] @ weights.T  # C e, (T, G)
    with_constraints = (1 - shrinkage) / (count - 1) * (centred.T @ constraints_of_errors)  # W C', (M, G)
    with_constraints[:groups] += np.diag(added[:groups])
    with_constraints[groups:] -= added[groups:, None] * weights.T
    system = with_constraints[:groups] - weights @ with_constraints[groups:]  # C W C'
    gain: Float64[np.ndarray, "S G"] = np.linalg.solve(system, with_constraints[groups:].T).T
    return gain


def shrinkage_intensity(standardised: Float64[np.ndarray, "T M"]) -> float:
    """The share of correlations that is due to chance, by which they are shrunk.

    Args:
        standardised: (T, M) errors of mean 0 and standard deviation 1.

    Returns:
        From `LEAST_SHRINKAGE` to 1.

    Source:
        Schäfer & Strimmer (2005), "A shrinkage approach to large-scale covariance matrix estimation": the sum of the
        variances of all correlations, divided by the sum of their squares. Both sums are taken over times instead of
        over pairs, which gives the same.
    """
    count = len(standardised)
    squares = standardised**2
    of_pairs = (squares.sum(1) ** 2).sum() - (squares**2).sum()  # of all pairs i != j: sum over t of x_ti^2 x_tj^2
    gram = standardised @ standardised.T
    of_correlations = (gram**2).sum() - (squares.sum(0) ** 2).sum()  # (count - 1)^2 times the sum of r_ij^2
    if of_correlations <= 0:
        return 1.0
    share = count / (count - 1) * (of_pairs / of_correlations - 1 / count)
    return float(np.clip(share, LEAST_SHRINKAGE, 1.0))


def reconcile(
    group_values: Float[np.ndarray, "G *K"],
    sums: Float[np.ndarray, "G *K"],
    gain: Float64[np.ndarray, "G G"],
) -> Float[np.ndarray, "G *K"]:
    """Move forecasts of groups, and the sums of those of their parts, to where they agree.

    Args:
        group_values: (G, ...) forecasts of the groups, or trajectories of them.
        sums: (G, ...) the weighted sums of those of their series.
        gain: (G, G) the weights times what `reconciliation_gain` returns.

    Returns:
        (G, ...) the reconciled forecasts of the groups: the weighted sums of the reconciled forecasts of the series.
    """
    disagreement = (group_values - sums).reshape(len(gain), -1)
    return (sums - (gain @ disagreement).reshape(sums.shape)).astype(sums.dtype)
