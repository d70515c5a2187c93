"""D1: `nbforecast doctor` says what there is, what is missing, and the command that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbforecast as nbf
from nbforecast import cli, doctor
from nbforecast.settings import settings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def findings() -> dict[str, doctor.Finding]:
    return {finding.subject: finding for finding in doctor.diagnose()}


def test_a_sound_installation_has_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert nbf.__version__ in text
    assert "Everything works." in text
    assert str(settings().directory) in text


def test_what_is_missing_comes_with_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = doctor.find_spec
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name in ("ray", "anywidget") else installed(name))
    monkeypatch.setattr(doctor, "has_bundle", lambda _: False)
    found = findings()
    assert found["extra ray"].remedy == 'pip install "nbforecast[ray]"'
    assert found["front ends"].remedy == 'pip install "nbforecast[notebook]"'
    assert found["explorer"].is_fault
    assert "1 to mend" in doctor.describe(list(found.values()))


def test_a_setting_that_makes_no_sense_is_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NBFORECAST_MEMORY", "much")
    assert findings()["cache"].is_fault
    monkeypatch.setenv("NBFORECAST_MEMORY", "1GB")
    monkeypatch.setenv("NBFORECAST_CACHE_DIR", str(tmp_path / "results"))
    assert str(tmp_path / "results") in findings()["cache"].state
    assert not (tmp_path / "results").exists()
    monkeypatch.setenv("NBFORECAST_CACHE", "memory")
    assert "memory only" in findings()["cache"].state
