"""E2: an administrator compiles for all users of a machine; what others could have written is never taken."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from nbforecast import shared_compiled
from nbforecast.cli import main
from nbforecast.shared_compiled import copy_missing, copy_shared, machine_name

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    shared, own = tmp_path / "shared", tmp_path / "own"
    (shared / machine_name()).mkdir(parents=True)
    own.mkdir()
    (shared / machine_name() / "jit_f-cache").write_bytes(b"theirs")
    (shared / machine_name() / "jit_g-cache").write_bytes(b"theirs")
    (own / "jit_g-cache").write_bytes(b"own")
    monkeypatch.setenv("NBFORECAST_COMPILED", str(shared))
    monkeypatch.setattr(shared_compiled, "find_other_writers", lambda _: None)
    copy_shared.cache_clear()
    return shared, own


def test_E2_a_user_begins_with_what_the_administrator_has_compiled(folders: tuple[Path, Path]) -> None:
    _, own = folders
    copy_shared(own)
    assert {p.name: p.read_bytes() for p in own.iterdir()} == {"jit_f-cache": b"theirs", "jit_g-cache": b"own"}
    assert copy_missing(own, own) == 0


def test_E2_another_processor_has_a_folder_of_its_own(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text("flags\t\t: none\n")
    name = machine_name()
    monkeypatch.setattr(shared_compiled, "_CPU", tmp_path / "cpuinfo")
    machine_name.cache_clear()
    try:
        assert machine_name() != name
        copy_shared(folders[1])
    finally:
        machine_name.cache_clear()
    assert not (folders[1] / "jit_f-cache").exists()


def test_C14_a_folder_that_others_can_write_to_is_refused(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shared_compiled, "find_other_writers", lambda _: "everybody can write to it")
    with caplog.at_level(logging.WARNING):
        copy_shared(folders[1])
    assert "everybody can write" in caplog.text
    assert not (folders[1] / "jit_f-cache").exists()


def test_E2_warm_compiles_every_batch_size_for_long_and_short_histories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    batches: list[tuple[int, int | None]] = []
    monkeypatch.setattr("nbforecast.engine.warm.compiled_directory", lambda: tmp_path)
    monkeypatch.setattr(
        "nbforecast.forecasters.window_forecaster.WindowForecaster.compile_ahead",
        lambda _self, _horizon, batch, longest: batches.append((batch, longest)),
    )
    (tmp_path / "jit_f-cache").touch()
    assert main(["warm", "-m", "naive", "-H", "12", "--to", str(tmp_path / "all")]) == 0
    assert batches == [(size, longest) for size in (32, 256, 2048) for longest in (None, 1)]
    assert (tmp_path / "all" / machine_name() / "jit_f-cache").exists()
    assert str(tmp_path / "all") in capsys.readouterr().out
