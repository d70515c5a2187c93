"""E2, E4, E7: how many origins are inferred at once, found from how long batches take."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbforecast.device import cores
from nbforecast.engine.batch_size import TARGET, BatchSizer, BatchSizers
from nbforecast.forecasters.base import resolve

LADDER = (32, 256, 2048)


def work(
    pace: BatchSizer, origins: int, seconds: float, start: float, compiling: float = 0.0
) -> tuple[list[int], float]:
    """A machine that needs `start` seconds a batch and `seconds` an origin: the chunks it is given, and its time."""
    chunks, total, known = [], 0.0, set()
    left = origins
    while left:
        pace.adapt(left)
        chunk = min(pace.chunk, left)
        chunks.append(chunk)
        for _ in range(-(-chunk // pace.size)):
            count = min(pace.size, left)
            took = start + seconds * pace.size + (0.0 if pace.size in known else compiling)
            known.add(pace.size)
            pace.note(count, took)
            total += took
            left -= count
    return chunks, total


@given(
    seconds=st.floats(1e-6, 0.5), start=st.floats(1e-5, 0.02), compiling=st.floats(0, 10), compiled=st.booleans(),
    origins=st.integers(1, 50_000),
)  # fmt: skip
def test_E2_a_chunk_takes_about_fifty_milliseconds(
    seconds: float, start: float, compiling: float, compiled: bool, origins: int
) -> None:
    pace = BatchSizer(LADDER if compiled else tuple(2**i for i in range(13)), compiled=compiled)
    chunks, _ = work(pace, min(origins, 3000), seconds, start, compiling)
    assert sum(chunks) == min(origins, 3000)
    smallest = start + seconds * (LADDER[0] if compiled else 1)
    batches = chunks[-1] / pace.size
    assert batches * (start + seconds * pace.size) <= max(TARGET, smallest) * 1.01


@given(seconds=st.floats(1e-6, 1e-3), compiling=st.floats(0, 10), origins=st.integers(1, 200_000))
def test_E2_what_is_compiled_costs_at_most_about_what_it_could_have_saved(
    seconds: float, compiling: float, origins: int
) -> None:
    """As in the ski rental problem: at most twice the time of who knows it all, and a first batch."""
    start = 0.002
    _, taken = work(BatchSizer(LADDER, compiled=True), origins, seconds, start, compiling)
    sizes = [s for s in LADDER if start + seconds * s <= TARGET] or [LADDER[0]]
    best = min(compiling * (i + 1) + -(-origins // size) * (start + seconds * size) for i, size in enumerate(sizes))
    assert taken <= 2.2 * best + compiling + 4 * (start + seconds * sizes[-1]) + TARGET


def test_E2_a_compilation_heard_of_elsewhere_counts() -> None:
    knowing, ignorant = BatchSizer(LADDER, compiled=True), BatchSizer(LADDER, compiled=True)
    knowing.hear(3.5)
    for pace in (knowing, ignorant):
        work(pace, 64, 1e-4, 0.002)
        pace.adapt(5000)
    assert (knowing.size, ignorant.size) == (32, 256)
    knowing.adapt(200_000)
    assert knowing.size == 256


def test_E2_a_larger_batch_is_not_tried_for_fewer_origins_than_it_holds() -> None:
    pace = BatchSizer(LADDER, compiled=True)
    work(pace, 64, 1e-5, 1e-3)
    pace.adapt(255)
    assert pace.size == 32
    pace.adapt(256)
    assert pace.size == 256


def test_E2_the_longest_compilation_heard_of_counts() -> None:
    pace = BatchSizer(LADDER, compiled=True)
    pace.hear(3.5)
    pace.hear(0.1)
    work(pace, 64, 1e-4, 0.002)
    pace.adapt(5000)
    assert pace.size == 32


def test_E2_many_short_runs_pay_for_a_compilation_in_the_end() -> None:
    pace = BatchSizer(LADDER, compiled=True)
    pace.hear(0.5)
    runs = 0
    while pace.size == 32:
        work(pace, 300, 1e-4, 0.002)
        runs += 1
    assert 8 < runs < 16, "about as many as take half a second"


def test_E2_a_chunk_has_as_many_batches_as_there_is_time_for() -> None:
    pace = BatchSizer((32,), compiled=True)
    assert pace.chunk == 32
    for _ in range(3):
        pace.note(32, 0.0049)
    assert pace.chunk == 10 * 32
    pace.note(31, 1.0)
    assert pace.chunk == 10 * 32, "a batch that is not full tells nothing"


def test_E2_a_larger_batch_that_is_slower_is_left_again() -> None:
    pace = BatchSizer((32, 64), compiled=True)
    for seconds in (0.01, 0.01):
        pace.note(32, seconds)
    pace.adapt(10_000)
    assert pace.size == 64
    for _ in range(4):
        pace.adapt(10_000)
        assert pace.size == 64, "a few slow batches may be noise"
        pace.note(64, 0.04)
    pace.adapt(10_000)
    assert pace.size == 32
    pace.adapt(10_000)
    assert pace.size == 32, "for good"


def test_E7_what_does_not_fit_is_halved_until_nothing_is_left_to_halve() -> None:
    pace = BatchSizer.fixed(12)
    sizes = [pace.size]
    while pace.shrink():
        sizes.append(pace.size)
    assert sizes == [12, 6, 3, 1]


def test_E2_models_and_horizons_have_paces_of_their_own() -> None:
    paces, naive = BatchSizers(), resolve("naive")
    assert paces.of(naive, "naive", 12, None) is paces.of(naive, "naive", 12, None)
    assert len({id(paces.of(naive, m, h, c)) for m in "ab" for h in (6, 12) for c in (None, 50)}) == 8
    assert paces.of(naive, "a", 12, 50).size == 50
    assert paces.of(naive, "a", 12, None).size == naive.batch_sizes[0]


@pytest.mark.parametrize("count", [1, 31, 32, 33, 300, 2049])
def test_E2_batches_have_few_shapes(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbforecast.data import prepare
    from nbforecast.forecasters import window_forecaster

    seen: list[int] = []

    def compiled(*_: object) -> object:
        def run(windows: object) -> np.ndarray:
            seen.append(len(windows.values))
            return np.zeros((len(windows.values), 3, 10), np.float32)

        return run

    monkeypatch.setattr(window_forecaster, "_compiled", compiled)
    monkeypatch.setattr(window_forecaster, "_first_calls", window_forecaster.CompileOnce())
    data = prepare(np.sin(np.arange(4000.0)))
    naive = resolve("naive")
    assert naive.forecast(data, np.arange(1000, 1000 + count), 3).shape == (count, 3, 10)
    assert set(seen) <= ({32, 128} if cores() > 1 else set(naive.batch_sizes))
    assert sum(seen) >= count
    naive.forecast(data, np.arange(1000, 1001), 3)
    assert seen[-1] == min(seen[:-1]), "the smallest batch that is compiled already holds a single origin too"


def test_E7_a_batch_that_has_failed_is_not_taken_for_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    from nbforecast.data import prepare
    from nbforecast.forecasters import window_forecaster

    fails: list[int] = []

    def compiled(*_: object) -> object:
        def run(windows: object) -> np.ndarray:
            if len(windows.values) in fails:
                raise MemoryError
            return np.zeros((len(windows.values), 3, 10), np.float32)

        return run

    monkeypatch.setattr(window_forecaster, "_compiled", compiled)
    monkeypatch.setattr(window_forecaster, "_first_calls", window_forecaster.CompileOnce())
    data, naive = prepare(np.sin(np.arange(4000.0))), resolve("naive")
    naive.forecast(data, np.arange(1000, 1256), 3)
    fails.extend((128, 256))
    with pytest.raises(MemoryError):
        naive.forecast(data, np.arange(1000, 1256), 3)
    assert naive.forecast(data, np.arange(1000, 1032), 3).shape == (32, 3, 10)
