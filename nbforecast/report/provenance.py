"""What a report was made of: data, settings, versions, and the share of results from the cache."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from nbforecast.report.labels import horizon_text
from nbforecast.report.section import Bullets, Section, Table
from nbforecast.text import listing, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbforecast.run import Run

_LIBRARIES = ("nbforecast", "jax", "polars", "numpy")


def provenance(runs: Sequence[Run], **settings: object) -> Section:
    """Show content hash, models, settings and versions, and how many forecasts came from the cache.

    Args:
        runs: The runs of the report, over the same data.
        settings: Further settings by name; of a path the file's name is shown, and None is left out.

    Example:
        >>> report.provenance([run])
    """
    first = runs[0]
    displayed = {k: Path(v).name if isinstance(v, str) else v for k, v in settings.items() if v is not None}
    versions = [*(f"{name} {version(name)}" for name in _LIBRARIES), f"Python {platform.python_version()}"]
    rows = [
        ("content hash", first.handle),
        ("models", listing([r.model for r in runs])),
        ("horizon", horizon_text(first)),
        ("seed", str(first.seed)),
        *((name, str(value)) for name, value in displayed.items()),
        ("versions", ", ".join(versions)),
    ]
    inferred, reused = sum(r.inferred for r in runs), sum(r.reused for r in runs)
    seconds = sum(r.seconds for r in runs if r.inferred)
    duration = f" in {seconds:.0f} s" if inferred else ""
    forecasts = plural(inferred, "forecast was", "forecasts were")
    reuse = f"{forecasts} calculated for this report{duration}, {reused:,} came from the cache."
    return Section("", (), (Table(("", ""), tuple(rows), words=True), Bullets((reuse,), secondary=True)))
