"""What kind of event surprises belong to, once a season has passed since it began (A1).

The reference is the profile of the season: the median of each phase over four seasons before the event, moved to the
level of the last one. They are the same days of four weeks before where a season is a day and two weeks are known,
else the four seasons just before. The noise is the median distance of these seasons from their profile, the drift the
median distance between the levels of neighbouring ones. When a season has passed since the first surprise of an event,
the event is

- "rhythm" if the profile stood out from the noise and is missing since: the deviations from the reference have a slope
  of less than -1/2 over the profile, and the median distance of the observations from their median is less than half
  that of the profile;
- "level shift" if in the second half of that season the median deviation is more than three times the noise and the
  drift, with three quarters of the deviations on its side;
- "spread" if the median distance from that median is more than two and a half times the noise;
- "spike" else: the series is back within a season.

A series without a season has spans of a horizon instead, and a constant profile. The kind stays unknown where half of
the season since, or of the one before, is missing, and where there are no two before.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64, Shaped

KINDS = ("spike", "level shift", "spread", "rhythm", "missing")
MISSING = KINDS.index("missing")
_PAST = 4  # spans before an event that are its reference
_LEAST_SPAN = 5  # steps
_MOST_SPANS = 8  # of which a longer season consists whose spans are compared: the days of a week
_STANDS_OUT = 2.0  # times the noise: the deviation of a profile whose absence is noticed
_SLOPE, _FLAT = -0.5, 0.5
_SHIFT, _SIDE = 3.0, 0.75
_SPREAD = 2.5
# by the number of seasons: the median distance from the truth, in units of that from their own median (simulated)
_CONSISTENT = np.array([np.nan, np.nan, 1.48, 2.17, 1.44])
_VALUES = 1 << 22  # that are in work at once


def kind_span(season: int, horizon: int) -> int:
    """How many steps after its first surprise the kind of an event is decided.

    Args:
        season: The length of a season in steps, 0 if there is none.
        horizon: H, the number of steps forecast.
    """
    return season if season >= _LEAST_SPAN else max(horizon, _LEAST_SPAN)


def event_kinds(
    values: Float64[np.ndarray, " N"],
    begins: Int64[np.ndarray, " E"],
    bounds: Int64[np.ndarray, "2 E"],
    span: int,
    seasons: tuple[int, ...],
) -> Int64[np.ndarray, " E"]:
    """The kinds of events, each as of the row `span` after its first surprise.

    Args:
        values: (N,) observations, NaN where there is none.
        begins: (E,) the row of the first surprise of each event.
        bounds: (2, E) the first row of its series, and that after the last.
        span: What `kind_span` gives.
        seasons: The lengths of the data's seasons in steps, ascending.

    Returns:
        (E,) numbers of `KINDS`; -1 where the kind is not known yet, or too much is missing to tell.
    """
    kinds, is_seasonal = np.full(len(begins), -1), seasons[:1] == (span,)
    longest = seasons[-1] if is_seasonal and seasons[-1] <= _MOST_SPANS * span else span
    lags = np.where(begins - 2 * longest >= bounds[0], longest, span)
    is_past = begins + span < bounds[1]
    count = max(_VALUES // ((_PAST + 1) * span), 1)
    for events in np.array_split(np.flatnonzero(is_past), max(-(-int(is_past.sum()) // count), 1)):
        if len(events):
            after = begins[events, None] + np.arange(span + 1)
            rows = after[:, None, :-1] - lags[events, None, None] * np.arange(_PAST, 0, -1)[:, None]
            past = np.where(rows >= bounds[0, events, None, None], values[np.maximum(rows, 0)], np.nan)
            kinds[events] = _decide(past, values[after], is_seasonal=is_seasonal)
    return kinds


def _decide(
    past: Float64[np.ndarray, "E K span"], since: Float64[np.ndarray, "E span1"], *, is_seasonal: bool
) -> Int64[np.ndarray, " E"]:
    """The kinds of events from the spans before them, the newest last, and the one since they began."""
    span = past.shape[2]
    profile = _median(past, 1) if is_seasonal else np.repeat(_median(past.reshape(len(past), -1), 1)[:, None], span, 1)
    levels = _median(past - profile[:, None], 2)
    has_season = np.isfinite(past).mean(2) > 1 / 2
    count = has_season.sum(1)
    noise = (_CONSISTENT[count] if is_seasonal else 1.0) * _median(
        np.abs(past - profile[:, None] - levels[..., None]).reshape(len(past), -1), 1
    )
    drift = np.nan_to_num(_median(np.abs(np.diff(levels, axis=1)), 1))
    # the row that decides has the phase of the first
    after = since - np.concatenate([profile, profile[:, :1]], 1) - levels[:, -1:]
    later = after[:, span // 2 :]
    shift = _median(later, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        is_shift = np.abs(shift) > _SHIFT * np.maximum(noise, drift)
        same_side = ((later * np.sign(shift)[:, None]) > 0).sum(1) / np.isfinite(later).sum(1)
        is_wider = _median(np.abs(later - shift[:, None]), 1) > _SPREAD * noise
        is_flat = _undoes(after[:, :span], profile, noise) & (_spread(since) < _FLAT * _spread(profile))
    kinds = np.select([is_flat, is_shift & (same_side >= _SIDE), is_wider], [3, 1, 2], 0)
    is_known = (np.isfinite(since).mean(1) > 1 / 2) & (np.isfinite(later).mean(1) > 1 / 2)
    return np.where(is_known & has_season[:, -1] & (count > 1), kinds, -1)


def _undoes(
    after: Float64[np.ndarray, "E span"], profile: Float64[np.ndarray, "E span"], noise: Float64[np.ndarray, " E"]
) -> Shaped[np.ndarray, " E"]:
    """Whether deviations undo more than half of a profile that stands out from the noise."""
    is_known = np.isfinite(after) & np.isfinite(profile)
    count = np.maximum(is_known.sum(1), 1)
    pattern = np.where(is_known, profile, 0.0)
    pattern = np.where(is_known, profile - (pattern.sum(1) / count)[:, None], 0.0)
    variance = (pattern**2).sum(1)
    slope = (np.where(is_known, after, 0.0) * pattern).sum(1) / variance
    return (variance > 0) & (np.sqrt(variance / count) > _STANDS_OUT * noise) & (slope < _SLOPE)


def _spread(values: Float64[np.ndarray, "E n"]) -> Float64[np.ndarray, " E"]:
    """The median distance from the median."""
    return _median(np.abs(values - _median(values, 1)[:, None]), 1)


def _median(values: Float64[np.ndarray, "*N"], axis: int) -> Float64[np.ndarray, "*M"]:
    """The median of the known values along an axis, NaN where none is."""
    ordered = np.sort(values, axis)
    count = np.isfinite(ordered).sum(axis, keepdims=True)
    low, high = (np.take_along_axis(ordered, np.maximum(at, 0), axis) for at in ((count - 1) // 2, count // 2))
    return np.where(count > 0, (low + high) / 2, np.nan).squeeze(axis)
