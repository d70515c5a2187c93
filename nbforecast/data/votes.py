"""What each series of a panel says its frequency is."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nbforecast.data.aliases import FrequencySpec
from nbforecast.time_units import DAY

if TYPE_CHECKING:
    from nbforecast.data.frequency import Ints


@dataclass(frozen=True)
class FrequencyGroup:
    """The series that say the same: how many, how many differences they rest on, the first of them."""

    wanted: FrequencySpec
    series: int
    rows: int
    first: int

    def daily(self) -> FrequencyGroup:
        """Business days as days, for a panel that has both."""
        return replace(self, wanted=FrequencySpec("fixed", DAY)) if self.wanted.kind == "business" else self


@dataclass(frozen=True)
class FrequencyEstimates:
    """A step for each series that has two times or more.

    series: (S,) numbers of the series, ascending. rows: (S,) differences it rests on. kind, every, anchor: (S,) as in
    `Frequency`, anchor -1 where open. sure: bool (S,), whether it may contradict other series.
    """

    series: Ints
    rows: Ints
    kind: npt.NDArray[Any]
    every: Ints
    anchor: Ints
    sure: npt.NDArray[np.bool_]

    def take(self, which: npt.NDArray[np.bool_]) -> FrequencyEstimates:
        """The votes under a mask."""
        return FrequencyEstimates(*(getattr(self, field.name)[which] for field in fields(self)))

    def parties(self) -> list[FrequencyGroup]:
        """The different votes, the one with most rows behind it first."""
        found = []
        for kind in sorted(set(self.kind.tolist())):
            of_kind = np.flatnonzero(self.kind == kind)
            pairs = np.column_stack([self.every[of_kind], self.anchor[of_kind]])
            different, member = np.unique(pairs, axis=0, return_inverse=True)
            for number, (every, anchor) in enumerate(different.tolist()):
                which = of_kind[member.ravel() == number]
                wanted = FrequencySpec(kind, every, None if anchor < 0 else anchor)
                found.append(
                    FrequencyGroup(wanted, len(which), int(self.rows[which].sum()), int(self.series[which[0]]))
                )
        return sorted(found, key=lambda p: -p.rows)
