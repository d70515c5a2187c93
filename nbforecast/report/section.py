"""What a cell of a report shows: sentences, tables and pictures, as HTML that survives sanitising, and as text."""

from __future__ import annotations

from dataclasses import dataclass

from nbforecast import charts
from nbforecast.charts.html import escape
from nbforecast.safe_text import escape_controls
from nbforecast.text import aligned_table

ALARMS = "application/vnd.nbforecast.alarms+json"  # the mime type of alarms among a cell's outputs
_TABLE = "border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;margin:6px 0 14px"
_CELL = "padding:3px 0 3px 18px;text-align:right;white-space:nowrap"
_WORDS = "padding:3px 0 3px 18px;text-align:left;overflow-wrap:anywhere"
_FIRST = "padding:3px 0;text-align:left;white-space:nowrap"
_ROW = "display:flex;flex-wrap:wrap;gap:8px"


@dataclass(frozen=True)
class Picture:
    """A chart as SVG, and what it shows in a sentence."""

    svg: str
    alt: str

    @classmethod
    def of(cls, chart: charts.LineChart | charts.DotChart) -> Picture:
        """Draw a chart."""
        if isinstance(chart, charts.LineChart):
            return cls(charts.draw_line_chart(chart), chart.alt)
        return cls(charts.draw_dot_chart(chart), chart.alt)

    def html(self) -> str:
        """Return the picture as an image."""
        return charts.svg_image(self.svg, self.alt)

    def text(self) -> str:
        """Return the sentence in brackets."""
        return f"[{self.alt}]"


@dataclass(frozen=True)
class PictureRow:
    """Pictures side by side, as far as there is room."""

    pictures: tuple[Picture, ...]

    def html(self) -> str:
        """Return the pictures in a flexible box."""
        return f'<div class="nbf-beside" style="{_ROW}">{"".join(p.html() for p in self.pictures)}</div>'

    def text(self) -> str:
        """Return one sentence per picture."""
        return "\n".join(p.text() for p in self.pictures)


@dataclass(frozen=True)
class Table:
    """A table whose first column names the rows.

    Attributes:
        head: Titles of the columns; no head is shown where all are empty.
        rows: Cells of each row.
        words: Whether the other columns hold words rather than numbers, and are aligned to the left.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: bool = False

    def html(self) -> str:
        """Return the table with inline styles."""
        head = f"<thead>{self._line(self.head, 'th')}</thead>" if any(self.head) else ""
        body = "".join(self._line(row, "td") for row in self.rows)
        return f'<table class="nbf-table" style="{_TABLE}">{head}<tbody>{body}</tbody></table>'

    def text(self) -> str:
        """Return aligned lines."""
        right = () if self.words else range(1, len(self.head))
        return aligned_table([row for row in (self.head, *self.rows) if any(row)], right)

    def _line(self, cells: tuple[str, ...], tag: str) -> str:
        styles = (_FIRST, *[_WORDS if self.words else _CELL] * (len(cells) - 1))
        row = (f'<{tag} style="{style}">{_escaped(c)}</{tag}>' for c, style in zip(cells, styles, strict=True))
        return f"<tr>{''.join(row)}</tr>"


@dataclass(frozen=True)
class Bullets:
    """Sentences, one below the other; `secondary` ones are details of the method."""

    sentences: tuple[str, ...]
    secondary: bool = False

    def html(self) -> str:
        """Return a list."""
        kind = "nbf-aside" if self.secondary else "nbf-points"
        style = ' style="opacity:.75;font-size:13px"' if self.secondary else ""
        return f'<ul class="{kind}"{style}>{"".join(f"<li>{_escaped(s)}</li>" for s in self.sentences)}</ul>'

    def text(self) -> str:
        """Return lines that begin with a dash."""
        return "\n".join(f"- {s}" for s in self.sentences)


@dataclass(frozen=True)
class Section:
    """A part of a report, which shows itself at the end of a notebook's cell; an empty one shows nothing.

    Attributes:
        finding: The most important result in a sentence with its numbers.
        details: Further sentences.
        parts: Pictures, tables, lists and sections below them.
        heading: Above the finding.
        level: Of the heading, 1 to 6.
        alarms: Sentences for which a scheduled report fails; they travel with the notebook and are not shown again.

    Example:
        >>> report.horizons(run, baseline).finding
    """

    finding: str = ""
    details: tuple[str, ...] = ()
    parts: tuple[Picture | PictureRow | Table | Bullets | Section, ...] = ()
    heading: str = ""
    level: int = 3
    alarms: tuple[str, ...] = ()

    def html(self) -> str:
        """Return the section as HTML.

        Example:
            >>> report.horizons(run, baseline).html()[:4]
        """
        heading = f"<h{self.level}>{escape(self.heading)}</h{self.level}>" if self.heading else ""
        finding = f'<p class="nbf-finding"><strong>{_escaped(self.finding)}</strong></p>' if self.finding else ""
        details = f"<p>{_escaped(' '.join(self.details))}</p>" if self.details else ""
        return f'<div class="nbf-section">{heading}{finding}{details}{"".join(p.html() for p in self.parts)}</div>'

    def text(self) -> str:
        """Return the section as text.

        Example:
            >>> report.horizons(run, baseline).text()
        """
        paragraphs = [self.heading, self.finding, " ".join(self.details), *(p.text() for p in self.parts)]
        return escape_controls("\n\n".join(p for p in paragraphs if p), keep_lines=True)

    def __repr__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        alarms: dict[str, object] = {ALARMS: list(self.alarms)} if self.alarms else {}
        return {"text/html": self.html(), "text/plain": self.text(), **alarms}

    def _mime_(self) -> tuple[str, str]:  # for marimo
        return "text/html", self.html()


def _escaped(words: str) -> str:
    """Escape for HTML; a line break separates neither a number from its per cent sign nor the parts of `p < 0.001`."""
    return escape(words).replace(" %", "&nbsp;%").replace("p &lt; ", "p&nbsp;&lt;&nbsp;")
