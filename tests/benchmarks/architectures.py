"""Networks for the same task, trained on the same synthetic series: `python -m tests.benchmarks.architectures`.

What the model card says of other architectures comes from here. Each sees every training window once in an order of its
own, then forecasts the test windows of `accuracy`, with seasons found from the data. Prints Markdown: parameters,
seconds of training, MASE / weighted quantile loss relative to the seasonal naive by half of
the sets, the share within the 80 % band, and windows a second (what is made of a window included).
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from nbforecast.forecasters.pretrained.candidates import STEPS
from nbforecast.forecasters.pretrained.features import KNOTS, Features, extract_features
from nbforecast.forecasters.pretrained.network import QUANTILES, interpolation_weights
from nbforecast.forecasters.pretrained.passes import build
from nbforecast.forecasters.scaled_context import to_data_unit
from nbforecast.pretrain.examples import prepare_examples, to_windows
from nbforecast.pretrain.loss import loss
from nbforecast.pretrain.prior import SHORT, WINDOWS, draw_kind, draw_series
from nbforecast.pretrain.train import Recipe, optimiser
from tests.benchmarks.accuracy import BASE, peer, score
from tests.benchmarks.cases import SELECTION, SETS
from tests.support.windows import batches

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbforecast.forecasters.windows import Windows

CONTEXT = SHORT
PATCH, TOKENS = 16, CONTEXT // 16
CHUNK, BATCH = 128, 512
_HALF = QUANTILES // 2


class Context(NamedTuple):
    """What a network is given: views, and what they are made of, in the history's unit, time last."""

    features: Features
    values: jax.Array
    is_known: jax.Array
    calendar: jax.Array


def quantiles(out: jax.Array, unit: jax.Array, middle: jax.Array | float = 0.0) -> jax.Array:
    """(S, Q) from the numbers of each step: a shift, a width and increments."""
    size = unit * jnp.exp(2.5 * jnp.tanh(out[1] / 2.5))
    middle = middle + size * out[0]
    away = jnp.cumsum(jax.nn.softplus(out[2:].reshape(2, _HALF, -1) - 1.0), axis=1) * size
    return jnp.concatenate([middle - away[0, ::-1], middle + away[1]]).T


class Perceptron(eqx.Module):
    """A residual network over the window itself: all values, which are known, the calendar. No candidates."""

    enter: eqx.nn.Linear
    blocks: list[eqx.nn.MLP]
    norms: list[eqx.nn.LayerNorm]
    leave: eqx.nn.Linear

    def __init__(self, key: jax.Array, width: int = 512, depth: int = 3) -> None:
        keys = jax.random.split(key, depth + 2)
        self.enter = eqx.nn.Linear(CONTEXT + TOKENS + 2, width, key=keys[0])
        self.blocks = [eqx.nn.MLP(width, width, width, 1, jax.nn.gelu, key=k) for k in keys[1:-1]]
        self.norms = [eqx.nn.LayerNorm(width) for _ in range(depth + 1)]
        self.leave = eqx.nn.Linear(width, len(KNOTS) * (2 + QUANTILES), key=keys[-1])

    def __call__(self, given: Context) -> jax.Array:
        known = given.is_known.reshape(TOKENS, PATCH).mean(1)
        seasons = jnp.log1p(given.calendar[:2].astype(jnp.float32)) / 3.0
        x = self.enter(jnp.concatenate([jnp.arcsinh(given.values), known, seasons]))
        for norm, block in zip(self.norms, self.blocks, strict=False):
            x = x + block(norm(x))
        out = self.leave(self.norms[-1](x)).reshape(len(KNOTS), -1).T @ interpolation_weights(KNOTS, STEPS)
        return quantiles(out, jnp.float32(0.3))


class Mixer(eqx.Module):
    """Patches of 16 steps, mixed over time and over channels in turn (after TSMixer, Chen et al. 2023)."""

    embed: eqx.nn.Linear
    times: list[eqx.nn.MLP]
    channels: list[eqx.nn.MLP]
    norms: list[eqx.nn.LayerNorm]
    leave: eqx.nn.Linear

    def __init__(self, key: jax.Array, width: int = 128, depth: int = 4) -> None:
        a, b, c, d = jax.random.split(key, 4)
        self.embed = eqx.nn.Linear(2 * PATCH + 2, width, key=a)
        self.times = [eqx.nn.MLP(TOKENS, TOKENS, 64, 1, jax.nn.gelu, key=k) for k in jax.random.split(b, depth)]
        self.channels = [eqx.nn.MLP(width, width, 256, 1, jax.nn.gelu, key=k) for k in jax.random.split(c, depth)]
        self.norms = [eqx.nn.LayerNorm(width) for _ in range(2 * depth)]
        self.leave = eqx.nn.Linear(width * TOKENS, len(KNOTS) * (2 + QUANTILES), key=d)

    def __call__(self, given: Context) -> jax.Array:
        x = jax.vmap(self.embed)(tokens(given, jnp.arcsinh(given.values)))
        for i, (mix, channel) in enumerate(zip(self.times, self.channels, strict=True)):
            x = x + jax.vmap(mix, 1, 1)(jax.vmap(self.norms[2 * i])(x))
            x = x + jax.vmap(channel)(jax.vmap(self.norms[2 * i + 1])(x))
        out = self.leave(x.reshape(-1)).reshape(len(KNOTS), -1).T @ interpolation_weights(KNOTS, STEPS)
        return quantiles(out, jnp.float32(0.3))


class Causal(eqx.Module):
    """A transformer over patches that sees no later ones, scaled by what came before: a forecast at every patch."""

    embed: eqx.nn.Linear
    places: jax.Array
    attention: list[eqx.nn.MultiheadAttention]
    channels: list[eqx.nn.MLP]
    norms: list[eqx.nn.LayerNorm]
    leave: eqx.nn.Linear

    def __init__(self, key: jax.Array, width: int = 96, depth: int = 4) -> None:
        a, b, c, d, e = jax.random.split(key, 5)
        self.embed = eqx.nn.Linear(2 * PATCH + 2, width, key=a)
        self.places = 0.02 * jax.random.normal(b, (TOKENS, width))
        self.attention = [eqx.nn.MultiheadAttention(4, width, key=k) for k in jax.random.split(c, depth)]
        self.channels = [eqx.nn.MLP(width, width, 4 * width, 1, jax.nn.gelu, key=k) for k in jax.random.split(d, depth)]
        self.norms = [eqx.nn.LayerNorm(width) for _ in range(2 * depth + 1)]
        self.leave = eqx.nn.Linear(width, len(KNOTS) * (2 + QUANTILES), key=e)

    def everywhere(self, given: Context) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Quantiles (P, S, Q) as of the end of every patch, the unit there and whether enough was seen."""
        count = jnp.cumsum(given.is_known)[PATCH - 1 :: PATCH]
        seen = jnp.where(given.is_known, given.values, 0.0)
        mean = jnp.cumsum(seen)[PATCH - 1 :: PATCH] / jnp.maximum(count, 1)
        moves = jnp.abs(jnp.diff(given.values, prepend=given.values[:1]))
        centre = jnp.repeat(mean, PATCH)
        unit = jnp.cumsum(jnp.abs(given.values - centre) * given.is_known + moves)[PATCH - 1 :: PATCH]
        unit = jnp.maximum(unit / jnp.maximum(count, 1), 1e-3)
        scaled = (given.values - centre) / jnp.repeat(unit, PATCH)
        x = jax.vmap(self.embed)(tokens(given, jnp.arcsinh(scaled))) + self.places
        mask = jnp.tril(jnp.ones((TOKENS, TOKENS), bool))
        for i, (attend, channel) in enumerate(zip(self.attention, self.channels, strict=True)):
            y = jax.vmap(self.norms[2 * i])(x)
            x = x + attend(y, y, y, mask=mask)
            x = x + jax.vmap(channel)(jax.vmap(self.norms[2 * i + 1])(x))
        out = jax.vmap(
            lambda t: self.leave(self.norms[-1](t)).reshape(len(KNOTS), -1).T @ interpolation_weights(KNOTS, STEPS)
        )(x)
        last = given.values[PATCH - 1 :: PATCH]
        return jax.vmap(quantiles)(out, 0.3 * unit, last[:, None]), unit, count >= 2 * PATCH

    def __call__(self, given: Context) -> jax.Array:
        return self.everywhere(given)[0][-1]


def tokens(given: Context, values: jax.Array) -> jax.Array:
    """Patches of values, of which are known, and the calendar."""
    seasons = jnp.log1p(given.calendar[:2].astype(jnp.float32)) / 3.0
    parts = [values.reshape(TOKENS, PATCH), given.is_known.reshape(TOKENS, PATCH), jnp.tile(seasons, (TOKENS, 1))]
    return jnp.concatenate([p.astype(jnp.float32) for p in parts], axis=1)


class Weighed(eqx.Module):
    """The network in the box: it weighs and corrects candidates."""

    network: Any

    def __call__(self, given: Context) -> jax.Array:
        return self.network(given.features.inputs, given.features.candidates, given.features.errors)


class Example(NamedTuple):
    context: Context
    target: jax.Array
    size: jax.Array


@partial(jax.jit, static_argnames="count")
def drawn(key: jax.Array, calendar: jax.Array, known: jax.Array, count: int) -> Any:
    return draw_series(key, calendar, known, count, CONTEXT)


@jax.jit
def prepared(series: Any) -> Example:
    made, (past, _) = prepare_examples(series), extract_features(to_windows(series))
    calendar = jnp.tile(series.calendar, (len(series.values), 1))
    return Example(Context(made.features, past.values.T, past.is_known.T, calendar), made.target, made.size)


def pool(chunks: int) -> Example:
    random, parts = np.random.default_rng(0), []
    kinds = (kind for kind in iter(lambda: draw_kind(random), None) if kind.context == CONTEXT)
    for number, kind in zip(range(chunks), kinds, strict=False):
        key = jax.random.fold_in(jax.random.key(1), number)
        series = drawn(key, kind.calendar, kind.known, CHUNK // WINDOWS)
        parts.append(jax.tree.map(np.asarray, prepared(series)))
    return jax.tree.map(lambda *p: np.concatenate(p), *parts)


def plain_loss(network: Any, batch: Example) -> jax.Array:
    return loss(jax.vmap(network)(batch.context), batch.target, batch.size)


def causal_loss(network: Causal, batch: Example) -> jax.Array:
    """The mean over the patches of a window whose horizon lies in it or after it, the last one counting half."""
    found, unit, enough = jax.vmap(network.everywhere)(batch.context)
    whole = jnp.concatenate([batch.context.values, batch.target], axis=1)
    ends = np.arange(1, TOKENS + 1) * PATCH
    inner = range(1, TOKENS - STEPS // PATCH, 3)
    total = loss(found[:, -1], batch.target, batch.size)
    for p in inner:
        target = whole[:, ends[p] : ends[p] + STEPS]
        size = jnp.where(enough[:, p], jnp.maximum(batch.size, 0.3 * unit[:, p]), jnp.inf)
        total = total + loss(found[:, p], target, size) / len(inner)
    return total


TRIALS: dict[str, tuple[Callable[[jax.Array, Example], Any], Callable[..., jax.Array]]] = {
    "gate over 20 candidates": (lambda key, first: Weighed(_standardised(key, first)), plain_loss),
    "residual network over the window": (lambda key, first: Perceptron(key), plain_loss),
    "patch mixer": (lambda key, first: Mixer(key), plain_loss),
    "causal patches": (lambda key, first: Causal(key), causal_loss),
}


def _standardised(key: jax.Array, first: Example) -> Any:
    features = first.context.features.inputs[:4096]
    scale = jnp.array(np.maximum(features.std(0), 0.05))
    network = build(Recipe.width, Recipe.depth, key)
    return eqx.tree_at(lambda n: (n.mean, n.deviation), network, (jnp.array(features.mean(0)), scale))


def train(name: str, examples: Example, epochs: int) -> tuple[Any, float]:
    """The averaged network and the seconds that its steps took."""
    make, cost = TRIALS[name]
    count = len(examples.size)
    steps = epochs * count // BATCH
    change = optimiser(Recipe(steps=steps, batch=BATCH))
    network = make(jax.random.key(0), examples)
    inexact = partial(eqx.filter, filter_spec=eqx.is_inexact_array)
    moments = change.init(inexact(network))
    averaged = network

    @eqx.filter_jit(donate="all-except-first")
    def step(batch: Example, network: Any, averaged: Any, moments: Any) -> Any:
        value, gradient = eqx.filter_value_and_grad(cost)(network, batch)
        moves, moments = change.update(gradient, moments, inexact(network))
        network = eqx.apply_updates(network, moves)
        keep = 0.995
        averaged = jax.tree.map(
            lambda a, w: keep * a + (1.0 - keep) * w if eqx.is_inexact_array(w) else w, averaged, network
        )
        return network, averaged, moments, value

    network, averaged = (jax.tree.map(lambda w: jnp.array(w) if eqx.is_array(w) else w, n) for n in (network, network))
    random, spent = np.random.default_rng(0), 0.0
    for epoch in range(epochs):
        order = random.permutation(count)
        for at in range(0, count - BATCH + 1, BATCH):
            batch = jax.tree.map(lambda a: a[order[at : at + BATCH]], examples)  # noqa: B023
            start = time.perf_counter()
            network, averaged, moments, value = step(batch, network, averaged, moments)
            value.block_until_ready()
            spent += time.perf_counter() - start
        print(f"{name}, epoch {epoch + 1}: {float(value):.4f}, {spent:.0f} s", flush=True)
    return averaged, spent


def forecaster(network: Any) -> Callable[[Windows], jax.Array]:
    @jax.jit
    def forecast(windows: Windows) -> jax.Array:
        past, seen = extract_features(windows)  # what a network does not use is not computed
        calendar = jnp.tile(windows.seasons, (len(windows.values), 1))
        found = jax.vmap(network)(Context(seen, past.values.T, past.is_known.T, calendar))
        found = jnp.where((past.values != 0.0).any(0)[:, None, None], found, 0.0)
        found = to_data_unit(past, found.transpose(1, 2, 0)).transpose(2, 0, 1)
        return jnp.where((past.scale < 0.0)[:, None, None], found[..., ::-1], found)

    return forecast


def measured(network: Any) -> tuple[str, ...]:
    """Accuracy of both halves and of all, 80 % coverage, windows a second."""
    forecast, scores, rates = forecaster(network), {}, []
    for name, made in SETS.items():
        cases, out = list(made()), []
        for calendar, group in groupby(cases, key=lambda c: c.calendar):
            for batch, count in batches(np.stack([c.history[-CONTEXT:] for c in group]), calendar, (256,)):
                forecast(batch).block_until_ready()
                start = time.perf_counter()
                found = np.asarray(forecast(batch))
                rates.append(256 / (time.perf_counter() - start))
                out.append((found + batch.location[:, None, None])[:count, : len(cases[0].actual)])
        base = score(peer(BASE, name, cases)[0], cases, 0.0)
        ours = score(np.concatenate(out).astype(np.float64), cases, 0.0)
        scores[name] = (ours.mase / base.mase, ours.wql / base.wql, ours.coverage)

    def mean(names: list[str]) -> str:
        rows = np.array([scores[n] for n in names])
        return "/".join(f"{v:.3f}".lstrip("0") for v in np.exp(np.log(rows[:, :2]).mean(0)))

    halves = [[n for n in SETS if n in SELECTION], [n for n in SETS if n not in SELECTION], list(SETS)]
    coverage = np.mean([s[2] for s in scores.values()])
    return *(mean(h) for h in halves), f"{coverage:.0%}", f"{np.median(rates):,.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=1500, help=f"of {CHUNK} windows (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--trials", default=",".join(TRIALS))
    options = parser.parse_args()
    examples = pool(options.chunks)
    print(
        "| network | parameters | s of training | chosen on | held out | all | 80 % | windows/s |\n|---"
        + "|---" * 7
        + "|"
    )
    for name in options.trials.split(","):
        network, spent = train(name, examples, options.epochs)
        size = sum(w.size for w in jax.tree.leaves(eqx.filter(network, eqx.is_inexact_array)))
        print(f"| {name} | {size:,} | {spent:.0f} | " + " | ".join(measured(network)) + " |", flush=True)


if __name__ == "__main__":
    main()
