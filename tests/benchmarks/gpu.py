"""What is worth measuring on a GPU, in under eight minutes: `python -m tests.benchmarks gpu`.

Where JAX has no GPU the CPU is measured with small sizes, to see that the section runs.
"""

from __future__ import annotations

import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

import nbforecast as nbf
from nbforecast import device, session
from nbforecast.data import prepare
from nbforecast.engine.batch_size import BatchSizer
from nbforecast.engine.inference import run_inference
from nbforecast.forecasters.chronos_bolt.forecaster import ChronosBolt
from nbforecast.forecasters.chronos_bolt.network import shapes
from nbforecast.forecasters.registry import resolve
from tests.benchmarks.networks import BOLTS
from tests.benchmarks.series import hourly, walk
from tests.benchmarks.table import Table, milliseconds, number
from tests.support.networks import random_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbforecast.forecasters.base import Forecaster

HORIZON = 12
BUDGET = 420.0  # seconds; models that have not begun by then are left out
SIZES = (32, 128, 512, 2048, 8192)


def tables(quick: bool) -> Iterator[Table]:
    start = time.monotonic()
    is_small = quick or device.devices()[0].platform == "cpu"
    tiny = BOLTS["chronos-bolt-tiny"]
    models: dict[str, Callable[[], Forecaster]] = {
        "pretrained": partial(resolve, "pretrained"),
        "Chronos-Bolt tiny, random weights": lambda: ChronosBolt(random_weights(shapes(tiny)), "bolt", sizes=tiny),
        "auto": partial(resolve, "auto"),
        "naive": partial(resolve, "naive"),
    }
    yield _device(is_small)
    for name, build in list(models.items())[: 1 if is_small else None]:
        if time.monotonic() - start < BUDGET:
            yield _batches(name, build(), SIZES[:2] if is_small else SIZES)
    if time.monotonic() - start < BUDGET:
        yield _runs(is_small)


def _device(is_small: bool) -> Table:
    """Matrix products, transfers and the time of a call that does nothing."""
    size = 512 if is_small else 8192
    matrix = jnp.ones((size, size), jnp.float32)
    host = np.ones(2**18 if is_small else 2**26, np.float32)
    seconds = {
        "products in float32, TFLOP/s": (lambda: _product(matrix, "highest"), lambda s: 2e-12 * size**3 / s),
        "products in bfloat16, TFLOP/s": (lambda: _product(matrix, "BF16_BF16_F32"), lambda s: 2e-12 * size**3 / s),
        "to the device, GB/s": (lambda: jax.device_put(host), lambda s: 1e-9 * host.nbytes / s),
        "a call that does nothing, µs": (lambda: _nothing(matrix[:1]), lambda s: 1e6 * s),
    }
    rows = [(name, number(figure(_seconds(call)))) for name, (call, figure) in seconds.items()]
    return Table("The device", (device.describe(device.devices()), ""), rows)


@partial(jax.jit, static_argnames="precision")
def _product(matrix: jax.Array, precision: str) -> jax.Array:
    return jnp.matmul(matrix, matrix, precision=precision)


@jax.jit
def _nothing(array: jax.Array) -> jax.Array:
    return array + 1


def _seconds(call: Callable[[], Any], repeats: int = 5) -> float:
    jax.block_until_ready(call())
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(call())
        taken.append(time.perf_counter() - start)
    return median(taken)


def _batches(name: str, forecaster: Forecaster, sizes: tuple[int, ...]) -> Table:
    """Origins per second by batch size, the first batch with its compilation, and one origin for whoever waits."""
    data = prepare(walk(20_000))
    rows = np.flatnonzero(forecaster.availability(data) == 0)[-sizes[-1] :]
    lines = []
    for size in (1, *sizes):
        start = time.perf_counter()
        run_inference(forecaster, data, rows[:size], HORIZON, 0, BatchSizer.fixed(size))
        first = time.perf_counter() - start
        taken = _seconds(lambda n=size: run_inference(forecaster, data, rows[:n], HORIZON, 0, BatchSizer.fixed(n)), 3)
        lines.append((f"{size:,}", milliseconds(taken), number(size / taken), number(first)))
    note = f"Shapes that are compiled: {getattr(forecaster, 'batch_sizes', ())}. Memory: {_memory()}."
    return Table(name, ("origins at once", "ms", "origins/s", "first time, s"), lines, (note,))


def _memory() -> str:
    statistics = device.devices()[0].memory_stats() or {}
    return f"{number(statistics.get('peak_bytes_in_use', 0) / 2**20)} MiB at most"


def _runs(is_small: bool) -> Table:
    """Whole runs, with scores and saving; and a chart beside one."""
    name, frame = hourly(600 if is_small else None)
    lines = []
    for model in ("pretrained",) if is_small else ("pretrained", "auto", "naive"):
        nbf.forecast(frame, model, HORIZON, force=True, wait=True)
        start = time.perf_counter()
        run = nbf.forecast(frame, model, HORIZON, force=True, wait=True)
        lines.append((f"`{model}`, {name}", number(run.available / (time.perf_counter() - start)), ""))
    panel = walk(2_000 if is_small else 400_000, 2 if is_small else 100)
    run = nbf.forecast(panel, "pretrained", HORIZON, force=True)
    while not (run.inferred or run.done):
        time.sleep(0.01)
    drawn = []
    for index in range(-20, -10):
        start = time.perf_counter()
        nbf.quickdraw(frame, index, model="pretrained", horizon=HORIZON, force=True)._repr_mimebundle_()
        drawn.append(time.perf_counter() - start)
    run.cancel()
    lines.append(("a chart beside a long run, ms", "", milliseconds(median(drawn))))
    session.results().clear()
    return Table("Whole runs", ("", "origins/s", "ms"), lines)
