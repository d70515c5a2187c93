"""Shards that learn, in a second pass: all add to the regression of the panel, the prior of each series."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from nbforecast.atomic_write import atomic_write
from nbforecast.distributed.destination import newest_shards, shards_in
from nbforecast.errors import ForecasterError
from nbforecast.learned_run import tabulate_forecasts
from nbforecast.postprocessing.block_sums import BlockSums
from nbforecast.postprocessing.learned_forecaster import LearnedForecaster, Learners
from nbforecast.postprocessing.panel_fit import PanelFit
from nbforecast.postprocessing.residual_model import sum_panel
from nbforecast.result_cache import parquet
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.entry_slice import EntrySlice

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nbforecast.forecasters.base import Forecaster

_SUMS, _PANEL = "sums-{}.npz", "panel.npz"


def write_sums(folder: Path, partition: int, staging: Path) -> None:
    """Sum over the errors of a shard, for `merge_sums`.

    Args:
        folder: The folder of the shards.
        partition: The shard's partition.
        staging: Where the sums go.
    """
    part = _read_shard(folder, partition)
    blocks, sums = sum_panel(tabulate_forecasts([part]))
    arrays = {f"{kind}-{block}": getattr(s, kind) for block, s in sums.items() for kind in ("squares", "products")}
    _save(
        staging / _SUMS.format(partition),
        {"counts": np.array([blocks.start, blocks.stop, len(part.data.ids)]), **arrays},
    )


def merge_sums(staging: Path, partitions: Iterable[int], horizon: int) -> None:
    """Add the sums of all shards, and fit the regression of the panel.

    Args:
        staging: Where the sums are, and the regression goes.
        partitions: Those with sums.
        horizon: H.
    """
    total: dict[int, BlockSums] = {}
    counts = []
    for partition in partitions:
        with np.load(staging / _SUMS.format(partition), allow_pickle=False) as file:
            counts.append(file["counts"].tolist())
            for name in file.files:
                kind, _, block = name.partition("-")
                if kind == "squares":
                    sums = BlockSums(file[name], file[f"products-{block}"])
                    if int(block) in total:
                        total[int(block)].add(sums)
                    else:
                        total[int(block)] = sums
    starts, ends, series = zip(*counts, strict=True)
    first, end, panel = min(starts), max(ends), PanelFit()
    if sum(series) > 1:  # a series by itself has no prior
        panel.add(total, range(horizon), range(first, end), horizon)
    weights = {block: panel.weights(block, range(horizon)) for block in range(first, end)}
    _save(staging / _PANEL, {str(block): array for block, array in weights.items() if array is not None})


def learned_shard(
    folder: Path, partition: int, staging: Path, base: Forecaster
) -> tuple[EntrySlice, LearnedForecaster]:
    """The base forecasts of a shard, and the forecaster that corrects them by what the whole panel teaches.

    Args:
        folder: The folder of the shards.
        partition: The shard's partition.
        staging: Where the regression of the panel is.
        base: The model of the shards.
    """
    part = _read_shard(folder, partition)
    with np.load(staging / _PANEL, allow_pickle=False) as file:
        panel = PanelFit.of_weights({int(block): file[block] for block in file.files})
    digest = panel_digest(folder)
    forecaster = LearnedForecaster(
        [base], part.data, part.reasons, lambda: tabulate_forecasts([part]), Learners(panel), digest
    )
    return part, forecaster


def panel_digest(folder: Path) -> str:
    """Names the content of a panel in shards: learned forecasts of one series change with the data of any other.

    Args:
        folder: The folder of the shards.
    """
    names = sorted(shard.path.name for shard in newest_shards(shards_in(folder)).values())
    return hashlib.sha256(repr(names).encode()).hexdigest()[:16]


def _read_shard(folder: Path, partition: int) -> EntrySlice:
    shard = newest_shards(shards_in(folder)).get(partition)
    if shard is None:
        raise ForecasterError(f"The shard {partition} of {str(folder)!r} is gone; request its forecasts again.")
    return EntrySlice.whole(Entry.from_snapshot(parquet.read(shard.path)))


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with atomic_write(path) as file:
        np.savez(file, allow_pickle=False, **arrays)
