"""C5, C6, C7, E8, L1: what is reused of earlier results is what a cold forecast would give, and nothing else is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given
from hypothesis import strategies as st

import nbforecast as nbf

if TYPE_CHECKING:
    from nbforecast.run import Run
from tests.support.examples import examples
from tests.support.panel_strategies import (
    CONTEXT,
    HORIZON,
    SCORES,
    Context,
    Origin,
    Panel,
    Result,
    Weighted,
    changed,
    empty,
    frame,
    is_tail,
    origins,
    panels,
    result,
    seen,
)

pytestmark = pytest.mark.slow


@dataclass
class Donor:
    """An entry as a slow model of C5 and C7 keeps it: what each forecast was made from, and the forecast."""

    panel: Panel
    made: dict[Origin, Context] = field(default_factory=dict)
    values: dict[Origin, bytes] = field(default_factory=dict)
    barred: set[Origin] = field(default_factory=set)

    def tail_of(self, other: Donor) -> bool:
        return all(n in other.panel and is_tail(s, other.panel[n]) for n, s in self.panel.items())


class Story:
    """Forecasts panel after panel, and holds the number inferred and every array against what the rules allow."""

    def __init__(self, restarts: bool) -> None:
        self.restarts = restarts
        self.donors: list[Donor] = []
        self.model = Weighted()
        self.shown: list[tuple[Panel, Run, Result, set[Origin]]] = []

    def tell(self, panel: Panel, max_duration: int | None = None) -> None:
        if max_duration is not None:
            panel = {n: {s: v for s, v in x.items() if s > max(x) - max_duration} for n, x in panel.items()}
        if self.restarts:
            empty(disk=False)
        self.model.count = 0
        run = nbf.forecast(frame(panel), self.model, HORIZON, freq="5min", wait=True)
        found = result(run, panel)
        there = origins(panel)
        alone = dict(zip(there, (self.model.availability(run.data) == 0).tolist(), strict=True))
        context = {o: seen(panel[o[0]], o[1] - CONTEXT + 1, o[1]) for o in there}
        new = Donor(panel)
        inferred, served = 0, set()
        for o in there:
            equal = [d for d in self.donors if d.made.get(o) == context[o]]
            longer = [d for d in self.donors if o in d.made and is_tail(panel[o[0]], d.panel[o[0]])]
            if not alone[o] and not equal and (not longer or found.status[o] == "unavailable"):
                assert found.status[o] == "unavailable", o
                new.barred.add(o)
                continue
            assert found.status[o] == "scored", o
            new.values[o] = found.forecast[o]
            sources = [d for d in (*equal, *longer) if d.values[o] == found.forecast[o]]
            if equal or longer:
                assert sources, o
                new.made[o] = sources[0].made[o]
            else:
                inferred += 1
                new.made[o] = context[o]
            if (equal or longer) and not any(d is e for d in sources for e in equal):
                served.add(o)
        event(f"inferred: {'none' if not inferred else 'all' if inferred == len(new.values) else 'some'}")
        event(f"served by a longer history: {bool(served)}")
        assert run.inferred == inferred
        assert self.model.count == inferred
        assert run.reused + run.inferred == run.available == len(new.values)
        assert run.progress == 1
        self._put(new)
        self.shown.append((panel, run, found, served))

    def _put(self, new: Donor) -> None:
        """A view adds no entry; an entry of its own replaces the smaller ones in memory that it contains (C7a)."""
        whole = [d for d in self.donors if new.tail_of(d) and not (new.made.keys() & d.barred)]
        if any(all(new.values[o] == d.values.get(o) for o in new.values) for d in whole):
            return
        size = len(origins(new.panel))
        self.donors = [
            d
            for d in self.donors
            if not (
                not self.restarts
                and d.tail_of(new)
                and size > len(origins(d.panel))
                and len(d.values) <= sum(o in new.values for o in origins(d.panel))
                and not (d.made.keys() & new.barred)
            )
        ]
        self.donors.append(new)

    def check(self) -> None:
        """Every result against a forecast of the same data with nothing in the cache; and none has changed since."""
        for panel, run, found, served in self.shown:
            empty()
            again = result(run, panel)
            assert again.forecast == found.forecast
            cold = result(nbf.forecast(frame(panel), Weighted(), HORIZON, freq="5min", wait=True), panel)
            equal = []
            for o, status in cold.status.items():
                if o in served:
                    equal.append(status != "unavailable" and found.forecast[o] == cold.forecast[o])
                    continue
                assert found.status[o] == status, o
                equal.append(True)
                if status != "unavailable":
                    assert found.forecast[o] == cold.forecast[o], o
            for name in SCORES:
                np.testing.assert_allclose(
                    found.columns[name][equal], cold.columns[name][equal], rtol=1e-5, atol=1e-6, err_msg=name
                )


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[Panel, int | None]]:
    """A panel and what becomes of it: one or two changes, one after the other or both of the first panel."""
    first = draw(panels())
    one = draw(changed(first))
    told: list[tuple[Panel, int | None]] = [(first, None), (one, draw(_durations()))]
    if draw(st.booleans()):
        told.append((draw(changed(draw(st.sampled_from([first, one])))), draw(_durations())))
    return told


def _durations() -> st.SearchStrategy[int | None]:
    return st.one_of(st.none(), st.none(), st.integers(12, 120))


@pytest.mark.parametrize("restarts", [False, True], ids=["one kernel", "a restart before each"])
@examples(15, suppress_health_check=[HealthCheck.too_slow])
@given(told=stories())
def test_C5_E8_L1_warm_is_cold_and_infers_only_new_contexts(
    restarts: bool, told: list[tuple[Panel, int | None]]
) -> None:
    empty()
    story = Story(restarts)
    for panel, max_duration in told:
        story.tell(panel, max_duration)
    story.check()
