"""The table of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbforecast import runtime
from nbforecast.forecasters.base import known

if TYPE_CHECKING:
    import polars as pl


def models() -> pl.DataFrame:
    """Every model that can be asked for by name, the default first.

    name, kind, summary, parameters (learned weights), context (steps), licence, weights (whether they are here) and
    the device that computes.
    """
    import polars as pl

    there = runtime.devices()
    device = there[0]
    name = f"{device.platform} ({device.device_kind})" + (f" x {len(there)}" if len(there) > 1 else "")
    return pl.DataFrame(
        [
            {
                "name": m.name,
                "kind": m.kind,
                "summary": m.summary,
                "parameters": m.parameters,
                "context": m.context,
                "licence": m.licence,
                "weights": m.weights,
                "device": name,
            }
            for m in known()
        ]
    )
