"""Quantiles, scores and densities of many origins, beside loops over them with NumPy and SciPy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbforecast.scoring.origin_scores import DENSITY_POINTS, QUANTILE_LEVELS, calculate, densities, draw_levels
from tests.benchmarks.table import Table, number, ratio
from tests.benchmarks.timing import compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HORIZON, DRAWS, BATCH = 12, 10, 32


def tables(quick: bool) -> Iterator[Table]:
    many, few, repeats = (1024, 20, 1) if quick else (8192, 150, 5)
    random = np.random.default_rng(1)
    draws = np.sort(random.normal(100, 5, (many, HORIZON, DRAWS)).astype(np.float32), -1)
    actual = random.normal(100, 5, (many, HORIZON))
    probabilities = draw_levels(None, DRAWS)

    def ours(batch: int) -> None:
        for at in range(0, many, batch):
            calculate(draws[at : at + batch], actual[at : at + batch], probabilities, batch)

    def dense(batch: int) -> None:
        for at in range(0, many, batch):
            densities(draws[at : at + batch], batch)

    work: dict[str, tuple[int, Callable[[], object]]] = {
        f"quantiles and scores, batches of {BATCH}": (many, lambda: ours(BATCH)),
        "quantiles and scores, batches of 512": (many, lambda: ours(512)),
        "NumPy, an origin at a time": (few, lambda: _numpy(draws[:few], actual[:few])),
        f"densities, {DENSITY_POINTS} points, batches of {BATCH}": (many, lambda: dense(BATCH)),
        f"densities, {DENSITY_POINTS} points, batches of 256": (many, lambda: dense(256)),
        f"scipy `gaussian_kde`, {DENSITY_POINTS} points": (few, lambda: _scipy(draws[:few], DENSITY_POINTS)),
        "scipy `gaussian_kde`, 200 points": (few, lambda: _scipy(draws[:few], 200)),
    }
    taken = compare({name: call for name, (_, call) in work.items()}, repeats)
    speed = {name: count / taken[name] for name, (count, _) in work.items()}
    numpy_loop, _, scipy_loop = list(speed.values())[2], None, list(speed.values())[5]
    rows = [
        (name, number(v), ratio(v / numpy_loop) if at < 3 else ratio(v / scipy_loop))
        for at, (name, v) in enumerate(speed.items())
    ]
    yield Table(
        f"Calculations of forecasts of {HORIZON} steps and {DRAWS} draws: origins a second",
        ("", "origins a second", "to the loop"),
        rows,
        (
            f"Ours: {len(QUANTILE_LEVELS)} quantiles, absolute error, CRPS, pinball loss and coverage in one jitted "
            f"function; the engine works in batches of {BATCH}. NumPy: `np.quantile` and the CRPS's double sum "
            f"for each origin. scipy: one `gaussian_kde` a step, compared at an equal grid of {DENSITY_POINTS} points.",
        ),
    )


def _numpy(draws: np.ndarray, actual: np.ndarray) -> None:
    for sample, seen in zip(draws, actual, strict=True):
        wanted = np.quantile(sample, QUANTILE_LEVELS, axis=1)
        over = seen - wanted
        np.maximum(np.array(QUANTILE_LEVELS)[:, None] * over, (np.array(QUANTILE_LEVELS)[:, None] - 1) * over).mean(0)
        spread = np.abs(sample[:, :, None] - sample[:, None, :]).mean((1, 2))
        np.abs(sample - seen[:, None]).mean(1) - spread / 2
        (seen >= wanted[:3]) & (seen <= wanted[:3:-1])


def _scipy(draws: np.ndarray, points: int) -> None:
    from scipy.stats import gaussian_kde

    for sample in draws:
        for values in sample:
            reach = 3 * values.std()
            gaussian_kde(values)(np.linspace(values.min() - reach, values.max() + reach, points))
