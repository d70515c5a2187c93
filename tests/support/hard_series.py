"""W6: series whose numbers are hard to show: of any size, exponential, with glitches, offsets and ties."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tests.support.explorers import series

if TYPE_CHECKING:
    from jaxtyping import Float64

ROWS = 160


def hard_values(rows: int = ROWS) -> dict[str, Float64[np.ndarray, " N"]]:
    """The values of each series, by its name."""
    rng = np.random.default_rng(7)
    time = np.arange(rows)
    wave = np.sin(time * 2 * np.pi / 24) + rng.normal(0, 0.3, rows)
    glitch, level = 10 + wave, 10 + wave
    glitch[rows * 5 // 8] = 1e6
    level[rows * 3 // 4 :] *= 1000
    return {
        "tiny": (3 + wave) * 1e-12,
        "huge": (3 + wave) * 1e15,
        "exponential": np.round(5 * np.exp(0.084 * time) * np.exp(rng.normal(0, 0.1, rows))),
        "glitch": glitch,
        "level": level,
        "offset": 4.99e9 + np.round(20 * wave),
        "constant": np.full(rows, 0.1),
        "counts": rng.poisson(1.2, rows).astype(float),
        "negative": -120 + 15 * wave,
        "glucose": np.round(120 + 40 * wave, 1),
    }


def hard_panel(rows: int = ROWS) -> pl.DataFrame:
    """The series as one panel, hourly."""
    parts = [series(rows, name=name).with_columns(y=values) for name, values in hard_values(rows).items()]
    return pl.concat(parts)
