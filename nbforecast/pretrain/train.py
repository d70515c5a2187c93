"""The training loop: deterministic from a seed, resumable, with averaged weights."""

from __future__ import annotations

import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array
from tqdm import tqdm

from nbforecast.forecasters.pretrained.passes import build
from nbforecast.pretrain.examples import Examples, draw_examples
from nbforecast.pretrain.loss import loss
from nbforecast.pretrain.prior import WINDOWS, draw_kind

if TYPE_CHECKING:
    from pathlib import Path

    from nbforecast.forecasters.pretrained.network import GatedNetwork

_log = logging.getLogger("nbforecast.pretrain")
_draw_examples = jax.jit(draw_examples, static_argnames=("count", "context"))
_WARMUP_CHUNKS = 16  # chunks of examples before the first step
_LOG_STEPS = 100
_SAVE_STEPS = 1000


@dataclass(frozen=True)
class Recipe:
    """What decides the weights.

    Attributes:
        steps: The optimiser's steps, of `batch` examples each.
        batch: The examples per step.
        new_per_step: The new examples before each step.
        buffer_size: The newest examples, from which batches are drawn.
        width: The width of the network's hidden layers.
        depth: The number of its residual blocks.
        rate: The highest learning rate.
        decay: The weight decay of matrices.
        average: The share that the averaged weights keep at each step.
        seed: The seed of examples, batches and first weights.
    """

    steps: int = 6_000
    batch: int = 512
    new_per_step: int = 256
    buffer_size: int = 65_536
    width: int = 384
    depth: int = 3
    rate: float = 1e-3
    decay: float = 1e-2
    average: float = 0.998
    seed: int = 0


class State(NamedTuple):
    """The state from which a stopped training resumes. Examples are not part of it: they are drawn again.

    Attributes:
        step: The number of steps so far.
        trained: The network, the average of its weights and the optimiser's state.
        losses: The means of every hundred steps.
    """

    step: int
    trained: Any
    losses: tuple[float, ...]

    def save(self, folder: Path) -> None:
        """Write the state to a folder.

        Args:
            folder: The folder.
        """
        eqx.tree_serialise_leaves(folder / "trained.eqx.part", self.trained)
        (folder / "trained.eqx.part").replace(folder / "trained.eqx")
        (folder / "progress.json").write_text(json.dumps({"step": self.step, "losses": self.losses}))

    @classmethod
    def load(cls, folder: Path, like: Any) -> State:
        """Returns the state in a folder, or that of step 0 if there is none.

        Args:
            folder: The folder.
            like: What `trained` is at step 0.
        """
        if not (folder / "progress.json").exists():
            return cls(0, like, ())
        progress = json.loads((folder / "progress.json").read_text())
        return cls(
            progress["step"], eqx.tree_deserialise_leaves(folder / "trained.eqx", like), tuple(progress["losses"])
        )


class ExampleBuffer:
    """The newest examples, in host memory. A thread computes the next ones meanwhile."""

    def __init__(self, recipe: Recipe, first: int) -> None:
        self._recipe = recipe
        self._buffer: Any = None
        self._count = 0
        self._next_chunk = max(first + _WARMUP_CHUNKS - recipe.buffer_size // recipe.new_per_step, 0)
        self._worker = ThreadPoolExecutor(1)
        self._futures = [self._worker.submit(self._chunk, self._next_chunk + i) for i in range(2)]
        self.advance(first)

    def _chunk(self, number: int) -> Examples:
        """A pure function of the seed and the number."""
        recipe = self._recipe
        random = np.random.default_rng((recipe.seed, number))
        key = jax.random.fold_in(jax.random.key(recipe.seed), number)
        kind = draw_kind(random)
        examples = _draw_examples(
            key, kind.calendar, kind.known, count=recipe.new_per_step // WINDOWS, context=kind.context
        )
        return jax.tree.map(np.asarray, examples)

    def advance(self, step: int) -> None:
        """Add the examples that are new at a step.

        Args:
            step: The step.
        """
        while self._next_chunk <= step + _WARMUP_CHUNKS:
            chunk = self._futures.pop(0).result()
            self._futures.append(self._worker.submit(self._chunk, self._next_chunk + 2))
            if self._buffer is None:
                self._buffer = jax.tree.map(
                    lambda a: np.empty((self._recipe.buffer_size, *a.shape[1:]), a.dtype), chunk
                )
            start = self._next_chunk * self._recipe.new_per_step % self._recipe.buffer_size
            for rows, new_rows in zip(jax.tree.leaves(self._buffer), jax.tree.leaves(chunk), strict=True):
                rows[start : start + len(new_rows)] = new_rows
            self._next_chunk += 1
            self._count = min(self._count + self._recipe.new_per_step, self._recipe.buffer_size)

    def batch(self, step: int) -> Examples:
        """Returns random examples of the buffer.

        Args:
            step: The step, which decides the random numbers.
        """
        random = np.random.default_rng((self._recipe.seed, step, 1))
        rows = random.integers(self._count, size=self._recipe.batch)
        return jax.tree.map(lambda a: a[rows], self._buffer)

    def close(self) -> None:
        """Stop the thread."""
        self._worker.shutdown(cancel_futures=True)


def initialize(recipe: Recipe, first: Examples) -> GatedNetwork:
    """Returns a network before training; its features are standardised by the first examples.

    Args:
        recipe: The recipe.
        first: The first examples.
    """
    features = first.features.inputs
    key = jax.random.key(recipe.seed)
    network = build(recipe.width, recipe.depth, key)
    scale = np.maximum(features.std(0), 0.05)
    return eqx.tree_at(lambda n: (n.mean, n.deviation), network, (jnp.array(features.mean(0)), jnp.array(scale)))


def mean_loss(network: GatedNetwork, batch: Examples) -> Array:
    """Returns the loss of a network.

    Args:
        network: The network.
        batch: The examples.
    """
    quantiles = jax.vmap(network)(batch.features.inputs, batch.features.candidates, batch.features.errors)
    return loss(quantiles, batch.target, batch.size)


def optimiser(recipe: Recipe) -> optax.GradientTransformation:
    """Returns AdamW with gradient clipping, warm-up and cosine decay of the rate.

    Args:
        recipe: The recipe.

    Source:
        Loshchilov & Hutter (2019), Decoupled weight decay regularization.
    """
    rate = optax.warmup_cosine_decay_schedule(
        0.0, recipe.rate, recipe.steps // 40 + 1, recipe.steps, 0.01 * recipe.rate
    )

    def matrices(network: Any) -> Any:
        return jax.tree.map(lambda w: w.ndim > 1, network)

    return optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(rate, b2=0.98, weight_decay=recipe.decay, mask=matrices)
    )


@partial(jax.jit, static_argnums=2, donate_argnums=0)
def update(state: Any, batch: Examples, recipe: Recipe) -> tuple[Any, Array]:
    """Returns the state after one step, and the loss before it.

    Args:
        state: The network, the average of its weights and the optimiser's state.
        batch: The examples.
        recipe: The recipe.
    """
    network, averaged, moments = state
    value, gradient = eqx.filter_value_and_grad(mean_loss)(network, batch)
    updates, moments = optimiser(recipe).update(gradient, moments, network)
    decay = recipe.average
    network = eqx.apply_updates(network, updates)
    averaged = jax.tree.map(lambda a, w: decay * a + (1.0 - decay) * w, averaged, network)
    return (network, averaged, moments), value


def train(recipe: Recipe, folder: Path, *, minutes: float | None = None) -> State:
    """Train to the recipe's end, or for some minutes, from the state in a folder, and save the state there.

    Args:
        recipe: The recipe.
        folder: The folder.
        minutes: The longest time; None for no limit.

    Returns:
        The last saved state.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pool = ExampleBuffer(recipe, 0)
    network = initialize(recipe, pool.batch(0))
    state = State.load(folder, (network, network, optimiser(recipe).init(network)))
    if state.step:
        pool.close()
        pool = ExampleBuffer(recipe, state.step)
    trained, losses, start_time = jax.tree.map(jnp.array, state.trained), list(state.losses), time.monotonic()
    recent: list[Any] = []
    try:
        progress = tqdm(
            range(state.step, recipe.steps), initial=state.step, total=recipe.steps, unit="step", mininterval=5.0
        )
        for step in progress:
            pool.advance(step)
            trained, value = update(trained, pool.batch(step), recipe)
            recent.append(value)
            if (step + 1) % _LOG_STEPS == 0:
                losses.append(float(np.mean(jax.device_get(recent))))
                recent.clear()
                progress.set_postfix(loss=f"{losses[-1]:.4f}")
                is_over = minutes is not None and time.monotonic() - start_time > 60.0 * minutes
                if is_over or (step + 1) % _SAVE_STEPS == 0 or step + 1 == recipe.steps:
                    state = State(step + 1, jax.device_get(trained), tuple(losses))
                    state.save(folder)
                if is_over:
                    break
    finally:
        pool.close()
    return state
