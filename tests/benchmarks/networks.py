"""Networks beside their PyTorch originals, on the same random weights, and the network in the box beside the smallest
of them; what is not installed is left out.
"""

from __future__ import annotations

import sys
import tempfile
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import MagicMock, patch

import jax
import jax.numpy as jnp
import numpy as np

from nbforecast.data import prepare
from nbforecast.forecasters.chronos_bolt import network as bolt_network
from nbforecast.forecasters.chronos_bolt.forecaster import ChronosBolt
from nbforecast.forecasters.gluformer import network as gluformer_network
from nbforecast.forecasters.gluformer.forecaster import Gluformer
from nbforecast.forecasters.registry import resolve
from tests.benchmarks.table import Table, number, ratio
from tests.benchmarks.timing import compare, seconds
from tests.support.networks import BOLT, random_weights, save_bolt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbforecast.data import Dataset
    from nbforecast.forecasters.network_forecaster import NetworkForecaster

BOLT_LEVELS = tuple(i / 10 for i in range(1, 10))
BOLTS = {
    "chronos-bolt-tiny": bolt_network.Sizes(256, 64, 4, 1024, 4, 4, 2048, 16, 64, BOLT_LEVELS, register=True),
    "chronos-bolt-small": bolt_network.Sizes(512, 64, 8, 2048, 6, 6, 2048, 16, 64, BOLT_LEVELS, register=True),
}
HORIZON, CONTEXT = 12, 512
SAMPLES = 10
NOTES = (
    "Random weights in both, float32, all cores, equal batches. Ours: from origins of a series to quantiles. "
    f"PyTorch: from tensors of contexts of {CONTEXT} points (Gluformer: 96) to quantiles (Gluformer: {SAMPLES} "
    "samples). Share: of what a product of two 2048 x 2048 matrices reaches on this machine in this "
    "run, by the operations that XLA counts. Compiled: the first call, with nothing kept from before.",
    "pretrained has its own weights; beside it is PyTorch's Chronos-Bolt tiny, the smallest pretrained network that is "
    "much used.",
    "Gluformer's original is measured as its package calls it, with the graph for gradients, and without.",
)


class Case(NamedTuple):
    """peers: PyTorch, for a batch of so many origins."""

    name: str
    model: NetworkForecaster
    data: Dataset
    batches: tuple[int, ...]
    peers: dict[str, Callable[[int], Any]]


def tables(quick: bool) -> Iterator[Table]:
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        peak = product_rate(quick)
        rows = [row for case in _cases(quick) for row in _measure(case, peak, quick)]
    finally:
        jax.config.update("jax_enable_compilation_cache", True)
    missing = [name for name in ("torch", "chronos", "glucobench") if find_spec(name) is None]
    absent = [f"Not installed, so not measured: {', '.join(missing)}."] if missing else []
    yield Table(
        f"Networks: origins a second (matrix products: {number(peak / 1e9)} GFLOP/s)",
        ("network", "batch", "origins a second", "share of the peak", "compiled (s)", "PyTorch", "ratio"),
        rows,
        (*NOTES, *absent),
    )


def _measure(case: Case, peak: float, quick: bool) -> Iterator[tuple[str, ...]]:
    rows = np.flatnonzero(case.model.availability(case.data) == 0)
    for batch in case.batches:
        some = rows[-batch:]
        work = partial(case.model.forecast, case.data, some, HORIZON)
        compiled = seconds(work)
        peers = {name: partial(peer, batch) for name, peer in case.peers.items()}
        taken = compare({"ours": work, **peers}, 1 if quick else 3)
        ours = batch / taken["ours"]
        counted, _ = operations(case.model, case.data, some, HORIZON)
        if isinstance(case.model, Gluformer):  # a loop goes over samples, which XLA counts once
            counted *= SAMPLES // case.model._samples_per_pass(batch)
        theirs = {name: batch / taken[name] for name in case.peers}
        yield (
            case.name,
            str(batch),
            number(ours),
            f"{ours * counted / batch / peak:.0%}",
            number(compiled),
            "; ".join(f"{number(rate)}{name}" for name, rate in theirs.items()) or "not run",
            "; ".join(ratio(ours / rate) for rate in theirs.values()),
        )


def product_rate(quick: bool, clock: Callable[[], float] = time.perf_counter) -> float:
    """Operations per second of a matrix product; by `time.process_time`, per second of processor time."""
    size = 256 if quick else 2048
    one = jnp.asarray(np.random.default_rng(0).standard_normal((size, size)), jnp.float32)
    product = jax.jit(lambda x: x @ x)
    taken = compare({"product": lambda: product(one).block_until_ready()}, 20, clock)
    return 2 * size**3 / taken["product"]


def operations(model: NetworkForecaster, data: Dataset, rows: np.ndarray, horizon: int) -> tuple[float, float]:
    """Operations that XLA counts for a batch, those of a loop once, and bytes that it needs beside the weights."""
    from nbforecast.forecasters.windows import cut_windows

    windows, _ = cut_windows(data, rows, model.context, 0)
    windows = windows._replace(covariates=model.covariates(data, rows, horizon))
    shared, steps = model.shared(0), model.compiled_steps(horizon)
    function = jax.jit(lambda weights, windows: model.apply(weights, windows, shared, steps))
    compiled = function.lower(model.placed, windows).compile()
    return float(compiled.cost_analysis()["flops"]), float(compiled.memory_analysis().temp_size_in_bytes)


def _cases(quick: bool) -> Iterator[Case]:
    random = np.random.default_rng(0)
    times = np.datetime64("2024-01-01", "us") + np.arange(1200) * np.timedelta64(300, "s")
    frame = {"ds": times, "y": 140 + 40 * np.sin(np.arange(1200) / 12) + random.normal(0, 4, 1200)}
    import polars as pl

    data = prepare(pl.DataFrame(frame))
    small = gluformer_network.Sizes(width=32, feed_forward=64) if quick else gluformer_network.Sizes()
    weights = random_weights(gluformer_network.shapes(small), 1)
    weights = {n: np.abs(w) + np.float32(0.5) if n.endswith("running_var") else w for n, w in weights.items()}
    network = Gluformer(weights, sizes=small, samples=SAMPLES)
    yield Case("Gluformer", network, data, (1,) if quick else (1, 16), _gluformer(network))
    for name, published in BOLTS.items():
        if quick and "small" in name:
            continue
        sizes, longest = (BOLT, BOLT.context) if quick else (published, CONTEXT)
        bolt = ChronosBolt(random_weights(bolt_network.shapes(sizes)), name, sizes=sizes, longest=longest)
        peer = _chronos(bolt)
        yield Case(name, bolt, data, (8,) if quick else (1, 32, 128), peer)
        if "tiny" in name and not quick:
            theirs = {f" by Chronos-Bolt tiny{n}": work for n, work in peer.items()}
            yield Case("pretrained", resolve("pretrained"), data, (1, 32, 512), theirs)  # type: ignore[arg-type]


def _gluformer(ours: Gluformer) -> dict[str, Callable[[int], Any]]:
    if find_spec("torch") is None or find_spec("glucobench") is None:
        return {}
    import torch

    # its module imports what it trains with, too
    training = ("optuna", "torch.utils.tensorboard", "darts", "glucobench.utils.darts_dataset")
    with patch.dict(sys.modules, {name: MagicMock() for name in training}):
        from glucobench.lib.gluformer.model import Gluformer as Original
    s = ours.sizes
    network = Original(
        s.width, s.heads, s.feed_forward, s.dropout, s.activation, s.encoder_layers, s.decoder_layers, True,
        s.input, s.horizon, s.dynamic, s.static, s.label,
    )  # fmt: skip
    network.load_state_dict({n: torch.tensor(w) for n, w in ours.weights.items()})
    network.train()
    asked = s.label + s.horizon
    shapes = ((s.static,), (s.input, 1), (s.input, s.dynamic), (asked, 1), (asked, s.dynamic))

    def samples(batch: int, *, graph: bool) -> None:
        given = [torch.randn(batch, *shape) for shape in shapes]
        with torch.set_grad_enabled(graph):
            for _ in range(SAMPLES):
                network(*given)

    return {" as it comes": partial(samples, graph=True), " without a graph": partial(samples, graph=False)}


def _chronos(ours: ChronosBolt) -> dict[str, Callable[[int], Any]]:
    if find_spec("torch") is None or find_spec("chronos") is None:
        return {}
    import torch
    from chronos import BaseChronosPipeline

    with tempfile.TemporaryDirectory() as folder:
        place = save_bolt(Path(folder), ours)
        pipeline = BaseChronosPipeline.from_pretrained(str(place), device_map="cpu", torch_dtype=torch.float32)
    return {"": lambda batch: pipeline.predict(torch.randn(batch, CONTEXT), prediction_length=HORIZON)}
