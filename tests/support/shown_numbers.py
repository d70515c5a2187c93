"""W6: numbers as Python writes them, for the front end's tests; `python -m tests.support.shown_numbers` saves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nbforecast.charts.geometry import padded_range
from nbforecast.charts.text_layout import decimal
from nbforecast.charts.ticks import value_axis
from nbforecast.scoring.origin_scores import QUANTILE_LEVELS, calculate
from nbforecast.text import distinct_numbers, number
from tests.support.hard_series import ROWS, hard_values

GOLDEN = Path(__file__).parents[1] / "golden" / "shown.json"
HORIZON = 6
ROW = 96  # the origin: the glitch of `glitch` is in its horizon
_SPREADS = np.array([-2, -1.3, -0.7, 0, 0.7, 1.3, 2])


def shown_numbers() -> dict[str, Any]:
    """Axes of random ranges, and the forecast of each hard series, with all texts that Python writes of them."""
    rng = np.random.default_rng(3)
    return {"axes": [_axis(*_ends(rng), count) for count in (2, 4, 5.4, 7) for _ in range(30)],
            "numbers": [_numbers(rng) for _ in range(40)],
            "series": [_forecast(name, values, rng) for name, values in hard_values(ROWS).items()]}  # fmt: skip


def _ends(rng: np.random.Generator) -> tuple[float, float]:
    """The ends of values of any size, on narrow ranges and wide ones, below zero and above."""
    size, width = 10.0 ** rng.uniform(-12, 15), 10.0 ** rng.uniform(-7, 0.5)
    low = float(rng.choice([size, -size, 0]))
    return low, low + size * width


def _axis(low: float, high: float, count: float) -> dict[str, Any]:
    ends = padded_range(low, high)
    axis = value_axis(*ends, count)
    middle = low + 0.37 * (high - low)
    return {"low": low, "high": high, "count": count, "ends": ends, "ticks": axis.values, "labels": axis.labels,
            "value": middle, "exact": axis.exact(middle)}  # fmt: skip


def _numbers(rng: np.random.Generator) -> dict[str, Any]:
    low, high = _ends(rng)
    values = [low, high, *rng.uniform(low, high, 2).tolist(), 2.5, -0.125]
    return {"values": values, "digits": [3, 4], "texts": [distinct_numbers(values, digits) for digits in (3, 4)]}


def _forecast(name: str, values: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    steps = np.sqrt(np.arange(1, HORIZON + 1))[:, None]
    spread = np.median(np.abs(np.diff(values[: ROW + 1])))
    ends = (values[ROW] + spread * steps * (_SPREADS + rng.normal(0, 0.5, (HORIZON, 1)))).astype(np.float32)
    actual = values[ROW + 1 : ROW + 1 + HORIZON]
    scores = calculate(ends[None], actual[None], QUANTILE_LEVELS, 1)
    rounded = actual.astype(np.float32)
    low, high = padded_range(float(min(values.min(), ends.min())), float(max(values.max(), ends.max())))
    last = [decimal(ends[step, end]) for step, end in ((0, 3), (-1, 3), (-1, 1), (-1, 5))]
    return {
        "name": name,
        "row": ROW,
        "values": values.tolist(),
        "ends": ends.astype(float).ravel().tolist(),
        "mae": number(float(scores.abs_error.mean(dtype=np.float64)), 4),
        "inside": [int(((ends[:, 2 - b] <= rounded) & (rounded <= ends[:, 4 + b])).sum()) for b in range(3)],
        "described": distinct_numbers([*last, float(actual[-1])]),
        "end": value_axis(low, high, 5).exact(ends[-1, 3]),
        "range": [low, high],
    }


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(shown_numbers(), ensure_ascii=False), encoding="utf-8")
