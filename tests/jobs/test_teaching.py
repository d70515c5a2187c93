"""Teaching: a room without a network, only what `pip install nbforecast[notebook]` has, from nothing to an explorer."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from importlib import metadata
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from tests.support.isolation import unshared_environment

if TYPE_CHECKING:
    from pathlib import Path

# Runs before the lesson: there is no network, and what the extra `notebook` does not install cannot be imported.
ROOM = """
import importlib.abc, json, socket, sys
absent = set(json.loads(sys.argv.pop()))
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
def offline(*arguments, **options):
    raise OSError("there is no network")
for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, offline)
socket.getaddrinfo = socket.create_connection = offline
"""
DEMO = "from nbforecast.cli import main\nassert main(['demo', 'demo']) == 0"
LESSON = """
import nbforecast as nbf
chart = nbf.quickdraw("demo/taxi.parquet", "2015-01-20 12:00", model="naive", horizon="1d")
chart.save("taxi.svg"), chart.save("taxi.png")
run = nbf.forecast("demo/taxi.parquet", "naive", horizon="1d", max_duration="20d", wait=True)
print(run.scores()["mae"].item())
nbf.explore(run).to_html("taxi.html")
"""


def installed(distribution: str, extra: str = "") -> set[str]:
    """The names of a distribution and of everything that it requires."""
    names, pending = set(), [(distribution, extra)]
    while pending:
        name, extra = pending.pop()
        if name in names:
            continue
        names.add(name)
        for text in metadata.requires(name) or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                try:
                    metadata.version(requirement.name)
                except metadata.PackageNotFoundError:
                    continue
                pending.append((requirement.name.lower().replace("_", "-"), ""))
    return names


def absent_modules() -> list[str]:
    """The modules of this environment that `pip install nbforecast[notebook]` does not bring."""
    bare = installed("nbforecast", "notebook")
    modules = metadata.packages_distributions()
    return sorted(
        module
        for module, owners in modules.items()
        if module != "nbforecast" and not bare & {owner.lower().replace("_", "-") for owner in owners}
    )


@pytest.mark.slow
def test_teaching_offline_from_the_demo_to_an_explorer(tmp_path: Path, record_property) -> None:
    absent = absent_modules()
    assert {"matplotlib", "duckdb"} <= set(absent), "they are no part of the bare installation"
    assert not {"polars", "jax", "anywidget", "IPython"} & set(absent)
    environment = unshared_environment() | {"NBFORECAST_CACHE_DIR": str(tmp_path / "cache")}
    printed = []
    start = time.perf_counter()
    for code in (DEMO, LESSON):
        words = [sys.executable, "-c", ROOM + code, json.dumps(absent)]
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    seconds = time.perf_counter() - start
    record_property("seconds", round(seconds, 1))
    sys.stdout.write(f"offline, from the demo to an explorer: {seconds:.1f} s\n")
    assert len(list((tmp_path / "demo").glob("*.ipynb"))) >= 4
    assert "quickdraw" in printed[0]
    assert 0 < float(printed[1].splitlines()[-1]) < 10_000
    assert (tmp_path / "taxi.svg").read_text().startswith("<svg")
    assert (tmp_path / "taxi.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "taxi.html").read_text()
    assert "naive" in page
    assert 'src="http' not in page
    assert 'href="http' not in page
