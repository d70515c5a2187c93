"""How tables look: in a notebook by these styles, elsewhere as aligned text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CELL = "text-align:left;padding:3px 14px 3px 0;white-space:nowrap"
NUMBER = "text-align:right;padding:3px 14px 3px 0;white-space:nowrap"
HEAD = "font-weight:600;opacity:.72;border-bottom:1px solid rgba(128,128,128,.35)"
TABLE = "border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;margin:2px 0 8px"
CODE = "font-family:ui-monospace,monospace;font-size:12px"


def columns(rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> str:
    """Rows of cells as lines; the columns in `right` are set to the right."""
    lines = list(rows)
    widths = [max(len(row[n]) for row in lines) for n in range(len(lines[0]))]
    numbers = set(right)

    def aligned(row: Sequence[str]) -> str:
        cells = zip(row, widths, strict=True)
        return "  ".join(t.rjust(w) if n in numbers else t.ljust(w) for n, (t, w) in enumerate(cells)).rstrip()

    return "\n".join(map(aligned, lines))
