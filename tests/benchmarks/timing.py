"""Seconds: medians of repeats, taken in turns where things are compared, so that a noisy moment hits them alike."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def seconds(function: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long one call takes; by `time.process_time`, how much processor time of all threads."""
    start = clock()
    function()
    return clock() - start


def compare(
    functions: Mapping[str, Callable[[], Any]], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """The median seconds of each function, all of them called in turns, after one call that does not count."""
    for function in functions.values():
        function()
    taken: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            taken[name].append(seconds(function, clock))
    return {name: median(values) for name, values in taken.items()}


def rate(work: Callable[[int], Any], budget: float, most: int, first: int = 2, repeats: int = 3) -> tuple[int, float]:
    """How many pieces of work fit a share of `budget` seconds, at most `most`, and the median pieces per second.

    `work(first)` is called once without being timed, and once to find out how much fits.
    """
    first = min(first, most)
    work(first)
    once = seconds(lambda: work(first)) / first
    count = int(min(max(budget / repeats / once, first), most))
    return count, count / median(seconds(lambda: work(count)) for _ in range(repeats))
