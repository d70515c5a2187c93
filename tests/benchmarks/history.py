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

    from nbforecast.charts import LineChart
    from nbforecast.charts.theme import Theme

HISTORY = Path(__file__).with_suffix(".json")
COLUMNS, WIDTH, HEIGHT = 2, 400, 170
COMMAND = "python -m tests.benchmarks.history"
FIGURES = {  # in the order of the plot; less is better of each
    "first ever": "first quickdraw, nothing compiled, s of CPU",
    "first": "first quickdraw of a kernel, s of CPU",
    "warm": "quickdraw in a warm kernel, ms of CPU",
    "naive": "`naive`, all of ETTh1, µs of a core per origin",
    "pretrained": "`pretrained`, all of ETTh1, µs of a core per origin",
    "beside": "`naive` beside its inference, µs of a core per origin",
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
        options.plot.parent.mkdir(parents=True, exist_ok=True)
        options.plot.write_text(draw(read(options.out)), encoding="utf-8")
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
    from tests.benchmarks.overhead import measure as measure_overhead
    from tests.benchmarks.series import hourly

    _, frame = hourly(600 if quick else None)
    repeats = 1 if quick else 3
    found["naive"], _, found["beside"] = measure_overhead(frame, "naive", repeats)
    if not quick:
        found["pretrained"] = measure_overhead(frame, "pretrained", 2)[0]
    found["shards"] = 1e6 * _shards(*((20, 100) if quick else (100, 1000)))
    other = frame.with_columns(y=frame["y"] + 1)  # which has no results yet
    found["append"] = 1e3 * _append(other, 3 if quick else 20)
    found["warm"] = 1e3 * _warm(3 if quick else 30)
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
    from nbforecast import session

    frame = nbf.sample("glucose")
    run = nbf.forecast(frame, wait=True)
    series = frame["unique_id"][0]

    def draw(index: int) -> float:
        return _processor_seconds(lambda: nbf.quickdraw(frame, index, series, force=True)._repr_mimebundle_())

    draw(-20)
    run.wait()
    taken = []
    for i in range(count):
        session.engine().shutdown()  # the background that the drawing before has begun
        taken.append(draw(-21 - i))
    return median(taken)


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


def _append(frame: Any, turns: int) -> float:
    import nbforecast as nbf

    rows = range(len(frame) - turns + 1, len(frame) + 1)
    for count in (rows[0] - 2, rows[0] - 1):  # the first row more compiles functions for few origins
        nbf.forecast(frame[:count], "naive", wait=True)
    return median(_processor_seconds(lambda n=n: nbf.forecast(frame[:n], "naive", wait=True)) for n in rows)


def _processor_seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def describe(entries: list[dict[str, Any]]) -> str:
    """The newest figures in a sentence, for readers who do not see the picture."""
    newest = entries[-1]
    figures = ". ".join(f"{FIGURES[name].replace('`', '')}: {value:g}" for name, value in newest["figures"].items())
    return f"Figures of {len(entries)} commits, the newest {newest['commit']}. {figures}."


def draw(entries: list[dict[str, Any]], theme: Theme = "light") -> str:
    """One SVG document with a small chart of each figure over the commits."""
    from nbforecast.charts import draw_line_chart

    charts, measured = [], [name for name in FIGURES if any(name in entry["figures"] for entry in entries)]
    for number, name in enumerate(measured):
        svg = draw_line_chart(_chart(entries, name), theme)
        x, y = (number % COLUMNS) * WIDTH, (number // COLUMNS) * HEIGHT
        charts.append(svg.replace("<svg ", f'<svg x="{x}" y="{y}" ', 1))
    width, height = COLUMNS * WIDTH, -(-len(measured) // COLUMNS) * HEIGHT
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(charts)}</svg>'


def _chart(entries: list[dict[str, Any]], name: str) -> LineChart:
    """A figure over the commits, a line for each machine, since only one machine's compare."""
    import numpy as np

    from nbforecast.charts import Dots, Line, LineChart

    marks: list[Any] = []
    for place, machine_name in enumerate(dict.fromkeys(entry["machine"] for entry in entries)):
        of_machine = [n for n, e in enumerate(entries) if e["machine"] == machine_name and name in e["figures"]]
        if of_machine:
            x, values = np.array(of_machine), np.array([entries[n]["figures"][name] for n in of_machine])
            marks.append(Line(x, values, kind="model" if place == 0 else "other"))
            marks.append(Dots(x, values, tuple(f"{value:g}" for value in values), kind="model"))
    title, _, unit = FIGURES[name].replace("`", "").rpartition(", ")
    ticks = tuple((n, entry["commit"]) for n, entry in enumerate(entries))
    return LineChart(title, tuple(marks), title, unit, floor=0.0, width=WIDTH - 16, height=HEIGHT, x_ticks=ticks)


if __name__ == "__main__":
    main()
