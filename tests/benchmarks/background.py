"""A kernel while a long run goes on: its main thread, quickdraws, memory."""

from __future__ import annotations

from importlib.util import find_spec
from statistics import median, quantiles
from typing import TYPE_CHECKING

from nbforecast.forecasters.registry import DEFAULT
from tests.benchmarks.fresh import HORIZON, measure
from tests.benchmarks.table import Table, milliseconds, number

if TYPE_CHECKING:
    from collections.abc import Iterator

PEERS = {
    "statsforecast": "statsforecast AutoTheta, `cross_validation`, in a thread",
    "darts": "Darts linear regression, `historical_forecasts`, in a thread",
}


def tables(quick: bool) -> Iterator[Table]:
    model, origins, draws = ("naive", 20_000, 5) if quick else (DEFAULT, 100_000, 50)
    found = measure("beside_run", model, origins, draws)
    yield _ticks(found, origins, model, quick)
    rows = [
        (label, *(milliseconds(v) for v in (median(found[name]), quantiles(found[name], n=20)[-1], max(found[name]))))
        for label, name in (("`run.at(index)`", "at"), ("`nbf.quickdraw(frame, index)`, with its picture", "drawn"))
    ]
    over = " The run had ended before the last of them." if found["over"] else ""
    yield Table(
        f"One origin while a run of {origins:,} goes on, ms",
        ("", "median", "95 %", "most"),
        rows,
        (
            f"{draws} each, of origins that the run has not come to; model {model}. The run made "
            f"{number(found['pace'])} origins a second meanwhile, {number(found['alone'])} by itself.{over}",
        ),
    )
    yield _million(quick)


def _ticks(found: dict[str, list[float]], origins: int, model: str, quick: bool) -> Table:
    cases = {
        "nothing": found["idle"],
        f"a run of {origins:,} origins": found["running"],
        "a model is compiled, its run begins": found["compiling"],
    }
    for name, label in PEERS.items():
        if find_spec(name) and not quick:
            cases[label] = measure("beside_peer", name)["running"]
    rows = [
        (label, *(milliseconds(v) for v in (median(late), quantiles(late, n=20)[-1], max(late))))
        for label, late in cases.items()
    ]
    note = f"How much later than asked the main thread wakes from sleeping 5 ms; model {model}, horizon {HORIZON}."
    return Table("The main thread beside the background, ms late", ("beside", "median", "95 %", "most"), rows, (note,))


def _million(quick: bool) -> Table:
    model, origins = "naive", 5_000 if quick else 1_000_000
    found = measure("million", model, origins, patience=600)
    grown = found["peak"] - found["before"]
    rows = [
        ("process before, imports and compiled model included", number(found["before"])),
        ("process at its highest", number(found["peak"])),
        ("results: forecasts, quantiles, scores of every origin", number(found["results"])),
        ("what the process has grown by, bytes an origin", number(grown * 2**20 / origins)),
    ]
    note = f"One process; {origins / found['seconds']:,.0f} origins a second, saving included."
    return Table(f"Memory of a run of {origins:,} origins ({model}), MiB", ("", ""), rows, (note,))
