"""The regression of the errors of all series of a panel together."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from nbforecast.postprocessing.block_sums import BlockSums

LEAD = 16  # rows before a block at which its fit is made: so far may series lag behind one another
_SHRINKAGE = 100.0


class PanelFit:
    """The regression of the errors of all series of a panel together: the `Prior` of each one.

    The weights in a block rest on the errors that were known `LEAD` rows before it. They are fitted once, and further
    rows of any series move none of them.

    Attributes:
        newest: The newest block with weights, counted from grid step 0; the blocks before it take no further errors.
    """

    def __init__(self) -> None:
        self.newest: int | None = None
        self._before: BlockSums | None = None  # over the blocks before the newest one
        self._last: BlockSums | None = None  # over the newest one, as far as it is complete
        self._weights: dict[int, Float64[np.ndarray, "H P L"]] = {}

    @classmethod
    def of_weights(cls, weights: dict[int, Float64[np.ndarray, "H P L"]]) -> PanelFit:
        """A fit that is complete.

        Args:
            weights: The weights in each block, counted from grid step 0.
        """
        fit = cls()
        fit._weights = weights
        return fit

    def add(self, sums: dict[int, BlockSums], steps: range, blocks: range, horizon: int) -> None:
        """Add sums of some steps, and fit the weights of new blocks; `close` follows when all steps are added.

        Args:
            sums: The sums by block, of errors that are not in the fit.
            steps: Their horizon steps.
            blocks: From the newest block so far, or the first one of any series, to the newest one now.
            horizon: H.
        """
        if self._before is None or self._last is None:
            some = next(iter(sums.values()), None)
            if some is None:
                return
            shapes = some.squares.shape[1:], some.products.shape[1:]
            self._before, self._last = (BlockSums(*(np.zeros((horizon, *s)) for s in shapes)) for _ in range(2))
        before, last, part = self._before.part(steps), self._last.part(steps), slice(steps.start, steps.stop)
        identity = _SHRINKAGE * np.eye(before.squares.shape[-1])
        for block in blocks:
            if block > blocks.start:
                before.add(last)
                last.clear()
            if block != self.newest:
                weights = self._weights.setdefault(block, np.zeros(self._before.products.shape))
                weights[part] = np.linalg.solve(before.squares + identity, before.products)
            if block in sums:
                last.add(sums[block])

    def close(self, newest: int) -> None:
        """Let the blocks before the newest one take no further errors, when sums of all steps are added."""
        if self._before is not None:
            self.newest = newest

    def weights(self, block: int, steps: range) -> Float64[np.ndarray, "S P L"] | None:
        """The weights of the features in one block; None while no errors are known."""
        weights = self._weights.get(block)
        return None if weights is None else weights[steps.start : steps.stop]
