"""Sums over the errors that become known in a block of grid steps: what the regressions of a block rest on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from nbforecast.postprocessing.residual_features import LIMIT, Origins, features

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbforecast.postprocessing.past_forecasts import PastForecasts

BLOCK = 64  # grid steps between two fits; blocks begin at multiples of it, so that appended data move none
ERROR_LIMITS = (1.3, LIMIT)  # units; errors beyond count as much as this
_AT_ONCE = 8  # blocks


@dataclass
class BlockSums:
    """Sums over the errors that become known in a block, by step.

    Attributes:
        squares: (S, P, P) products of features.
        products: (S, P, L) products of features and errors, by limit of the errors.
    """

    squares: Float64[np.ndarray, "*S P P"]
    products: Float64[np.ndarray, "*S P L"]

    def part(self, steps: range) -> BlockSums:
        """Those of some steps, without a copy."""
        return BlockSums(self.squares[steps.start : steps.stop], self.products[steps.start : steps.stop])

    def clear(self) -> None:
        """Make it the sums of no errors, in place."""
        self.squares[:], self.products[:] = 0.0, 0.0

    def add(self, other: BlockSums) -> None:
        """Add those of other errors, in place."""
        self.squares += other.squares
        self.products += other.products


def padded_features(past: PastForecasts, origins: Origins) -> tuple[Float64[np.ndarray, "S P n"], tuple[int, ...]]:
    """As `features`, 0 before the series begins and beyond its end.

    Args:
        past: A series and its forecasts.
        origins: Which origins and steps.
    """
    rows, width = past.newest.shape[0] - past.padding, origins.end - origins.start
    start, end = (min(max(row, 0), rows) for row in (origins.start, origins.end))
    columns, counts = features(past, replace(origins, start=start, end=end))
    before = min(max(-origins.start, 0), width)
    missing = ((0, 0), (0, 0), (before, width - before - (end - start)))
    return (np.pad(columns, missing) if end - start < width else columns), counts


def sum_blocks(
    past: PastForecasts, columns: Float64[np.ndarray, "S P n"], first: int, blocks: range, steps: range, lead: int = 0
) -> BlockSums:
    """Sum over the errors of each block: those that become known after its first row, up to the first of the next.

    Args:
        past: A series and its forecasts.
        columns: Features from row `first` on, which is at least `steps.stop - 1` rows before the blocks.
        first: Their first row.
        blocks: Blocks that are complete, counted from the series' first one.
        steps: The horizon steps of the features, from 0.
        lead: How many rows earlier the blocks begin and end.

    Returns:
        The sums (S, B, ...) of each step and block.
    """
    padding = past.step % BLOCK + lead
    limits = np.array(ERROR_LIMITS)[:, None]
    start, end = blocks.start * BLOCK - padding, blocks.stop * BLOCK - padding
    squares, products = [], []
    for index, h in enumerate(steps):
        error = past.errors[h, start + 1 - past.first : end + 1 - past.first]
        is_known = np.isfinite(error)
        of_block = columns[index, :, start - h - first : end - h - first]
        if not is_known.all():
            of_block, error = np.where(is_known, of_block, 0.0), np.where(is_known, error, 0.0)
        in_blocks = of_block.reshape(len(of_block), len(blocks), BLOCK).swapaxes(0, 1)
        limited = np.clip(error, -limits, limits).reshape(len(limits), len(blocks), BLOCK).transpose(1, 2, 0)
        squares.append(in_blocks @ in_blocks.swapaxes(1, 2))
        products.append(in_blocks @ limited)
    return BlockSums(np.stack(squares), np.stack(products))


def iterate_blocks(past: PastForecasts, blocks: range, steps: range, lead: int) -> Iterator[tuple[int, BlockSums]]:
    """The sums of each of some blocks.

    Args:
        past: A series and its forecasts.
        blocks: Blocks that are complete, counted from the series' first one.
        steps: Horizon steps, from 0.
        lead: How many rows earlier the blocks begin and end.

    Yields:
        The number of a block, counted from grid step 0, and its sums.
    """
    for start in range(blocks.start, blocks.stop, _AT_ONCE):
        part = range(start, min(start + _AT_ONCE, blocks.stop))
        padding = past.step % BLOCK + lead
        first = part.start * BLOCK - padding - steps.stop + 1
        columns, _ = padded_features(past, Origins(first, part.stop * BLOCK - padding, steps))
        sums = sum_blocks(past, columns, first, part, steps, lead)
        for index, number in enumerate(part):
            yield past.step // BLOCK + number, BlockSums(sums.squares[:, index], sums.products[:, index])
