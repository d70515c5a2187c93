"""Forecasting from every origin of a series, beside the libraries that do so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import nbforecast as nbf
from nbforecast import session
from nbforecast.data import prepare
from nbforecast.engine.inference import run_inference
from nbforecast.forecasters.registry import resolve
from tests.benchmarks.peers import WINDOW, missing, peers
from tests.benchmarks.series import hourly
from tests.benchmarks.table import Table, number, ratio
from tests.benchmarks.timing import compare

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

MODELS = ("naive", "theta", "ridge", "auto", "pretrained")
HORIZON = 12
OURS = (
    "A full run is the public path, `nbf.forecast(frame, model, force=True, wait=True)`: preparing the frame, ten "
    "quantile levels for every origin from its own context of 512 points alone, then quantiles, scores and "
    "the newest densities, written in batches of 32. Inference alone is the same forecasts in one array. Both are warm "
    "(compiled before) and use all cores."
)
THEIRS = (
    f"statsforecast: `cross_validation`, step 1, input_size {WINDOW}, n_jobs=1 (it would share out series, and here is "
    "one), the newest origins; AutoETS and AutoTheta weigh more models against each other than ours do. Darts: "
    "`historical_forecasts(last_points_only=False)` of a model fitted before, outside the time given, but for "
    "retrain=True. No peer scores its forecasts here. x 10: ten times as many origins a second as the peer."
)


def tables(quick: bool) -> Iterator[Table]:
    name, frame = hourly(1500 if quick else None)
    figures = {model: _ours(frame, model, 1 if quick else 3) for model in (MODELS[:2] if quick else MODELS)}
    rows = [(model, number(full), number(alone), f"{full / alone:.0%}") for model, (full, alone) in figures.items()]
    yield Table(
        f"Every origin of {name}, horizon {HORIZON}: origins a second",
        ("model", "full run", "inference alone", "share of inference"),
        rows,
        (OURS,),
    )
    beside = []
    for peer in peers(frame, HORIZON, quick):
        known = ((m, *figures[m]) for m in peer.ours if m in figures)
        against = [f"{m} {ratio(full / peer.rate)} ({ratio(alone / peer.rate)})" for m, full, alone in known]
        beside.append(
            (peer.name, peer.computes, f"{peer.windows:,}", number(peer.rate), ", ".join(against) or "not run")
        )
    absent = [f"Not installed, so not measured: {', '.join(missing())}."] if missing() else []
    columns = ("peer", "at each origin", "origins", "a second", "our full run (inference alone)")
    yield Table("The same by others", columns, beside, (THEIRS, *absent))


def _ours(frame: pl.DataFrame, model: str, repeats: int) -> tuple[float, float]:
    """Origins per second of a full run, and of inference alone."""
    forecaster, data = resolve(model), prepare(frame)
    rows = np.flatnonzero(forecaster.availability(data) == 0)
    taken = compare(
        {
            "full": lambda: nbf.forecast(frame, model, HORIZON, force=True, wait=True),
            "alone": lambda: run_inference(forecaster, data, rows, HORIZON),
        },
        repeats,
    )
    session.results().clear()
    return len(rows) / taken["full"], len(rows) / taken["alone"]
