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

from nbforecast.forecasters.pretrained.forecaster import build
from nbforecast.pretrain.examples import Examples, examples
from nbforecast.pretrain.loss import loss
from nbforecast.pretrain.prior import calendars

if TYPE_CHECKING:
    from pathlib import Path

    from nbforecast.forecasters.pretrained.network import GatedNetwork

_log = logging.getLogger("nbforecast.pretrain")
_examples = jax.jit(examples, static_argnames="count")
_WARM = 16  # chunks of examples before the first step
_EVERY = 100
_SAVED = 1000


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

    steps: int = 10_000
    batch: int = 1024
    new_per_step: int = 512
    buffer_size: int = 65_536
    width: int = 512
    depth: int = 3
    rate: float = 1e-3
    decay: float = 1e-2
    average: float = 0.998
    seed: int = 0


class State(NamedTuple):
    """Everything a stopped training goes on from, but for the examples, which are drawn again.

    trained: the network, the average of its weights and the optimiser's state. losses: means of every hundred steps.
    """

    step: int
    trained: Any
    losses: tuple[float, ...]

    def save(self, folder: Path) -> None:
        eqx.tree_serialise_leaves(folder / "trained.eqx.part", self.trained)
        (folder / "trained.eqx.part").replace(folder / "trained.eqx")
        (folder / "progress.json").write_text(json.dumps({"step": self.step, "losses": self.losses}))

    @classmethod
    def load(cls, folder: Path, like: Any) -> State:
        """What was saved there, or a beginning."""
        if not (folder / "progress.json").exists():
            return cls(0, like, ())
        progress = json.loads((folder / "progress.json").read_text())
        return cls(
            progress["step"], eqx.tree_deserialise_leaves(folder / "trained.eqx", like), tuple(progress["losses"])
        )


class Pool:
    """The newest examples, in host memory; the next are made meanwhile."""

    def __init__(self, recipe: Recipe, first: int) -> None:
        self._recipe = recipe
        self._kept: Any = None
        self._filled = 0
        self._next = max(first + _WARM - recipe.buffer_size // recipe.new_per_step, 0)
        self._worker = ThreadPoolExecutor(1)
        self._ahead = [self._worker.submit(self._chunk, self._next + i) for i in range(2)]
        self.advance(first)

    def _chunk(self, number: int) -> Examples:
        """A pure function of the seed and the number."""
        recipe = self._recipe
        random = np.random.default_rng((recipe.seed, number))
        key = jax.random.fold_in(jax.random.key(recipe.seed), number)
        return jax.tree.map(np.asarray, _examples(key, calendars(random), recipe.new_per_step))

    def advance(self, step: int) -> None:
        """Take in the examples that are new at a step."""
        while self._next <= step + _WARM:
            chunk = self._ahead.pop(0).result()
            self._ahead.append(self._worker.submit(self._chunk, self._next + 2))
            if self._kept is None:
                self._kept = jax.tree.map(lambda a: np.empty((self._recipe.buffer_size, *a.shape[1:]), a.dtype), chunk)
            at = self._next * self._recipe.new_per_step % self._recipe.buffer_size
            for kept, new in zip(jax.tree.leaves(self._kept), jax.tree.leaves(chunk), strict=True):
                kept[at : at + len(new)] = new
            self._next += 1
            self._filled = min(self._filled + self._recipe.new_per_step, self._recipe.buffer_size)

    def batch(self, step: int) -> Examples:
        random = np.random.default_rng((self._recipe.seed, step, 1))
        rows = random.integers(self._filled, size=self._recipe.batch)
        return jax.tree.map(lambda a: a[rows], self._kept)

    def close(self) -> None:
        self._worker.shutdown(cancel_futures=True)


def begin(recipe: Recipe, first: Examples) -> GatedNetwork:
    """A network before training; its features are standardised by the first examples."""
    features = first.features.inputs
    key = jax.random.key(recipe.seed)
    network = build(recipe.width, recipe.depth, key)
    scale = np.maximum(features.std(0), 0.05)
    return eqx.tree_at(lambda n: (n.mean, n.deviation), network, (jnp.array(features.mean(0)), jnp.array(scale)))


def mean_loss(network: GatedNetwork, batch: Examples) -> Array:
    quantiles = jax.vmap(network)(batch.features.inputs, batch.features.candidates, batch.features.errors)
    return loss(quantiles, batch.target, batch.size)


def optimiser(recipe: Recipe) -> optax.GradientTransformation:
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
    """One step: the network, its average and the optimiser's state after it, and the loss before it."""
    network, averaged, moments = state
    value, gradient = eqx.filter_value_and_grad(mean_loss)(network, batch)
    moves, moments = optimiser(recipe).update(gradient, moments, network)
    keep = recipe.average
    network = eqx.apply_updates(network, moves)
    averaged = jax.tree.map(lambda a, w: keep * a + (1.0 - keep) * w, averaged, network)
    return (network, averaged, moments), value


def train(recipe: Recipe, folder: Path, *, minutes: float | None = None) -> State:
    """Train to the recipe's end, or for so many minutes; goes on from what `folder` holds, and keeps it there."""
    folder.mkdir(parents=True, exist_ok=True)
    pool = Pool(recipe, 0)
    network = begin(recipe, pool.batch(0))
    state = State.load(folder, (network, network, optimiser(recipe).init(network)))
    if state.step:
        pool.close()
        pool = Pool(recipe, state.step)
    trained, losses, began = jax.tree.map(jnp.array, state.trained), list(state.losses), time.monotonic()
    recent: list[Any] = []
    try:
        bar = tqdm(
            range(state.step, recipe.steps), initial=state.step, total=recipe.steps, unit="step", mininterval=5.0
        )
        for step in bar:
            pool.advance(step)
            trained, value = update(trained, pool.batch(step), recipe)
            recent.append(value)
            if (step + 1) % _EVERY == 0:
                losses.append(float(np.mean(jax.device_get(recent))))
                recent.clear()
                bar.set_postfix(loss=f"{losses[-1]:.4f}")
                over = minutes is not None and time.monotonic() - began > 60.0 * minutes
                if over or (step + 1) % _SAVED == 0 or step + 1 == recipe.steps:
                    state = State(step + 1, jax.device_get(trained), tuple(losses))
                    state.save(folder)
                if over:
                    break
    finally:
        pool.close()
    return state
