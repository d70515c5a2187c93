"""The seasons of a long window: those of the calendar, common ones where there is no calendar, and free ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int32

from nbforecast.forecasters.pretrained.long_context import COARSE, RECENT
from nbforecast.forecasters.scaled_context import first_true, running_sum, take, total
from nbforecast.forecasters.seasonality import Seasons

if TYPE_CHECKING:
    from nbforecast.forecasters.pretrained.long_context import LongContext
    from nbforecast.forecasters.scaled_context import ScaledContext

COMMON = (7, 12, 24, 168)  # looked for where there is no calendar
_DAYS = (24, 48, 96)  # seasons that may be those of a day
MIN_COARSE_LAG = 96  # from here on a season is looked for among the means of four steps
_LAGS = RECENT // 2
_Z, _COMMON_Z = 1.645, 2.6  # of a correlation of changes: of the calendar's seasons, and of common ones
_SMOOTH_Z, _SMOOTH_R, _COMMON_SMOOTH_Z, _COARSE_SMOOTH_R = 2.33, 0.3, 3.3, 0.45
_FREE_Z = 4.0  # the largest of some 250 lags of noise stays below
_MAX_UNEXPLAINED_RATIO = 0.75


def _transform() -> tuple[Float32[np.ndarray, "F T"], Float32[np.ndarray, "F T"], Float32[np.ndarray, "K F"]]:
    """Matrices of a Fourier transform of zero-padded values, and of a power spectrum to its correlations.

    The transform takes the sums and the differences of values at the same distance from the middle.
    """
    size = RECENT + _LAGS
    frequencies = np.arange(size // 2 + 1)[:, None]
    angle = 2.0 * np.pi * frequencies * (np.arange(RECENT // 2) + 0.5) / size
    weights = np.where((frequencies == 0) | (frequencies == size // 2), 1.0, 2.0) / size
    back = weights * np.cos(2.0 * np.pi * frequencies * np.arange(_LAGS) / size)
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32), back.T.astype(np.float32)


_COSINES, _SINES, _BACK = _transform()


def autocorrelation(past: ScaledContext) -> tuple[Float32[Array, "K B"], Float32[Array, "K B"]]:
    """Returns the autocorrelation of the steps' changes, and its z-scores with Bartlett's standard error.

    Args:
        past: The contexts.
    """
    is_known = past.is_known[1:] & past.is_known[:-1]
    weights = is_known.astype(jnp.float32)
    count = jnp.maximum(total(weights), 1.0)
    changes = jnp.diff(past.values, axis=0)
    deviations = (changes - total(changes * weights) / count) * weights
    limit = 4.0 * total(jnp.abs(deviations)) / count
    deviations = jnp.pad(jnp.clip(deviations, -limit, limit), ((1, 0), (0, 0)))
    before, after = deviations[: RECENT // 2][::-1], deviations[RECENT // 2 :]
    power = (_COSINES @ (after + before)) ** 2 + (_SINES @ (after - before)) ** 2
    lags = jnp.arange(_LAGS)[:, None]
    pairs = jnp.maximum(count * (1.0 - lags / jnp.maximum(RECENT - 1 - past.first, 1)), 1.0)
    covariance = (_BACK @ power) / pairs
    r = jnp.where(covariance[0] > 0.0, covariance / jnp.maximum(covariance[0], 1e-12), 0.0)
    variance = 2.0 * (running_sum(r**2) - r**2) - 1.0
    return r, r / jnp.sqrt(jnp.maximum(variance, 1.0) / pairs)


def smooth_correlation(
    past: ScaledContext, long: LongContext, lags: Int32[Array, " S"]
) -> tuple[Float32[Array, "S B"], Float32[Array, "S B"]]:
    """Returns the correlation over each lag of what a centred moving mean of that width leaves, and its z-score.

    Long lags are looked for among the means of `COARSE` steps.

    Args:
        past: The contexts.
        long: The same in their whole length.
        lags: The lags, in steps.
    """
    # the views one after the other, their sums padded, so that every lag is a slice of one array
    views = jnp.stack([past.values, long.coarse])
    weights = jnp.stack([past.is_known, long.coarse_known]).astype(jnp.float32)
    sums, counts = (jax.vmap(running_sum)(v) for v in (views * weights, weights))
    padding = ((0, 0), (RECENT, 0), (0, 0))
    ends = [jnp.repeat(s[:, -1:], RECENT, 1) for s in (sums, counts)]
    rows = [jnp.concatenate([jnp.pad(s, padding), end], 1) for s, end in zip((sums, counts), ends, strict=True)]
    rows = [row.reshape(-1, row.shape[-1]) for row in (*rows, views, weights)]
    sums, counts, views, weights = jax.lax.optimization_barrier(rows)

    def at_lag(lag: Int32[Array, ""]) -> tuple[Float32[Array, " B"], Float32[Array, " B"]]:
        view = is_coarse(lag).astype(jnp.int32)
        lag = jnp.where(view == 1, lag // COARSE, lag)
        half = lag // 2
        start = 3 * RECENT * view + RECENT

        def window(sums: Float32[Array, "R B"]) -> Float32[Array, "T B"]:
            low, high = (jax.lax.dynamic_slice_in_dim(sums, start + d, RECENT) for d in (-half - 1, half))
            return high - low

        values, known = (jax.lax.dynamic_slice_in_dim(v, RECENT * view, RECENT) for v in (views, weights))
        residual = (values - window(sums) / jnp.maximum(window(counts), 1.0)) * known
        before, known_before = (
            jax.lax.dynamic_slice_in_dim(jnp.pad(v, ((RECENT, 0), (0, 0))), RECENT - lag, RECENT)
            for v in (residual, known)
        )
        pairs = jnp.maximum(total(known * known_before), 1.0)
        size = total(residual**2) / jnp.maximum(total(known), 1.0)
        r = total(residual * before) / pairs / jnp.maximum(size, 1e-12)
        return r, r * jnp.sqrt(pairs)

    return jax.lax.map(at_lag, lags)


def is_coarse(lag: Int32[Array, "*n"]) -> Bool[Array, "*n"]:
    """Returns whether a season is looked for among the means of `COARSE` steps."""
    return (lag >= MIN_COARSE_LAG) & (lag % COARSE == 0)


def find_seasons(
    past: ScaledContext, long: LongContext, calendar: Int32[Array, " S"]
) -> tuple[Seasons, Int32[Array, "2 B"]]:
    """Returns the seasons that windows show, and those that their calendar gives or, without one, that seem likeliest.

    Args:
        past: The contexts.
        long: The same in their whole length.
        calendar: The calendar's season lengths in steps, ascending; 0 for none.
    """
    is_dated = calendar[0] > 0
    slots = jnp.where(is_dated, calendar, jnp.array(COMMON, jnp.int32))[:, None]
    r, z = autocorrelation(past)
    smooth, score = smooth_correlation(past, long, slots[:, 0])
    is_fine = slots < _LAGS
    changes, changes_z = (jnp.where(is_fine, v[jnp.minimum(slots[:, 0], _LAGS - 1)], 0.0) for v in (r, z))
    min_r = jnp.where(is_coarse(slots), _COARSE_SMOOTH_R, _SMOOTH_R)
    shows_smoothly = (score > jnp.where(is_dated, _SMOOTH_Z, _COMMON_SMOOTH_Z)) & (smooth > min_r)
    shows_in_changes = is_fine & (changes_z > jnp.where(is_dated, _Z, _COMMON_Z))
    slot_r = jnp.maximum(jnp.where(shows_in_changes, changes, -1.0), jnp.where(shows_smoothly, smooth, -1.0))
    length = long.length
    fits = (slots > 1) & (slots * 2 + 2 <= length) & (is_fine | is_coarse(slots))
    is_slot = fits & (shows_smoothly | shows_in_changes)
    lags = jnp.arange(_LAGS)[:, None]
    is_peak = (r >= jnp.roll(r, 1, 0)) & (r >= jnp.roll(r, -1, 0)) & (lags >= 3) & (lags < _LAGS - 1)
    is_free = is_peak & (z > _FREE_Z) & (lags * 2 + 2 <= past.length)
    slot, slot_short_r = _strongest(is_slot, slot_r, slots, 0.7)
    free, free_r = _strongest(is_free, r, lags, 0.7)
    is_stronger_free = ~is_dated & (free_r > jnp.maximum(slot_short_r, 0.0) + 0.05) & (free > 0)
    use_slot = is_slot.any(0) & ~is_stronger_free
    short, short_r = jnp.where(use_slot, slot, free), jnp.where(use_slot, slot_short_r, free_r)

    # a season longer than the first has to explain more, and leave steps to learn from after one whole cycle
    def is_longer(
        lengths: Int32[Array, "n #B"], strength: Float32[Array, "n B"], than: Float32[Array, " B"]
    ) -> Bool[Array, "n B"]:
        is_stronger = (1.0 - strength < _MAX_UNEXPLAINED_RATIO * (1.0 - than)) & (than < 0.99)
        ratio = lengths / jnp.maximum(short, 1)
        return (short > 0) & (lengths > short) & (ratio == jnp.floor(ratio)) & is_stronger & (lengths * 7 <= length * 5)

    smooth_of_short = jnp.where(slots == short, smooth, 0.0).sum(0)
    is_slot_long = is_slot & is_longer(slots, jnp.where(is_fine, slot_r, smooth), jnp.maximum(short_r, smooth_of_short))
    slot_long, slot_long_r = _strongest(is_slot_long, slot_r, slots, 1.0)
    is_free_long = is_peak & (z > _Z) & is_longer(lags, r, take(r, short[None])[0]) & (lags * 7 <= past.length * 5)
    free_long, free_long_r = _strongest(is_free_long, r, lags, 1.0)
    longer = jnp.where(slot_long_r >= free_long_r, slot_long, free_long)
    # without a calendar the likeliest of the common seasons takes its place, shown or not
    likely, _ = _strongest(fits & (smooth > 0.0), smooth, slots, 1.0)
    batch = length.shape
    week = jnp.where((short == jnp.array(_DAYS)[:, None]).any(0) & (14 * short + 2 <= length), 7 * short, 0)
    guess = jnp.stack([jnp.where(short > 0, short, likely), jnp.where(longer > 0, longer, week)])
    return Seasons(short, longer), jnp.where(is_dated, jnp.broadcast_to(calendar[:2, None], (2, *batch)), guess)


def _strongest(
    is_allowed: Bool[Array, "n B"], r: Float32[Array, "n B"], lengths: Int32[Array, "n 1"], share: float
) -> tuple[Int32[Array, " B"], Float32[Array, " B"]]:
    """The first length with at least a share of the strongest correlation, and its own; 0 if none is allowed."""
    allowed_r = jnp.where(is_allowed, r, -1.0)
    best = allowed_r.max(0)
    row = first_true(is_allowed & (r >= share * jnp.maximum(best, 0.0)))
    is_any = is_allowed.any(0)
    return jnp.where(is_any, take(jnp.broadcast_to(lengths, r.shape), row[None])[0], 0), jnp.where(
        is_any, take(allowed_r, row[None])[0], -1.0
    )
