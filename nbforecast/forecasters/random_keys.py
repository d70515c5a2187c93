"""Random bits for each origin, which depend on seed, series and time alone (E8)."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64, UInt32

if TYPE_CHECKING:
    from nbforecast.data import Dataset


def random_keys(
    data: Dataset, rows: Int64[np.ndarray, " R"], step: Int64[np.ndarray, " R"], seed: int
) -> UInt32[np.ndarray, "R 2"]:
    """Return the random bits of some origins, which no batch and no other row changes.

    Args:
        data: The dataset.
        rows: (R,) rows of the origins.
        step: (R,) their numbers on the grid.
        seed: Any integer; its lowest 64 bits count.
    """
    series, series_index = np.unique(np.searchsorted(data.offsets, rows, side="right") - 1, return_inverse=True)
    name_bits = np.array([_series_bits(data.ids[i]) for i in series], np.uint32)
    seed_bits = seed % 2**64
    rotated_bits = np.uint64(seed_bits << 32 & 0xFFFFFFFF00000000 | seed_bits >> 32)
    step_bits = (step.astype(np.uint64) ^ rotated_bits) * np.uint64(0x9E3779B97F4A7C15)
    return np.stack(
        [name_bits[series_index] ^ (step_bits >> np.uint64(32)).astype(np.uint32), step_bits.astype(np.uint32)], 1
    )


@lru_cache(maxsize=65536)
def _series_bits(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
