"""E2, E4, E7: how many origins are inferred at once, found from how long batches take."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbforecast.device import cores
from nbforecast.engine.batch_size import TARGET, BatchSizer, BatchSizers
from nbforecast.forecasters.registry import resolve

LADDER = (32, 256, 2048)


def work(
    sizer: BatchSizer, origins: int, seconds: float, start: float, compiling: float = 0.0
) -> tuple[list[int], float]:
    """A machine that needs `start` seconds a batch and `seconds` an origin: the chunks it is given, and its time."""
    chunks, total, known = [], 0.0, set()
    left = origins
    while left:
        sizer.choose(left)
        chunk = min(sizer.chunk, left)
        chunks.append(chunk)
        for _ in range(-(-chunk // sizer.size)):
            count = min(sizer.size, left)
            took = start + seconds * sizer.size + (0.0 if sizer.size in known else compiling)
            known.add(sizer.size)
            sizer.observe(count, took)
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
    sizer = BatchSizer(LADDER if compiled else tuple(2**i for i in range(13)), compiled=compiled)
    chunks, _ = work(sizer, min(origins, 3000), seconds, start, compiling)
    assert sum(chunks) == min(origins, 3000)
    smallest = start + seconds * (LADDER[0] if compiled else 1)
    batches = chunks[-1] / sizer.size
    assert batches * (start + seconds * sizer.size) <= max(TARGET, smallest) * 1.01


@given(seconds=st.floats(1e-6, 1e-3), compiling=st.floats(0, 10), origins=st.integers(1, 200_000))
def test_E2_compilation_costs_at_most_about_what_it_can_save(seconds: float, compiling: float, origins: int) -> None:
    """As in the ski rental problem: at most twice the time of who knows it all, and a first batch."""
    start = 0.002
    _, taken = work(BatchSizer(LADDER, compiled=True), origins, seconds, start, compiling)
    sizes = [s for s in LADDER if start + seconds * s <= TARGET] or [LADDER[0]]
    best = min(compiling * (i + 1) + -(-origins // size) * (start + seconds * size) for i, size in enumerate(sizes))
    assert taken <= 2.2 * best + compiling + 4 * (start + seconds * sizes[-1]) + TARGET


def test_E2_a_compilation_observed_elsewhere_counts() -> None:
    warned, ignorant = BatchSizer(LADDER, compiled=True), BatchSizer(LADDER, compiled=True)
    warned.observe_elsewhere(3.5)
    for sizer in (warned, ignorant):
        work(sizer, 64, 1e-4, 0.002)
        sizer.choose(5000)
    assert (warned.size, ignorant.size) == (32, 256)
    warned.choose(200_000)
    assert warned.size == 256


def test_E2_a_larger_batch_is_not_tried_for_fewer_origins_than_it_holds() -> None:
    sizer = BatchSizer(LADDER, compiled=True)
    work(sizer, 64, 1e-5, 1e-3)
    sizer.choose(255)
    assert sizer.size == 32
    sizer.choose(256)
    assert sizer.size == 256


def test_E2_the_longest_observed_compilation_counts() -> None:
    sizer = BatchSizer(LADDER, compiled=True)
    sizer.observe_elsewhere(3.5)
    sizer.observe_elsewhere(0.1)
    work(sizer, 64, 1e-4, 0.002)
    sizer.choose(5000)
    assert sizer.size == 32


def test_E2_many_short_runs_pay_for_a_compilation_in_the_end() -> None:
    sizer = BatchSizer(LADDER, compiled=True)
    sizer.observe_elsewhere(0.5)
    runs = 0
    while sizer.size == 32:
        work(sizer, 300, 1e-4, 0.002)
        runs += 1
    assert 8 < runs < 16, "about as many as take half a second"


def test_E2_a_larger_size_is_not_compiled_for_what_the_present_one_does_sooner() -> None:
    """The newest origin of 500 series: the first batch compiles for 3 s, and all others take less than one."""
    times: dict[int, float] = {}
    sizer = BatchSizer(LADDER, compiled=True, seconds_to_compile=times.get)
    for seconds in (3.0, 0.01, 0.01):
        sizer.observe(32, seconds)
    assert sizer.choose(500) == 32
    later = BatchSizer(LADDER, compiled=True, seconds_to_compile=times.get)
    times[32] = 3.0  # read from the disk at once, which tells nothing of what the larger one costs
    for seconds in (0.1, 0.001, 0.001):
        later.observe(32, seconds)
    assert later.choose(5000) == 32
    times[256] = 5.0  # in the meantime another process has compiled it
    assert later.choose(5000) == 256


def test_E2_a_chunk_has_as_many_batches_as_fit_the_target() -> None:
    sizer = BatchSizer((32,), compiled=True)
    assert sizer.chunk == 32
    for _ in range(3):
        sizer.observe(32, 0.0049)
    assert sizer.chunk == 10 * 32
    sizer.observe(31, 1.0)
    assert sizer.chunk == 10 * 32, "a batch that is not full tells nothing"


def test_E2_a_larger_batch_that_is_slower_is_given_up() -> None:
    sizer = BatchSizer((32, 64), compiled=True)
    for seconds in (0.01, 0.01):
        sizer.observe(32, seconds)
    sizer.choose(10_000)
    assert sizer.size == 64
    for _ in range(4):
        sizer.choose(10_000)
        assert sizer.size == 64, "a few slow batches may be noise"
        sizer.observe(64, 0.04)
    sizer.choose(10_000)
    assert sizer.size == 32
    sizer.choose(10_000)
    assert sizer.size == 32, "for good"


def test_E7_a_fixed_batch_is_halved_until_one_origin_is_left() -> None:
    sizer = BatchSizer.fixed(12)
    sizes = [sizer.size]
    while sizer.shrink():
        sizes.append(sizer.size)
    assert sizes == [12, 6, 3, 1]


def test_E2_models_and_horizons_have_batch_sizers_of_their_own() -> None:
    sizers, naive = BatchSizers(), resolve("naive")
    assert sizers.get(naive, "naive", 12, None) is sizers.get(naive, "naive", 12, None)
    assert len({id(sizers.get(naive, m, h, c)) for m in "ab" for h in (6, 12) for c in (None, 50)}) == 8
    assert sizers.get(naive, "a", 12, 50).size == 50
    assert sizers.get(naive, "a", 12, None).size == naive.batch_sizes[0]


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
    monkeypatch.setattr(window_forecaster, "_compile_once", window_forecaster.CompileOnce())
    monkeypatch.setattr(window_forecaster, "record_compilation", lambda *_: None)
    data = prepare(np.sin(np.arange(4000.0)))
    naive = resolve("naive")
    assert naive.forecast(data, np.arange(1000, 1000 + count), 3).shape == (count, 3, 10)
    assert set(seen) <= ({32, 128} if cores() > 1 else set(naive.batch_sizes))
    assert sum(seen) >= count
    naive.forecast(data, np.arange(1000, 1001), 3)
    assert seen[-1] == min(seen[:-1]), "the smallest batch that is compiled already holds a single origin too"


def test_E7_a_batch_that_failed_does_not_count_as_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
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
    monkeypatch.setattr(window_forecaster, "_compile_once", window_forecaster.CompileOnce())
    monkeypatch.setattr(window_forecaster, "record_compilation", lambda *_: None)
    data, naive = prepare(np.sin(np.arange(4000.0))), resolve("naive")
    naive.forecast(data, np.arange(1000, 1256), 3)
    fails.extend((128, 256))
    with pytest.raises(MemoryError):
        naive.forecast(data, np.arange(1000, 1256), 3)
    assert naive.forecast(data, np.arange(1000, 1032), 3).shape == (32, 3, 10)
