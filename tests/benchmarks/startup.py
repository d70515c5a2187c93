"""How long importing takes, in fresh processes."""

from __future__ import annotations

from importlib.util import find_spec
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.fresh import measure
from tests.benchmarks.table import Table, milliseconds, number, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS = (
    ("`import nbforecast`", ("load", "nbforecast")),
    ("`%load_ext nbforecast`", ("load_ext",)),
    ("`nbforecast.session` (JAX is not among it)", ("load", "nbforecast.session")),
    ("the default model (JAX and all)", ("load", "nbforecast.forecasters.statistical.auto")),
)
PEERS = ("jax", "statsforecast", "darts")


def tables(quick: bool) -> Iterator[Table]:
    peers = [name for name in PEERS if find_spec(name) and not (quick and name != "jax")]
    jobs = [*OURS, *((f"`import {name}`", ("load", name)) for name in peers)]
    measure("load", "darts" if "darts" in peers else "jax")  # fetches the files from the disk
    found: dict[str, list[dict[str, float]]] = {label: [] for label, _ in jobs}
    for turn in range(1 if quick else 7):
        for label, job in jobs:
            if turn < 3 or label in dict(OURS):
                found[label].append(measure(*job))
    rows = []
    first = median(f["seconds"] for f in found[jobs[0][0]])
    for label, figures in found.items():
        taken = median(f["seconds"] for f in figures)
        rows.append((label, milliseconds(taken), ratio(taken / first), number(median(f["peak"] for f in figures))))
    note = "Median of 7 fresh processes (3 for peers), files in the page cache; peak memory of the whole process after."
    left = [name for name in PEERS if name not in peers]
    missing = (f"Not measured here: {', '.join(left)}.",) if left else ()
    yield Table("Import", ("", "ms", "to import nbforecast", "process, MiB"), rows, (note, *missing))
