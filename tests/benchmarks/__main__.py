"""How fast nbforecast is beside its peers: `python -m tests.benchmarks [NAME ...] [--quick] [--out FILE]`.

Prints Markdown tables and writes them to FILE. Nothing here asserts a time.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import machine
from tests.support.isolation import use_own_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

SECTIONS = {
    "startup": "importing and loading",
    "quickdraw": "time to a chart of one origin",
    "background": "a kernel while a long run goes on",
    "rolling": "forecasting from every origin",
    "calibration": "what the bands cover, before and after calibration",
    "joint": "sums, extremes and paths over a horizon",
    "surprises": "false alarms, labelled anomalies and changes",
    "learn": "what past errors and covariates teach",
    "benchmark2": "six sets of Chronos Benchmark II beside published figures",
    "networks": "networks beside their PyTorch originals",
    "chronos2": "Chronos-2 beside its PyTorch original, and by context",
    "stages": "where the time of a full run goes",
    "overhead": "what an origin costs beside inference",
    "calculations": "quantiles, scores, densities",
    "memory": "bytes an origin, snapshots, writing",
    "cache": "finding, reading, saving, loading results",
    "reuse": "telling what can be reused",
    "append": "what an appended row costs",
    "restart": "one more row, a new kernel",
    "chart": "drawing a chart",
    "shards": "panels in shards, with one process and on Ray",
    "explorer": "looking through forecasts in a browser",
    "explorer_lab": "the explorer beside a run that goes on",
    "live": "from a new row to its forecast on the screen",
    "panel": "following a cache of many entries",
    "latest": "the newest forecasts of 500 shops, origins by time, long tables",
    "prepare": "from a frame to a dataset",
    "groups": "totals of groups of a panel",
    "from_long": "from a table of forecasts to a run",
    "gpu": "devices, batch sizes and whole runs on a GPU",
}
OUT = Path("build/benchmarks.md")


def main(arguments: Sequence[str] | None = None) -> None:
    known = ", ".join(f"{name} ({what})" for name, what in SECTIONS.items())
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__, epilog=f"NAME: {known}")
    parser.add_argument("names", nargs="*", metavar="NAME", help="sections to run (default: all)")
    parser.add_argument("--quick", action="store_true", help="small sizes: that it runs, not how fast it is")
    parser.add_argument("--out", type=Path, default=OUT, help="where to write the tables (default: %(default)s)")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in SECTIONS]
    if unknown:
        parser.error(f"there is no section {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    machine.be_fair()
    use_own_directory()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    parts: list[str] = []
    failed: list[str] = []

    def add(part: str) -> None:
        print(part, end="\n\n", flush=True)
        parts.append(part)
        options.out.write_text("\n\n".join(parts) + "\n", encoding="utf-8")

    began = time.perf_counter()
    add(machine.describe(options.quick))
    for name in options.names or SECTIONS:
        start = time.perf_counter()
        add(f"## {name}: {SECTIONS[name]}")
        try:
            for table in import_module(f"tests.benchmarks.{name}").tables(options.quick):
                add(table.markdown())
        except Exception as error:
            traceback.print_exc()
            failed.append(name)
            add(f"**{name} failed**: {type(error).__name__}: {error}")
        add(f"*{name}: {time.perf_counter() - start:.0f} s*")
    print(f"{time.perf_counter() - began:.0f} s in all; written to {options.out}")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
