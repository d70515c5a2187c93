"""Marks of observations that their forecasts made improbable: a shape for each kind, as in the explorer."""

from __future__ import annotations

from dataclasses import dataclass

RADIUS = 46  # in tenths of a pixel
MARKERS = {"spike": "^", "level shift": "s", "spread": "D", "rhythm": "o", "missing": "x", None: "^"}  # of matplotlib


@dataclass(frozen=True, slots=True)
class OddPoint:
    """An odd observation in the history of a chart.

    Attributes:
        step: Its position in the history.
        kind: "spike", "level shift", "spread", "rhythm" or "missing"; None where that is not decided yet.
        is_low: Whether it is below what was expected.
    """

    step: int
    kind: str | None
    is_low: bool = False

    @property
    def marker(self) -> str:
        """The marker of matplotlib."""
        return "v" if self.kind in ("spike", None) and self.is_low else MARKERS[self.kind]

    def svg(self, x: int, y: int) -> str:
        """Draw the mark around a point, in tenths of a pixel; that of an undecided kind is hollow.

        Args:
            x: Horizontal position.
            y: Vertical position.
        """
        r, style = RADIUS, "v"
        match self.kind:
            case "level shift":
                path = f"M{x - 39} {y - 39}h78v78h-78z"
            case "spread":
                path = f"M{x} {y - 53}l53 53-53 53-53-53z"
            case "rhythm":
                path = f"M{x - r} {y}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 -{2 * r} 0z"
            case "missing":
                path, style = f"M{x - 37} {y - 37}l74 74M{x - 37} {y + 37}l74-74", "u"
            case _:
                sign = -1 if self.is_low else 1
                path = f"M{x} {y - 51 * sign}l51 {90 * sign}h-102z"
                style = "v" if self.kind else "u"
        return f'<path class="{style}" d="{path}"/>'
