"""C14: compiled functions, which are executed, are kept where nobody else can write."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nbforecast import private_directory
from nbforecast.private_directory import find_other_writers, make_private_directory
from tests.support.isolation import unshared_environment

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")


def folder(path: Path, mode: int) -> Path:
    path.mkdir(parents=True)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o1755])
def test_C14_a_directory_of_the_users_own_is_taken(mode: int, tmp_path: Path) -> None:
    directory = folder(tmp_path / "compiled", mode)
    assert make_private_directory([directory]) == directory.resolve()


@pytest.mark.parametrize(("mode", "said"), [(0o777, "everybody can write"), (0o1777, "everybody"), (0o775, "a group")])
def test_C14_one_that_others_can_write_to_is_refused(
    mode: int, said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private_directory, "_is_own_group", lambda _: False)
    shared, own = folder(tmp_path / "shared" / "compiled", mode), tmp_path / "own"
    with caplog.at_level(logging.WARNING, "nbforecast.device"):
        assert make_private_directory([shared, own]) == own.resolve()
    assert said in caplog.text
    assert own.stat().st_mode & 0o777 == 0o700
    assert make_private_directory([shared]) is None


def test_C14_nobody_else_can_replace_it(tmp_path: Path) -> None:
    above = folder(tmp_path / "shared", 0o777)
    directory = folder(above / "compiled", 0o700)
    assert find_other_writers(directory) == f"everybody can write to {above}"
    above.chmod(0o1777)  # as /tmp
    assert find_other_writers(directory) is None


def test_C14_one_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = folder(tmp_path / "compiled", 0o700)
    monkeypatch.setattr(os, "getuid", lambda: 65_000 + directory.stat().st_uid)
    if directory.stat().st_uid:
        assert "belongs to another user" in (find_other_writers(directory) or "")
    else:  # root
        os.chown(directory, 64_000, -1)
        assert find_other_writers(directory) == f"{directory} belongs to another user"


def test_C14_a_link_is_followed_once(tmp_path: Path) -> None:
    target = folder(tmp_path / "target", 0o700)
    (tmp_path / "link").symlink_to(target)
    assert make_private_directory([tmp_path / "link"]) == target.resolve()
    folder(tmp_path / "open", 0o777)
    (tmp_path / "other").symlink_to(tmp_path / "open")
    assert make_private_directory([tmp_path / "other"]) is None


def test_C14_what_is_no_directory_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    assert make_private_directory([tmp_path / "file", tmp_path / "file" / "below"]) is None
    assert caplog.text.count("Compiled functions are not kept in") == 2


@pytest.mark.slow
def test_C14_jax_reads_nothing_that_others_can_write(tmp_path: Path) -> None:
    shared = folder(tmp_path / "shared" / "compiled", 0o777)
    code = "import jax; from nbforecast import device; device.devices(); print(jax.config.jax_compilation_cache_dir)"
    environment = {"NBFORECAST_CACHE_DIR": str(shared.parent), "XDG_CACHE_HOME": str(tmp_path / "own")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=unshared_environment() | environment, check=True, capture_output=True
    )
    assert done.stdout.decode().strip() == str((tmp_path / "own" / "nbforecast" / "compiled").resolve())
    assert not list(shared.iterdir())
