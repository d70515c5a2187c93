"""A table of figures, and how a figure is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Table:
    """Cells are text already; `notes` say what was measured."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        lines = [self.columns, ("---", *("---:" for _ in self.columns[1:])), *self.rows]
        if any(len(line) != len(self.columns) for line in lines):
            raise ValueError(f"a row of {self.title!r} does not have {len(self.columns)} cells")
        body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return "\n\n".join([f"### {self.title}", body, *self.notes])


def number(value: float) -> str:
    """Three significant digits: 0.0123, 4.56, 789, 17,400."""
    if not value:
        return "0"
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:.3g}"


def ratio(value: float) -> str:
    """How many times as much: x 12.3."""
    return f"x {number(value)}"


def milliseconds(seconds: float) -> str:
    return number(1e3 * seconds)
