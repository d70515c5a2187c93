"""The table of models."""

from __future__ import annotations

import textwrap
from importlib.util import find_spec
from typing import TYPE_CHECKING

from nbforecast import device
from nbforecast.charts.html import CODE, Markup, escape, html_table
from nbforecast.forecasters.hub import is_cached
from nbforecast.forecasters.registry import Model, registered_models
from nbforecast.text import UNKNOWN, aligned_table

if TYPE_CHECKING:
    import polars as pl


def models() -> pl.DataFrame:
    """Returns the table of models, the default first.

    Returns:
        A DataFrame with one row per model: name, kind, summary, parameters (learned weights), context (steps),
        horizons, draws, licence, source, weights (whether they are on this machine, or how to get them) and the device
        that computes.

    Example:
        >>> nbf.models()
    """
    import polars as pl

    device_name = device.describe(device.devices())
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
                "device": device_name,
            }
            for m in registered_models()
        ]
    )


class Catalogue:
    """The table of models for display in a notebook or terminal."""

    def __init__(self) -> None:
        self._models = models().to_dicts()

    def __repr__(self) -> str:
        lines = [_COLUMNS]
        for name, summary, weights, where in self._rows():
            first, *rest = textwrap.wrap(summary, _SUMMARY_WIDTH, break_on_hyphens=False) or [""]
            lines += [(name, first, weights, where), *(("", line, "", "") for line in rest)]
        return f"{aligned_table(lines, right=_RIGHT)}\n\n{self._remarks()}"

    def _repr_html_(self) -> str:
        rows = [
            (name, Markup("<br>".join(map(escape, textwrap.wrap(summary, _SUMMARY_WIDTH)))), *others)
            for name, summary, *others in self._rows()
        ]
        table = html_table(rows, _COLUMNS, _RIGHT, first=CODE)
        return f'<div style="overflow-x:auto">{table}</div><div style="opacity:.72">{escape(self._remarks())}</div>'

    def _rows(self) -> list[tuple[str, str, str, str]]:
        return [
            (m["name"], m["summary"], f"{m['parameters'] / 1e6:,.1f} M" if m["parameters"] else UNKNOWN, m["weights"])
            for m in self._models
        ]

    def _remarks(self) -> str:
        """The device, the licence where all have the same, and where the other columns are."""
        licences = {m["licence"] for m in self._models}
        licence = f" Licence: {licences.pop()}." if len(licences) == 1 else ""
        return f"Computed on {self._models[0]['device']}.{licence} nbf.models() has context, draws, licence and source."


_COLUMNS = ("model", "what it does", "weights", "where")
_RIGHT = {2}
_SUMMARY_WIDTH = 36  # characters, so that the table fits into 80 and a few


def _weights(model: Model) -> str:
    if not model.source:
        return "in the package" if model.parameters else "none needed"
    if is_cached(model.source):
        return "here"
    return "downloaded on first use" if find_spec("huggingface_hub") else "pip install 'nbforecast[hub]'"
