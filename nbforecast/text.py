"""Numbers as people read them."""

from math import floor, isfinite, log10


def number(value: float, digits: int = 3) -> str:
    """`1,234`, `12.3`, `0.0123`, `–` for what is not known."""
    if not isfinite(value):
        return "–"
    if value == 0:
        return "0"
    size = floor(log10(abs(float(f"{value:.{digits - 1}e}"))))
    if not -5 < size < 12:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.{max(0, digits - 1 - size)}f}".replace("-", "−")
