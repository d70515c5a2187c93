"""Times at which a series stopped behaving as forecast: a conformal test process on errors of one step (A2).

Errors of forecasts one step ahead do not overlap. Their means over stretches of `STRETCH` steps, and their mean
distances from these, are ranked among those before, which gives four p-values a stretch: how far it is above, below,
how wide and how narrow. A bet on a direction multiplies its stake by kappa * p ** (kappa - 1), whose mean is at most 1
for a uniform p, and less where equal values tie. The Shiryaev-Roberts sum begins such bets anew at every stretch; a
stake of 1 is shared by directions and kappas. While the stretches are exchangeable, the sum less their number is a
martingale, so the mean time to a false alarm is at least the inverse of the rate. A change is told when the sum reaches
it. The bet that has gained most says in which direction, and since when.

After an alarm everything begins anew at the estimated start: a new regime is learned, and not told for ever.

Single errors of a series with clusters of volatility are far from exchangeable; their means over stretches are nearly
so, which costs some steps of delay (the benchmark `surprises` has both). One spike is a surprise and no change.

Source:
    Vovk, Petej, Nouretdinov, Ahlberg, Carlsson & Gammerman (2021), "Retrain or not retrain: conformal test martingales
    for change-point detection" (conformal test martingales, the Shiryaev-Roberts procedure on them, and its mean time
    to a false alarm). Power bets: Vovk, Nouretdinov & Gammerman (2003), "Testing exchangeability on-line".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64

from nbforecast.surprises.p_values import p_values

DIRECTIONS = ("up", "down", "wider", "narrower")
STRETCH = 12  # steps
LEARNED = 20  # stretches with known errors, after which bets begin
_KAPPAS = (0.1, 0.4, 0.7)
_LEAST_KNOWN = 0.5  # share of the errors of a stretch
_PART = 1 << 10  # stretches of a regime that are looked at first


class Change(NamedTuple):
    """A change of one series.

    Attributes:
        row: Where it is told.
        since: The row at which it is estimated to have begun.
        direction: One of `DIRECTIONS`.
        evidence: What the bets have made of a stake of 1 per stretch; at least 1 / rate, counted in stretches.
    """

    row: int
    since: int
    direction: str
    evidence: float


def find_changes(errors: Float32[np.ndarray, " N"], steps: Int64[np.ndarray, " N"], rate: float) -> list[Change]:
    """Find the changes of one series, each as of its own time.

    Args:
        errors: (N,) errors of one step with their sign, in units of their usual size; NaN where one is not known.
        steps: (N,) the absolute grid step of each row.
        rate: False alarms per step, at most on average.
    """
    first = np.flatnonzero(np.diff(steps // STRETCH, prepend=-1))
    last = np.append(first[1:], len(steps)) - 1
    if len(last) and steps[-1] % STRETCH != STRETCH - 1:
        first, last = first[:-1], last[:-1]  # it has not ended yet
    means = _stretch_means(errors, first, last)
    changes: list[Change] = []
    start, count = 0, _PART
    while start < len(first):
        change = _first_change(means[:, start : start + count], STRETCH * rate)
        if change is not None:
            row, since = last[start + change.row], first[start + change.since]
            changes.append(change._replace(row=int(row), since=int(since)))
            start, count = start + change.since, _PART
        elif start + count >= len(first):
            break
        else:
            count *= 2
    return changes


def _stretch_means(
    errors: Float32[np.ndarray, " N"], first: Int64[np.ndarray, " M"], last: Int64[np.ndarray, " M"]
) -> Float32[np.ndarray, "2 M"]:
    """The means of errors and their mean distances from these, NaN where too few are known."""
    if not len(first):
        return np.zeros((2, 0), np.float32)
    is_known = np.isfinite(errors[: last[-1] + 1])
    values = np.where(is_known, errors[: last[-1] + 1], 0.0).astype(np.float64)
    count = np.add.reduceat(is_known, first, dtype=np.int64)
    least = np.maximum(count, 1)
    means = np.add.reduceat(values, first) / least
    distances = np.where(is_known, np.abs(values - np.repeat(means, np.diff(first, append=len(values)))), 0.0)
    both = np.stack([means, np.add.reduceat(distances, first) / least])
    return np.where(count >= _LEAST_KNOWN * STRETCH, both, np.nan).astype(np.float32)


def _first_change(means: Float32[np.ndarray, "2 m"], rate: float) -> Change | None:
    """The first change in a regime that begins with the first stretch; rows are stretches."""
    count = means.shape[1]
    is_betting = np.isfinite(means[0]) & (np.cumsum(np.isfinite(means[0])) > LEARNED)
    total, gains = np.full(count, -np.inf), []
    for ranked in (means[0], -means[0], means[1], -means[1]):
        p = p_values(ranked, np.array([0, count]), np.arange(count)).p
        log_p = np.log(np.where(is_betting, p, 1.0))
        for kappa in _KAPPAS:
            bets = np.where(is_betting, np.log(kappa) + (kappa - 1) * log_p, 0.0)
            gain = np.append(0.0, np.cumsum(bets))
            total = np.logaddexp(total, gain[1:] + np.logaddexp.accumulate(-gain[:-1]))
            gains.append(gain)
    total -= np.log(len(gains))
    alarms = np.flatnonzero(is_betting & (total >= -np.log(rate)))
    if not len(alarms):
        return None
    row = int(alarms[0])
    begins = [_last_minimum(gain[: row + 1]) for gain in gains]
    best = int(np.argmax([gain[row + 1] - gain[begin] for gain, begin in zip(gains, begins, strict=True)]))
    return Change(row, begins[best], DIRECTIONS[best // len(_KAPPAS)], float(np.exp(total[row])))


def _last_minimum(values: Float64[np.ndarray, " n"]) -> int:
    return len(values) - 1 - int(np.argmin(values[::-1]))
