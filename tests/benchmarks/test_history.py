"""The history of figures: what is measured is added to a file, and a file is drawn."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from tests.benchmarks.history import FIGURES, HISTORY, add, describe, main, read

if TYPE_CHECKING:
    from pathlib import Path


def entry(commit: str, machine: str, value: float) -> dict[str, object]:
    figures = dict.fromkeys(FIGURES, value)
    return {"date": "2026-01-01", "commit": commit, "machine": machine, "command": "c", "figures": figures}


def test_entries_are_added_and_drawn(tmp_path: Path) -> None:
    file, picture = tmp_path / "history.json", tmp_path / "history.svg"
    add(entry("aaaaaaa", "one", 1.25), file)
    add(entry("bbbbbbb", "other", 7.5), file)
    assert [e["commit"] for e in read(file)] == ["aaaaaaa", "bbbbbbb"]
    main(["--plot", str(picture), "--out", str(file)])
    text = " ".join(ET.parse(picture).getroot().itertext())
    assert text.count("1.25") == text.count("7.5") == len(FIGURES)
    assert "bbbbbbb" in describe(read(file))


def test_the_file_of_the_repository_can_be_drawn() -> None:
    entries = read(HISTORY)
    assert entries
    assert all(set(e) == {"date", "commit", "machine", "command", "figures"} for e in entries)
    assert all(set(e["figures"]) <= set(FIGURES) for e in entries)
