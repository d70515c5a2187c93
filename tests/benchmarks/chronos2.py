"""Chronos-2 beside its PyTorch original on the same random weights and batches, and what an origin costs by context."""

from __future__ import annotations

import tempfile
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import polars as pl

from nbforecast.data import prepare
from nbforecast.engine.tasks import newest_first
from nbforecast.forecasters.chronos2.forecaster import Chronos2
from nbforecast.forecasters.chronos2.network import Sizes
from tests.benchmarks.networks import operations, product_rate
from tests.benchmarks.table import Table, number, ratio
from tests.benchmarks.timing import compare, seconds
from tests.support.networks import CHRONOS2, CHRONOS2_LEVELS, chronos2_weights, save_chronos2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbforecast.data import Dataset

SMALL = Sizes(
    width=512, head=64, heads=8, feed_forward=2048, layers=6, context=8192, patch=16, patches=64,
    levels=CHRONOS2_LEVELS, time_scale=8192,
)  # fmt: skip
HORIZON = 12
ORIGINS = 17_420  # of ETTh1
GPU_RATE = 20e12  # operations per second that a GPU is assumed to sustain in single precision
NOTES = (
    "Random weights of the geometry of chronos-2-small (28 million parameters) in both, float32, 12 steps. Ours: from "
    "origins of a series to quantiles. PyTorch: the network alone (its default attention), from tensors to quantiles. "
    "Medians of calls in turns, by processor time of all threads, so that other work on the machine counts for little; "
    "on one core (taskset -c 1) nothing is lost by threads that wait.",
)
PASSES = (
    "An origin in batches of 32, for 8,192 steps of 8. Share: of what a product of two 2048 x 2048 matrices reaches on "
    f"one core in this run, by the operations that XLA counts. All: {ORIGINS:,} origins. The GPU is arithmetic: "
    f"the same operations at {GPU_RATE / 1e12:.0f} TFLOP/s sustained, nothing else counted; none was measured. Memory: "
    "what the compiled function needs beside the weights.",
)
GROUPS = "A panel of eight series of 552 steps, the newest 32 origins. A covariate is read by its series alone."


def tables(quick: bool) -> Iterator[Table]:
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        peak = product_rate(quick, process_time)
        yield Table(
            "Chronos-2 beside PyTorch: origins a second of processor time",
            ("context", "batch", "ours", "compiled (s)", "PyTorch", "ratio"),
            list(_beside_pytorch(quick)),
            (*NOTES, *(["Not installed, so not measured: torch or chronos."] if _is_absent() else [])),
        )
        yield Table(
            f"What an origin of Chronos-2 costs (matrix products: {number(peak / 1e9)} GFLOP/s)",
            (
                "context",
                "origins a second",
                "GFLOP an origin",
                "share of the peak",
                "all (min)",
                "GPU (min)",
                "memory (MB)",
            ),
            list(_by_context(quick, peak)),
            PASSES,
        )
        yield Table(
            "Chronos-2 in groups: origins a second of processor time",
            ("series of a group", "together", "one by one", "with a covariate, together"),
            list(_in_groups(quick)),
            (GROUPS,),
        )
    finally:
        jax.config.update("jax_enable_compilation_cache", True)


def _beside_pytorch(quick: bool) -> Iterator[tuple[str, ...]]:
    for context in (128,) if quick else (512, 2048):
        model, data = _model(quick, context), _series(context)
        network = None if _is_absent() else _pytorch(model)
        for batch in (1, 32):
            work = partial(model.forecast, data, _rows(data, batch), HORIZON)
            compiled = seconds(work)
            peers = {} if network is None else {"theirs": partial(network, batch, context)}
            taken = compare({"ours": work, **peers}, 1 if quick else 15 if batch == 1 else 5, process_time)
            theirs = (
                (number(batch / taken["theirs"]), ratio(taken["theirs"] / taken["ours"])) if peers else ("not run", "")
            )
            yield f"{context:,}", str(batch), number(batch / taken["ours"]), number(compiled), *theirs


def _by_context(quick: bool, peak: float) -> Iterator[tuple[str, ...]]:
    for context, batch in ((128, 8),) if quick else ((512, 32), (2048, 32), (8192, 8)):
        model, data = _model(quick, context), _series(context)
        rows = _rows(data, batch)
        taken = compare({"": partial(model.forecast, data, rows, HORIZON)}, 1 if quick else 3, process_time)[""]
        each, _ = operations(model, data, rows[-1:], HORIZON)  # a batch is a loop, of which XLA counts one pass
        _, memory = operations(model, data, rows, HORIZON)
        yield (
            f"{context:,}",
            number(batch / taken),
            number(each / 1e9),
            f"{each * batch / taken / peak:.0%}",
            number(ORIGINS * taken / batch / 60),
            number(ORIGINS * each / GPU_RATE / 60),
            number(memory / 1e6),
        )


def _in_groups(quick: bool) -> Iterator[tuple[str, ...]]:
    context, batch = (128, 8) if quick else (512, 32)
    model, series = _model(quick, context), 8
    steps = np.arange(context + 40)
    frame = pl.DataFrame(
        {
            "unique_id": np.repeat(np.arange(series), len(steps)),
            "ds": np.tile(steps, series),
            "y": np.random.default_rng(0).normal(140, 4, series * len(steps)),
        }
    ).with_columns(half=pl.col("unique_id") // 4, temp=pl.col("ds").cast(pl.Float64).sin())
    newest = newest_first(data := prepare(frame), np.arange(len(data)))[:batch]
    alone = partial(model.forecast, data, newest, HORIZON)
    for groups, size in (("half", 4), ("all", 8)):
        together = partial(model.forecast, prepare(frame, target="y", groups=groups), newest, HORIZON)
        grouped = prepare(frame, target="y", groups=groups, past_covariates="temp")
        work = {"together": together, "alone": alone, "covariate": partial(model.forecast, grouped, newest, HORIZON)}
        taken = compare(work, 1 if quick else 3, process_time)
        yield str(size), *(number(batch / taken[name]) for name in work)


def _model(quick: bool, context: int) -> Chronos2:
    sizes = CHRONOS2 if quick else SMALL
    return Chronos2(chronos2_weights(sizes), sizes=sizes, longest=context)


def _series(context: int) -> Dataset:
    steps = np.arange(context + 40)
    noise = np.random.default_rng(0).normal(0, 4, len(steps))
    return prepare(pl.DataFrame({"ds": steps, "y": 140 + 40 * np.sin(steps / 12) + noise}))


def _rows(data: Dataset, batch: int) -> np.ndarray:
    return np.arange(len(data) - batch, len(data))


def _is_absent() -> bool:
    return find_spec("torch") is None or find_spec("chronos") is None


def _pytorch(ours: Chronos2) -> Callable[[int, int], Any]:
    import torch
    from chronos import BaseChronosPipeline

    with tempfile.TemporaryDirectory() as folder:
        place = save_chronos2(Path(folder), ours)
        network = BaseChronosPipeline.from_pretrained(str(place), device_map="cpu", torch_dtype=torch.float32).model

    def forecast(batch: int, context: int) -> np.ndarray:
        with torch.no_grad():
            return network(context=torch.randn(batch, context), num_output_patches=1).quantile_preds.numpy()

    return forecast
