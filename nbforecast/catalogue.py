"""The table of models."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from nbforecast import runtime
from nbforecast.forecasters.base import Model, known
from nbforecast.forecasters.hub import here

if TYPE_CHECKING:
    import polars as pl


def models() -> pl.DataFrame:
    """Every model that can be asked for by name, the default first.

    name, kind, summary, parameters (learned weights), context (steps), horizons, draws, licence, source, weights
    (whether they are here, or how to get them) and the device that computes.
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
                "horizons": m.horizons,
                "draws": m.draws,
                "licence": m.licence,
                "source": m.source or None,
                "weights": _weights(m),
                "device": name,
            }
            for m in known()
        ]
    )


def _weights(model: Model) -> str:
    if not model.source:
        return "in the package" if model.parameters else "none needed"
    if here(model.source):
        return "here"
    return "downloaded on first use" if find_spec("huggingface_hub") else "pip install 'nbforecast[hub]'"
