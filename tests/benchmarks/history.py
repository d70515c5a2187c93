"""A few figures over time, so that a loss is seen: `python -m tests.benchmarks.history [--plot FILE]`.

Without `--plot` it measures, and adds a line to `history.json`: date, commit, machine, command and figures. Nearly all
are processor time, which other work on the machine disturbs least. With `--plot` it draws what the file has.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.benchmarks import machine
from tests.support.isolation import use_own_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HISTORY = Path(__file__).with_suffix(".json")
COMMAND = "python -m tests.benchmarks.history"
FIGURES = {  # in the order of the plot; less is better of each
    "first ever": "first quickdraw, nothing compiled, s of CPU",
    "first": "first quickdraw of a kernel, s of CPU",
    "warm": "quickdraw in a warm kernel, ms of CPU",
    "naive": "`naive`, all of ETTh1, µs of a core per origin",
    "pretrained": "`pretrained`, all of ETTh1, µs of a core per origin",
    "beside": "the same beside inference (`naive`), µs",
    "shards": "a panel in shards, `naive`, µs of a core per origin",
    "append": "one row more of ETTh1, `naive`, ms of CPU",
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the figures instead of measuring them")
    parser.add_argument("--out", type=Path, default=HISTORY, metavar="FILE", help="the file to add to or to read")
    parser.add_argument("--quick", action="store_true", help="small sizes: that it runs, not how fast it is")
    options = parser.parse_args(arguments)
    if options.plot:
        plot(read(options.out), options.plot)
        return
    machine.be_fair()
    entry = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": _commit(),
        "machine": machine.describe_briefly(),
        "command": COMMAND,
        "figures": {name: float(f"{value:.3g}") for name, value in measure(options.quick).items()},
    }
    add(entry, options.out)
    sys.stdout.write(json.dumps(entry, indent=2, ensure_ascii=False) + "\n")


def read(path: Path = HISTORY) -> list[dict[str, Any]]:
    """The entries of a file, the oldest first."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def add(entry: dict[str, Any], path: Path = HISTORY) -> None:
    """Write an entry behind the others, one a line."""
    lines = ",\n".join(json.dumps(e, ensure_ascii=False) for e in [*read(path), entry])
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def measure(quick: bool) -> dict[str, float]:
    """All figures."""
    found = _first_charts(quick)
    use_own_directory()
    found["warm"] = 1e3 * _warm(3 if quick else 30)
    from tests.benchmarks.overhead import measure as measure_overhead
    from tests.benchmarks.series import hourly

    _, frame = hourly(600 if quick else None)
    repeats = 1 if quick else 3
    found["naive"], _, found["beside"] = measure_overhead(frame, "naive", repeats)
    if not quick:
        found["pretrained"] = measure_overhead(frame, "pretrained", 2)[0]
    found["shards"] = 1e6 * _shards(*((20, 100) if quick else (100, 1000)))
    found["append"] = 1e3 * _append(frame, repeats)
    return {name: found[name] for name in FIGURES if name in found}


def _first_charts(quick: bool) -> dict[str, float]:
    """Processor seconds from `import nbforecast` to a chart, in processes of their own."""
    code = (
        "import time, os; s = time.process_time(); import nbforecast as nbf\n"
        f"nbf.quickdraw(nbf.sample('glucose'), -24, model={'naive' if quick else 'pretrained'!r})._repr_mimebundle_()\n"
        "print(time.process_time() - s, flush=True); os._exit(0)"
    )
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NBFORECAST_CACHE_DIR": folder}
        environment.pop("JAX_COMPILATION_CACHE_DIR", None)

        def run() -> float:
            done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
            return float(done.stdout)

        ever = run()
        return {"first ever": ever, "first": median(run() for _ in range(1 if quick else 3))}


def _warm(count: int) -> float:
    import nbforecast as nbf

    frame = nbf.sample("glucose")
    run = nbf.forecast(frame, wait=True)
    series = frame["unique_id"][0]

    def draw(index: int) -> float:
        return _processor_seconds(lambda: nbf.quickdraw(frame, index, series, force=True)._repr_mimebundle_())

    draw(-20)
    run.wait()
    return median(draw(-21 - i) for i in range(count))


def _shards(series: int, points: int) -> float:
    import nbforecast as nbf
    from tests.benchmarks.shards import panel

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "panel.parquet"
        panel(series, points, path)
        sizes = []
        for number in range(2):
            start = time.process_time()
            run = nbf.forecast_dataset(path, Path(folder) / f"{number}", model="naive", horizon=12).wait()
            sizes.append((time.process_time() - start) / run.origins)
        return min(sizes)


def _append(frame: Any, repeats: int) -> float:
    import nbforecast as nbf

    nbf.forecast(frame[: -repeats - 1], "naive", wait=True)
    rows = range(len(frame) - repeats, len(frame))
    return median(_processor_seconds(lambda n=n: nbf.forecast(frame[:n], "naive", wait=True)) for n in rows)


def _processor_seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def plot(entries: list[dict[str, Any]], file: Path) -> None:
    """Draw each figure over the entries; machines have colours of their own, since only one machine's compare."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    machines = list(dict.fromkeys(entry["machine"] for entry in entries))
    figure, axes = plt.subplots(len(FIGURES) // 2, 2, figsize=(9, 8), sharex=True, layout="constrained")
    for axis, (name, title) in zip(axes.flat, FIGURES.items(), strict=True):
        for colour, of_machine in enumerate(machines):
            points = [
                (place, entry["figures"][name])
                for place, entry in enumerate(entries)
                if name in entry["figures"] and entry["machine"] == of_machine
            ]
            axis.plot(*zip(*points, strict=True), "o-", color=f"C{colour}", lw=1.2, ms=4) if points else None
            for place, value in points:
                axis.annotate(f"{value:g}", (place, value), (0, 5), textcoords="offset points", ha="center", size=7)
        axis.set_title(title.replace("`", ""), fontsize=8.5, loc="left")
        axis.set_ylim(bottom=0)
        axis.margins(x=0.1, y=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    labels = [f"{entry['date']}\n{entry['commit']}" for entry in entries]
    for axis in axes[-1]:
        axis.set_xticks(range(len(entries)), labels, fontsize=7)
    figure.suptitle("Less is better. " + " · ".join(machines), fontsize=8, color="#666")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=150)


if __name__ == "__main__":
    main()
