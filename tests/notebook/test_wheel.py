"""W3: the wheel is enough: installed into an environment, JupyterLab finds the panel there, enabled and whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import nbforecast as nbf

ROOT = Path(__file__).parents[2]
EXTENSION = "share/jupyter/labextensions/@nbforecast/lab"


def run(*words: str | Path, cwd: Path = ROOT, **env: str) -> str:
    """What a command says, on both channels; there is no npm unless `PATH` is given."""
    bare = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "PIP_"))}
    done = subprocess.run(words, cwd=cwd, env={**bare, "PATH": "", **env}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, PATH=os.environ["PATH"])
    return next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of what the sdist holds, with no npm to be found."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    source = next(folder.iterdir())
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=source)
    return next(folder.glob("*.whl"))


def test_W3_the_wheel_holds_everything_once(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        there = [name for name in names if EXTENSION in name]
        manifest = json.loads(archive.read(next(n for n in there if n.endswith("/package.json"))))
    assert len([n for n in names if "remoteEntry" in n]) == 1
    assert {n.rsplit("/", 1)[-1] for n in names if "/static/" in n} >= {"explorer.js", "cache.js"}
    assert any(n.endswith(f"{EXTENSION}/{manifest['jupyterlab']['_build']['load']}") for n in there)
    assert not [n for n in names if n.startswith("js/") or "node_modules" in n]
    assert "nbforecast/py.typed" in names
    assert manifest["version"] == nbf.__version__


def test_W3_jupyterlab_finds_the_installed_panel_enabled_and_ok(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", tmp_path / "env" / "bin" / "python", "install", "--quiet"]
    run(*pip, "--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check", wheel)
    home = {name: str(tmp_path / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "HOME")}
    path = tmp_path / "env" / "share" / "jupyter"
    said = run(sys.executable, "-m", "jupyterlab.labextensions", "list", JUPYTER_PATH=str(path), **home)
    _, _, ours = said.partition(str(path / "labextensions"))
    line = next(line for line in ours.splitlines() if "@nbforecast/lab" in line)
    assert f"v{nbf.__version__}" in line
    assert "enabled" in line
    assert "OK" in line
    assert "(python, nbforecast)" in line
