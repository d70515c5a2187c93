"""Drawing one forecast: our SVG, the same chart by matplotlib."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import nbforecast as nbf
from nbforecast import charts
from tests.benchmarks.table import Table, milliseconds, ratio
from tests.benchmarks.timing import compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nbforecast.charts import FanData

HORIZON = 12


def tables(quick: bool) -> Iterator[Table]:
    run = nbf.forecast(nbf.sample("taxi").tail(800), "naive", HORIZON, wait=True)
    forecast = run.at(-24)
    bands, dense = forecast.fan(), forecast.fan("density")
    work: dict[str, Callable[[], bytes | None]] = {
        "SVG, bands": lambda: charts.draw_fan(bands).encode(),
        "SVG, density": lambda: charts.draw_fan(dense, style="density").encode(),
        "matplotlib SVG, bands": lambda: _matplotlib(bands, "bands", "svg"),
        "matplotlib SVG, density": lambda: _matplotlib(dense, "density", "svg"),
        "matplotlib PNG, bands": lambda: _matplotlib(bands, "bands", "png"),
        "collecting what is drawn, bands": lambda: _collect(forecast),
        "mime bundle (HTML, SVG, text), bands": lambda: "".join(forecast._repr_mimebundle_().values()).encode(),
    }
    taken = compare(work, 2 if quick else 20)
    first = taken["SVG, bands"]
    rows = []
    for name, draw in work.items():
        made = draw()
        rows.append((name, milliseconds(taken[name]), ratio(taken[name] / first), f"{len(made):,}" if made else ""))
    size = f"{len(bands.values)} points of history and {HORIZON} steps"
    yield Table("One chart", ("", "ms", "to our SVG", "bytes"), rows, (f"{size}; matplotlib is imported before.",))


def _matplotlib(fan: FanData, style: Any, kind: str) -> bytes:
    out = io.BytesIO()
    figure: Any = charts.fan_figure(fan, style)
    figure.savefig(out, format=kind)
    return out.getvalue()


def _collect(forecast: nbf.Forecast) -> None:
    forecast.fan()
