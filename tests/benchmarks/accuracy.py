"""How good the forecasters are: `python -m tests.benchmarks.accuracy [--sets A,B] [--models A,B] [--peers A,B]`.

Prints Markdown: MASE and weighted quantile loss (twice the mean pinball loss over the ten levels, over the sum of the
actuals) relative to the seasonal naive of statsforecast, the coverage of the 80 % interval, and seconds. Peers get
what the literature gives them: the season of the set, and the last 512 points with gaps interpolated; ours see as many
as their context holds.
"""

from __future__ import annotations

import argparse
import time
import warnings
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from nbforecast.forecasters.error_quantiles import DRAW_LEVELS
from nbforecast.forecasters.registry import resolve
from nbforecast.forecasters.window_forecaster import WindowForecaster
from tests.benchmarks.cases import RECENT, SELECTION, SETS, Case
from tests.support.windows import MODELS, batches

BUILD = Path(__file__).parents[2] / "build" / "accuracy"
PEERS = ("AutoETS", "AutoTheta", "AutoARIMA")
BASE = "SeasonalNaive"


class Score(NamedTuple):
    mase: float
    wql: float
    coverage: float
    seconds: float


def score(draws: np.ndarray, cases: list[Case], seconds: float) -> Score:
    actual = np.stack([c.actual for c in cases])
    median = draws[..., 4:6].mean(-1)
    recent = np.stack([c.history[-RECENT:] for c in cases])
    scale = np.array([np.nanmean(np.abs(r[c.mase :] - r[: -c.mase])) for r, c in zip(recent, cases, strict=True)])
    fine = np.isfinite(scale) & (scale > 0)
    mase = (np.abs(actual - median).mean(1)[fine] / scale[fine]).mean()
    error, level = actual[..., None] - draws, np.array(DRAW_LEVELS)
    pinball = 2 * np.maximum(level * error, (level - 1) * error).mean(-1)
    low, high = draws[..., :2].mean(-1), draws[..., -2:].mean(-1)
    inside = (actual >= low) & (actual <= high)
    return Score(float(mase), float(pinball.sum() / np.abs(actual).sum()), float(inside.mean()), seconds)


def ours(
    name: str, cases: list[Case], sizes: tuple[int, ...] = WindowForecaster.batch_sizes[:2]
) -> tuple[np.ndarray, float]:
    """Draws for all cases, and the seconds of a second run (the first one compiles)."""
    out, seconds = [], 0.0
    for (calendar, horizon), group in groupby(cases, key=lambda c: (c.calendar, len(c.actual))):
        model = resolve(name)
        history = np.stack([c.history[-model.context :] for c in group])
        predict = model.compiled(horizon, 0)  # type: ignore[attr-defined]
        for batch, count in batches(history, calendar, sizes):
            jax.block_until_ready(predict(batch))
            start = time.perf_counter()
            draws = np.asarray(predict(batch))
            seconds += time.perf_counter() - start
            last = batch.location[:count, None, None].astype(np.float64)
            out.append(draws[:count].astype(np.float64) + last)
    return np.concatenate(out), seconds


def peer(name: str, set_name: str, cases: list[Case]) -> tuple[np.ndarray, float]:
    """Draws of a statsforecast model, from the cache under build/ where it has run before."""
    file = BUILD / f"{name}__{set_name}.npz"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        draws = np.stack([_peer_draws(name, case) for case in cases])
        np.savez(file, draws=draws, seconds=time.perf_counter() - start)
    with np.load(file) as saved:
        return saved["draws"], float(saved["seconds"])


def _peer_draws(name: str, case: Case) -> np.ndarray:
    from statsforecast import models

    recent = case.history[-RECENT:]
    x = recent[np.argmax(~np.isnan(recent)) :]
    missing = np.isnan(x)
    x = np.interp(np.arange(len(x)), np.flatnonzero(~missing), x[~missing])
    season = case.mase if len(x) > 2 * case.mase else 1
    horizon, level = len(case.actual), [10, 30, 50, 70, 90]

    def run(model: str) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            f = getattr(models, model)(season_length=season).forecast(x, h=horizon, level=level)
        return np.stack([*(f[f"lo-{v}"] for v in level[::-1]), *(f[f"hi-{v}"] for v in level)], -1)

    naive = np.nan_to_num(run(BASE), nan=x[-1])
    if name == BASE:
        return naive
    try:
        draws = run(name)
    except Exception:
        return naive
    exploded = np.abs(draws - x.mean()).max() > 1e3 * (np.ptp(x) + 1e-9)
    return draws if np.isfinite(draws).all() and not exploded else naive


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--peers", default="", help=f"of {', '.join(PEERS)} (the last takes an hour)")
    options = parser.parse_args()
    names = [*filter(None, (*options.models.split(","), *options.peers.split(",")))]
    table: dict[str, list[tuple[float, ...]]] = {n: [] for n in names}
    print("| set | " + " | ".join(f"{n}: MASE / WQL / 80 % / s" for n in names) + " | windows |")
    print("|---" * (len(names) + 2) + "|")
    for set_name in options.sets.split(","):
        cases = list(SETS[set_name]())
        base = score(*_with(cases, peer(BASE, set_name, cases)))
        row = []
        for name in names:
            found = peer(name, set_name, cases) if name in PEERS else ours(name, cases)
            s = score(*_with(cases, found))
            table[name].append((s.mase / base.mase, s.wql / base.wql, s.coverage, s.seconds))
            row.append("{:.3f} / {:.3f} / {:.2f} / {:.2f}".format(*table[name][-1]))
        print(f"| {set_name} | " + " | ".join(row) + f" | {len(cases)} |", flush=True)
    chosen = options.sets.split(",")
    first = [n for n in chosen if n in SELECTION]
    halves = {"mean": chosen, "chosen on": first, "held out": [n for n in chosen if n not in first]}
    for label, half in halves.items():
        at = [chosen.index(n) for n in half]
        if at:
            row = [_mean(np.array(table[name])[at]) for name in names]
            print(f"| **{label}** (geometric; sum of s) | " + " | ".join(row) + " | |")


def _mean(scores: np.ndarray) -> str:
    """Of sets: geometric means of errors, the mean coverage, the sum of seconds."""
    mase, wql = np.exp(np.log(scores[:, :2]).mean(0))
    return f"{mase:.3f} / {wql:.3f} / {scores[:, 2].mean():.2f} / {scores[:, 3].sum():.2f}"


def _with(cases: list[Case], found: tuple[np.ndarray, float]) -> tuple[np.ndarray, list[Case], float]:
    return found[0], cases, found[1]


if __name__ == "__main__":
    main()
