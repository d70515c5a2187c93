"""A picture of how training went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbforecast.charts.theme import LIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_WIDTH = 10


def plot_losses(losses: Sequence[float], path: Path, every: int = 100) -> None:
    """Means of every hundred steps, and their running mean."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    at = np.arange(1, len(losses) + 1) * every
    axes.plot(at, losses, color="0.75", lw=1)
    if len(losses) >= _WIDTH:
        smooth = np.convolve(losses, np.ones(_WIDTH) / _WIDTH, "valid")
        axes.plot(at[_WIDTH - 1 :], smooth, color=LIGHT.fan, lw=1.8)
    axes.set(xlabel="step", ylabel="quantile loss")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
