"""The masks of Monte-Carlo dropout: shared by all windows, or drawn for each window from its own random bits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32, UInt32

from nbforecast.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbforecast.forecasters.gluformer.network import Sizes

    Masks = dict[str, Bool[np.ndarray, "S ..."] | Bool[Array, "S ..."]]

MAX_LAYERS = 256
MAX_MASKS = 1 << 26  # numbers that dropout acts on in one forecast


def check_masks(sizes: Sizes) -> None:
    """Check that the masks of a sample fit into memory.

    Raises:
        WeightsError: If the network has too many layers, or a sample needs masks of too many numbers.
    """
    if sizes.encoder_layers + sizes.decoder_layers > MAX_LAYERS:
        raise WeightsError(f"there are more than {MAX_LAYERS} layers, which is not supported.")
    numbers = sum(math.prod(shape) for shape in sizes.sites().values())
    if numbers > MAX_MASKS:
        raise WeightsError(
            f"a context of {sizes.input:,} steps and 'len_pred' of {sizes.horizon:,} need masks of {numbers:,} numbers "
            f"for each forecast; supported are {MAX_MASKS:,}."
        )


def draw_shared_masks(sizes: Sizes, samples: int, seed: int) -> Masks:
    """Return what every sample's thinned network keeps, the same for all windows.

    Args:
        sizes: The sizes of the network.
        samples: S, the number of samples.
        seed: The seed of the masks.
    """
    threshold = round(sizes.dropout * 2**16)

    def of_site(number: int, shape: tuple[int, ...]) -> Bool[np.ndarray, "S ..."]:
        count = samples * int(np.prod(shape))
        words = np.random.Philox(key=[seed % 2**64, number]).random_raw(-(-count // 4))
        return (words.astype("<u8").view("<u2")[:count] >= threshold).reshape(samples, *shape)

    return {site: of_site(number, shape) for number, (site, shape) in enumerate(sizes.sites().items())}


def drop_by_shared_masks(sizes: Sizes, masks: Masks) -> Callable[[str, Any], Any]:
    """Return dropout with masks that all windows share.

    Args:
        sizes: The sizes of the network.
        masks: Those of S samples, by site.

    Returns:
        A function of a site and its activations (S * B, T, D), the rows of one sample neighbours, to the kept ones.
    """
    keep_share = 1 - sizes.dropout

    def drop(site: str, x: Array) -> Array:
        mask = masks[site][..., -x.shape[-2] :, :]
        by_sample = x.reshape(len(mask), -1, *x.shape[1:])
        return jnp.where(mask[:, None], by_sample / keep_share, 0.0).reshape(x.shape)

    return drop


def drop_by_window_masks(
    sizes: Sizes, key: UInt32[Array, "B 2"], numbers: Int32[Array, " S"]
) -> Callable[[str, Any], Any]:
    """Return dropout with masks of each window's own.

    Args:
        sizes: The sizes of the network.
        key: The random bits of B windows.
        numbers: The numbers of S samples.

    Returns:
        As `drop_by_shared_masks`.
    """
    sites = {site: (int(np.prod(shape)), shape) for site, shape in sizes.sites().items()}
    ends = dict(zip(sites, np.cumsum([size for size, _ in sites.values()]).tolist(), strict=True))

    def draw_mask(number: Array, bits: Array) -> Array:
        sample_key = jax.random.fold_in(jax.random.wrap_key_data(bits), number)
        return jax.random.bits(sample_key, (max(ends.values()),), "uint16") >= round(sizes.dropout * 2**16)

    masks = jax.vmap(jax.vmap(draw_mask, (None, 0)), (0, None))(numbers, key).reshape(len(numbers) * len(key), -1)

    def drop(site: str, x: Array) -> Array:
        size, shape = sites[site]
        mask = masks[:, ends[site] - size : ends[site]].reshape(-1, *shape)[..., -x.shape[-2] :, :]
        return jnp.where(mask, x / (1 - sizes.dropout), 0.0)

    return drop
