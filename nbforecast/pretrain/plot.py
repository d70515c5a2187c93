"""A plot of the losses of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbforecast.charts.theme import LIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_WIDTH = 10


def plot_losses(losses: Sequence[float], path: Path, every: int = 100) -> None:
    """Plot the losses and their running mean to a file.

    Args:
        losses: Means of `every` steps each.
        path: The image file.
        every: The steps per loss.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    steps = np.arange(1, len(losses) + 1) * every
    axes.plot(steps, losses, color="0.75", lw=1)
    if len(losses) >= _WIDTH:
        smooth = np.convolve(losses, np.ones(_WIDTH) / _WIDTH, "valid")
        axes.plot(steps[_WIDTH - 1 :], smooth, color=LIGHT.fan, lw=1.8)
    axes.set(xlabel="step", ylabel="quantile loss")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
