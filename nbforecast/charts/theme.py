"""Colours and fonts of charts in both themes; text has a contrast of at least 4.5 on its background."""

import json
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Literal

Theme = Literal["light", "dark", "auto"]
_COLOURS = Path(__file__).parent / "palette.json"  # the explorer of js/ is built with the same file
FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of one theme as #rrggbb.

    `fan` is the hue of the bands; `reach` its share in the outermost and in the innermost band. `categories` are
    the hues of covariates' categories.
    """

    bg: str
    ink: str
    soft: str
    grid: str
    rule: str
    median: str
    accent: str
    odd: str
    fan: str
    reach: tuple[float, float]
    categories: tuple[str, ...]

    def category(self, rank: int) -> str:
        """Return the colour of a category, pale enough for ink on it."""
        return mix(self.bg, self.categories[rank % len(self.categories)], self.reach[1] * 0.8)

    def band(self, rank: int, count: int) -> str:
        """Return the opaque colour of a band, outermost first: translucent ones add up and never match their legend."""
        low, high = self.reach
        return mix(self.bg, self.fan, low + (high - low) * (rank / (count - 1) if count > 1 else 0.5))

    def level(self, rank: int, count: int) -> str:
        """Return the tint of a level of density, weakest first."""
        low = self.reach[0] / 2
        return mix(self.bg, self.fan, low + (0.85 - low) * rank / max(count - 1, 1))


def _read_palette(theme: str) -> Palette:
    colours = json.loads(_COLOURS.read_text(encoding="utf-8"))[theme]
    return Palette(**{field.name: colours[field.name] for field in fields(Palette)})


LIGHT, DARK = _read_palette("light"), _read_palette("dark")


def mix(background: str, colour: str, share: float) -> str:
    """Mix a share of a colour into a background, both #rrggbb."""
    pairs = [(int(background[i : i + 2], 16), int(colour[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(b + (c - b) * share):02x}" for b, c in pairs)


def _colours(palette: Palette, bands: int, levels: int, categories: int) -> dict[str, str]:
    names = ("bg", "ink", "soft", "grid", "rule", "median", "accent", "odd")
    colours = {name: getattr(palette, name) for name in names}
    colours |= {f"l{rank}": palette.level(rank, levels) for rank in range(levels)}
    colours |= {f"s{rank}": palette.category(rank) for rank in range(categories)}
    return colours if levels else colours | {f"b{rank}": palette.band(rank, bands) for rank in range(bands)}


@lru_cache(maxsize=32)
def style_sheet(theme: Theme, bands: int, levels: int = 0, categories: int = 0) -> str:
    """Return the style sheet of a chart.

    Its rules are scoped to `.nbf-<theme>`, since SVG inside a page shares the page's styles.

    Args:
        theme: `auto` follows the reader's colour scheme.
        bands: How many colours of bands it has.
        levels: How many tints of a density it has.
        categories: How many colours of covariates' categories it has.
    """
    scope = f".nbf-{theme}"
    light, dark = (_colours(p, bands, levels, categories) for p in (LIGHT, DARK))
    c = {"light": light, "dark": dark}.get(theme, {name: f"var(--nbf-{name})" for name in light})
    rules = {
        "": f"font:11px {FONT};fill:{c['soft']};font-variant-numeric:tabular-nums",
        " .bg": f"fill:{c['bg']}",
        " .t": f"font-size:15px;font-weight:600;fill:{c['ink']}",
        " .s": "font-size:12px",
        " .k": f"fill:{c['ink']}",
        " .w": "font-size:12px;font-weight:600",
        " .e": f"font-size:13px;font-weight:650;fill:{c['median']}",
        " .o": f"font-weight:600;fill:{c['accent']}",
        " path": "fill:none;stroke-linejoin:round;stroke-linecap:round",
        " .g": f"stroke:{c['grid']};stroke-width:10",
        " .r": f"stroke:{c['rule']};stroke-width:10",
        " .h": f"stroke:{c['ink']};stroke-width:16",
        " .i": f"stroke:{c['ink']};stroke-width:34",
        " .m": f"stroke:{c['median']};stroke-width:22",
        " .a": f"stroke:{c['ink']};stroke-width:12;stroke-opacity:.6",
        " .c": f"stroke:{c['soft']};stroke-width:18",
        " .z": f"stroke:{c['median']};stroke-width:9;stroke-opacity:.3",
        " .y": "stroke-dasharray:40 40;stroke-width:11",
        " .n": "stroke-width:11",
        " .d": f"fill:{c['bg']};stroke:{c['ink']};stroke-width:13",
        " .x": f"stroke:{c['accent']};stroke-width:13",
        " .p": f"fill:{c['accent']};stroke:{c['bg']};stroke-width:15",
        " .v": f"fill:{c['odd']};stroke:{c['bg']};stroke-width:12",
        " .u": f"fill:{c['bg']};stroke:{c['odd']};stroke-width:13",
        " .q": f"fill:{c['median']};stroke:{c['bg']};stroke-width:15",
        **{f" .{name}": f"fill:{c[name]}" for name in c if name[1:].isdigit()},
    }
    sheet = "".join(f"{scope}{where}{{{rule}}}" for where, rule in rules.items())
    if theme == "auto":
        names = [";".join(f"--nbf-{name}:{value}" for name, value in p.items()) for p in (light, dark)]
        sheet = f"{scope}{{{names[0]}}}@media (prefers-color-scheme:dark){{{scope}{{{names[1]}}}}}{sheet}"
    return sheet
