"""What a cell of a report shows: sentences, tables and pictures, as HTML that survives sanitising, and as text."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from nbforecast import charts

_TABLE = "border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;margin:6px 0 14px"
_CELL = "padding:3px 0 3px 18px;text-align:right;white-space:nowrap"
_WORDS = "padding:3px 0 3px 18px;text-align:left;overflow-wrap:anywhere"
_FIRST = "padding:3px 0;text-align:left;white-space:nowrap"
_BESIDE = "display:flex;flex-wrap:wrap;gap:8px"


@dataclass(frozen=True)
class Picture:
    """A chart and what it shows in a sentence."""

    svg: str
    alt: str

    def html(self) -> str:
        return charts.svg_image(self.svg, self.alt)

    def text(self) -> str:
        return f"[{self.alt}]"


@dataclass(frozen=True)
class Beside:
    """Pictures beside each other, as far as there is room."""

    pictures: tuple[Picture, ...]

    def html(self) -> str:
        return f'<div class="nbf-beside" style="{_BESIDE}">{"".join(p.html() for p in self.pictures)}</div>'

    def text(self) -> str:
        return "\n".join(p.text() for p in self.pictures)


@dataclass(frozen=True)
class Table:
    """A table of words; the first column names the rows. words: the others are words, too, rather than numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: bool = False

    def html(self) -> str:
        head = f"<thead>{self._line(self.head, 'th')}</thead>" if any(self.head) else ""
        body = "".join(self._line(row, "td") for row in self.rows)
        return f'<table class="nbf-table" style="{_TABLE}">{head}<tbody>{body}</tbody></table>'

    def text(self) -> str:
        lines = [line for line in (self.head, *self.rows) if any(line)]
        widths = [max(len(line[n]) for line in lines) for n in range(len(self.head))]
        left = len(widths) if self.words else 1
        return "\n".join(
            "  ".join(
                c.ljust(w) if n < left else c.rjust(w) for n, (c, w) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )

    def _line(self, cells: tuple[str, ...], tag: str) -> str:
        styles = (_FIRST, *[_WORDS if self.words else _CELL] * (len(cells) - 1))
        made = (f'<{tag} style="{style}">{_escaped(c)}</{tag}>' for c, style in zip(cells, styles, strict=True))
        return f"<tr>{''.join(made)}</tr>"


@dataclass(frozen=True)
class Points:
    """Sentences, one below the other; `aside` ones are for whoever wants to know more."""

    sentences: tuple[str, ...]
    aside: bool = False

    def html(self) -> str:
        kind = "nbf-aside" if self.aside else "nbf-points"
        size = ' style="opacity:.75;font-size:13px"' if self.aside else ""
        return f'<ul class="{kind}"{size}>{"".join(f"<li>{_escaped(s)}</li>" for s in self.sentences)}</ul>'

    def text(self) -> str:
        return "\n".join(f"- {s}" for s in self.sentences)


@dataclass(frozen=True)
class Section:
    """A finding in a sentence with its numbers, what there is to say about it, and what shows it.

    It shows itself at the end of a notebook's cell; empty, it shows nothing.
    """

    finding: str = ""
    more: tuple[str, ...] = ()
    parts: tuple[Picture | Beside | Table | Points | Section, ...] = ()
    heading: str = ""
    level: int = 3

    def html(self) -> str:
        heading = f"<h{self.level}>{escape(self.heading)}</h{self.level}>" if self.heading else ""
        finding = f'<p class="nbf-finding"><strong>{_escaped(self.finding)}</strong></p>' if self.finding else ""
        more = f"<p>{_escaped(' '.join(self.more))}</p>" if self.more else ""
        return f'<div class="nbf-section">{heading}{finding}{more}{"".join(p.html() for p in self.parts)}</div>'

    def text(self) -> str:
        said = [self.heading, self.finding, " ".join(self.more), *(p.text() for p in self.parts)]
        return "\n\n".join(s for s in said if s)

    def __repr__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": self.text()}


def _escaped(words: str) -> str:
    """For HTML; a number stays on one line with its sign of per cent."""
    return escape(words).replace(" %", "&nbsp;%")
