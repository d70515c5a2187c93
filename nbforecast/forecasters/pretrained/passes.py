"""Passes of the pretrained network, and the network that belongs to some weights."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, PRNGKeyArray

from nbforecast.errors import WeightsError
from nbforecast.forecasters.error_quantiles import DRAW_LEVELS
from nbforecast.forecasters.pretrained.candidates import CANDIDATES, ERROR_STEPS, STEPS
from nbforecast.forecasters.pretrained.features import FEATURES, KNOTS, extract_features
from nbforecast.forecasters.pretrained.network import GatedNetwork
from nbforecast.forecasters.scaled_context import to_data_unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbforecast.forecasters.windows import Windows

MAX_DEPTH = 64  # residual blocks


def forward(network: GatedNetwork, windows: Windows) -> tuple[Float32[Array, "B S Q"], Float32[Array, " B"]]:
    """Returns the quantiles of one pass, and what none of them falls below.

    Args:
        network: The network.
        windows: B windows.

    Returns:
        Quantiles of the next `STEPS` steps relative to each window's location, and the lowest value of each window.
    """
    past, features = extract_features(windows)
    quantiles = jax.vmap(network)(features.inputs, features.candidates, features.errors)
    # what never moved is not expected to
    quantiles = jnp.where((past.values != 0.0).any(0)[:, None, None], quantiles, 0.0)
    lowest = jnp.where(past.is_log, -past.location, past.floor)
    quantiles = to_data_unit(past, quantiles.transpose(1, 2, 0)).transpose(2, 0, 1)
    return jnp.where((past.scale < 0.0)[:, None, None], quantiles[..., ::-1], quantiles), lowest


def extend(network: GatedNetwork, windows: Windows, horizon: int) -> Float32[Array, "B H Q"]:
    """Returns quantiles for any horizon.

    Beyond one pass the medians are taken for observed and forecast from. The distances of further quantiles from their
    median are joined with those of the step that is gone on from as independent errors are, by the root of the sum of
    squares.

    Args:
        network: The network.
        windows: B windows.
        horizon: H.
    """
    if horizon <= STEPS:
        return forward(network, windows)[0][:, :horizon]
    start = windows.location

    def forecast_pass(state: tuple[Windows, Array], _: None) -> tuple[tuple[Windows, Array], tuple[Array, Array]]:
        windows, distance = state
        draws, lowest = forward(network, windows)
        medians = _median(draws)
        distances = draws - medians[..., None]
        distances = jnp.sign(distances) * jnp.hypot(distances, distance[:, None])
        draws = jnp.maximum(medians[..., None] + distances, lowest[:, None, None])
        last = medians[:, -1]
        next_windows = windows._replace(
            values=jnp.concatenate([windows.values[:, STEPS:], medians], 1) - last[:, None],
            observed=jnp.concatenate([windows.observed[:, STEPS:], jnp.ones_like(medians, bool)], 1),
            location=windows.location + last,
        )
        return (next_windows, draws[:, -1] - last[:, None]), (draws + (windows.location - start)[:, None, None], lowest)

    windows = jax.tree.map(jnp.asarray, windows)
    zeros = jnp.zeros((len(windows.values), len(DRAW_LEVELS)))
    _, (passes, lowest) = jax.lax.scan(forecast_pass, (windows, zeros), None, -(-horizon // STEPS))
    # again, since a sum of locations is rounded
    return jnp.maximum(jnp.concatenate(list(passes), 1)[:, :horizon], lowest[0][:, None, None])


def _median(draws: Float32[Array, "B S Q"]) -> Float32[Array, "B S"]:
    """The median, between the two levels in the middle."""
    half = draws.shape[-1] // 2
    return draws[..., half - 1 : half + 1].mean(-1)


def build(width: int, depth: int, key: PRNGKeyArray) -> GatedNetwork:
    """Returns a network for these features, with random weights."""
    return GatedNetwork(FEATURES, CANDIDATES, KNOTS, ERROR_STEPS, width, depth, key)


def weights_by_name(network: GatedNetwork) -> dict[str, Any]:
    """Returns weights by the names of their fields, such as `blocks.0.first.weight`."""
    leaves = jax.tree_util.tree_leaves_with_path(network)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def restore_network(weights: Mapping[str, Any]) -> GatedNetwork:
    """Returns the network that has such weights."""
    empty = network_structure(weights)
    return jax.tree.unflatten(jax.tree.structure(empty), [weights[name] for name in weights_by_name(empty)])


def network_structure(weights: Mapping[str, Any]) -> GatedNetwork:
    """Returns the network without its weights; its sizes are read from them.

    Raises:
        WeightsError: If they are sizes of no such network.
    """
    first = weights.get("enter.bias")
    width = first.shape[0] if first is not None and first.ndim == 1 and first.size else 1
    depth = len({name.split(".")[1] for name in weights if name.startswith("blocks.")})
    if depth > MAX_DEPTH:
        raise WeightsError(f"there are {depth:,} blocks; at most {MAX_DEPTH} are supported.")
    return eqx.filter_eval_shape(partial(build, width, depth), jax.random.key(0))
