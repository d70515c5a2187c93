"""W5, D3, D4: rules about styles, pictures and figures, which hold in what is written."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import SECTIONS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BUILT = sorted((ROOT / "nbforecast" / "jupyter" / "static").glob("*.js"))
STYLES = sorted((ROOT / "js").glob("*/src/*.css"))


def outermost(css: str) -> list[str]:
    """What stands before the outermost braces of a style sheet, and of its conditional groups."""
    selectors, text, depth = [], "", 0
    for character in re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL):
        if character == "{":
            is_group = depth == 0 and text.strip().startswith(("@media", "@supports", "@container", "@layer"))
            if depth == 0 and not is_group:
                selectors.append(text.strip())
            depth += not is_group
            text = ""
        elif character == "}":
            depth, text = max(depth - 1, 0), ""
        elif character == ";":
            text = ""
        else:
            text += character
    return selectors


@pytest.mark.parametrize("path", STYLES, ids=lambda p: p.parents[1].name)
def test_W5_styles_hold_within_our_own_elements_alone(path: Path) -> None:
    selectors = outermost(path.read_text())
    assert selectors
    for selector in selectors:
        for part in selector.split(","):
            assert re.match(r"(@keyframes |@property --|\.|#|:is\(\.)nbf", part.strip()), part


@pytest.mark.parametrize("path", BUILT, ids=lambda p: p.stem)
def test_W5_what_is_built_fetches_nothing(path: Path) -> None:
    text = path.read_text()
    assert set(re.findall(r"https?://[\w./-]+", text)) <= {"http://www.w3.org/2000/svg"}, "a namespace, no address"
    assert not re.search(r"@import|\bfetch\(|XMLHttpRequest|importScripts", text)


def test_D3_the_glossary_has_a_picture_of_each_score() -> None:
    text = (DOCS / "explanation" / "glossary.md").read_text()
    _, _, scores = text.partition("## Point errors")
    sections = dict(re.findall(r"^### (.*?)\n(.*?)(?=^##|\Z)", scores, re.MULTILINE | re.DOTALL))
    assert len(sections) > 10
    assert not [name for name, section in sections.items() if "```{score-picture} " not in section]
    assert len((DOCS / "explanation" / "limits.md").read_text().splitlines()) > 10


def test_D4_figures_name_a_command_that_exists_and_a_machine() -> None:
    count = 0
    for page in DOCS.rglob("*.md"):
        text = page.read_text()
        names = re.findall(r"python -m tests\.benchmarks[. ]([a-z_0-9]+)", text)
        for name in names:
            assert name in SECTIONS or find_spec(f"tests.benchmarks.{name}"), f"{page.relative_to(ROOT)}: {name}"
        assert not names or re.search(r"\bcores?\b|\bGPU\b", text), f"{page.relative_to(ROOT)} names no machine"
        count += len(names)
    assert count > 5
