"""What a report was made of: data, settings, versions, and what came from the cache."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from nbforecast.report.section import Points, Section, Table
from nbforecast.report.words import counted, listed, steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.run import Run

_LIBRARIES = ("nbforecast", "jax", "polars", "numpy")


def provenance(runs: Sequence[Run], **settings: object) -> Section:
    """The data's content hash, models, settings and versions, and how much of the runs came from the cache."""
    first = runs[0]
    said = {k: Path(v).name if isinstance(v, str) else v for k, v in settings.items() if v is not None}
    rows = [
        ("content hash", first.handle),
        ("models", listed([r.model for r in runs])),
        ("horizon", steps(first)),
        ("seed", str(first.seed)),
        *((name, str(value)) for name, value in said.items()),
        (
            "versions",
            ", ".join(f"{name} {version(name)}" for name in _LIBRARIES) + f", Python {platform.python_version()}",
        ),
    ]
    kept = sum(r.reused for r in runs)
    made = sum(r.inferred for r in runs)
    seconds = sum(r.seconds for r in runs if r.inferred)
    took = f" in {seconds:.0f} s" if made else ""
    reuse = f"{counted(made, 'forecast')} were calculated for this report{took}, {kept:,} came from the cache."
    return Section("", (), (Table(("", ""), tuple(rows), words=True), Points((reuse,), aside=True)))
