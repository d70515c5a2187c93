"""Time to a chart of one origin: in a fresh kernel, in a warm one, and beside a long run."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from nbforecast.forecasters.registry import DEFAULT
from tests.benchmarks.fresh import HORIZON, measure
from tests.benchmarks.table import Table, milliseconds, number

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTS = ("import", "prepare", "inference", "calculations", "rest", "total")


def tables(quick: bool) -> Iterator[Table]:
    model, repeats, draws = ("naive", 1, 8) if quick else (DEFAULT, 3, 50)
    with tempfile.TemporaryDirectory() as kept:
        cold = [measure("first_chart", model, directory=Path(kept) / str(turn)) for turn in range(repeats)]
        second = [_compiled(model, Path(kept) / "0") for _ in range(repeats)]
        third = [measure("first_chart", model, directory=Path(kept) / "0") for _ in range(repeats)]
        warm = measure("warm_charts", model, draws, directory=Path(kept) / "0", patience=60 if quick else 300)
    rows = [
        (label, *(milliseconds(median(f[part] for f in found)) for part in PARTS))
        for label, found in (
            ("nothing compiled yet", cold),
            ("compiled by an earlier kernel", second),
            ("drawn by an earlier kernel", third),
        )
    ]
    yield Table(
        "First chart of a fresh kernel, ms",
        ("", *PARTS),
        rows,
        (
            f"From `import nbforecast` to the mime bundle (HTML, SVG, text) of a glucose sample of 4 series and 7,385 "
            f"points, model {model}, horizon {HORIZON}; median of {repeats} processes. Import: nbforecast, Polars, JAX "
            "and the model. Inference includes starting JAX and compiling, or reading what was compiled.",
        ),
    )
    rows = [
        (label, number(1e3 * median(warm[name])), number(1e3 * quantiles(warm[name], n=20)[-1]))
        for label, name in (
            ("the forecast is in the cache", "found"),
            ("it is inferred (`force`), background idle", "inferred"),
            ("it is inferred (`force`), beside a long run", "beside"),
        )
    ]
    over = f" The long run had ended before {warm['alone']} of them." if warm["alone"] else ""
    yield Table(
        "Quickdraw in a warm kernel, ms",
        ("", "median", "95 %"),
        rows,
        (
            f"{draws} quickdraws at random indices of a real glucose series, `prepare` and the mime bundle included. "
            f"The long run, by the same model, made {number(warm['pace'])} origins a second meanwhile.{over}",
        ),
    )


def _compiled(model: str, directory: Path) -> dict[str, float]:
    """A first chart in a kernel that finds compiled functions but no results."""
    shutil.rmtree(directory / "results", ignore_errors=True)
    return measure("first_chart", model, directory=directory)
