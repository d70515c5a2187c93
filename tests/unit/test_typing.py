"""M6: a user's type checker sees what the public functions take and return."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.requirements import Requirement, skip_without

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PYRIGHT = ROOT / "js" / "node_modules" / "pyright" / "index.js"
SCRIPT = """
import polars as pl
import nbforecast as nbf

frame = pl.DataFrame()
run = nbf.forecast(frame, "theta", horizon=12)
reveal_type(run)
reveal_type(run.frame)
reveal_type(run.at(0).median)
run.at(0, series=7)
nbf.quickdraw(frame, -24, horizn=12)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


def test_M6_mypy_sees_real_types_in_a_users_script(script: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "mypy", str(script)], cwd=ROOT, capture_output=True, text=True)
    lines = [line.partition("script.py:")[2] for line in done.stdout.splitlines() if "script.py:" in line]
    lines = [line for line in lines if "defined in" not in line]
    expected = [
        '7: note: Revealed type is "nbforecast.run.Run"',
        '8: note: Revealed type is "polars.dataframe.frame.DataFrame"',
        '9: note: Revealed type is "numpy.ndarray',
        '10: error: Argument "series" to "at" of "Run" has incompatible type "int"',
        '11: error: Unexpected keyword argument "horizn" for "quickdraw"',
    ]
    assert len(lines) == len(expected), done.stdout + done.stderr
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(start), line


def test_M6_pyright_sees_real_types_in_a_users_script(script: Path) -> None:
    node = shutil.which("node")
    if node is None or not PYRIGHT.exists():
        skip_without(Requirement.NODE_TOOLS, "pyright")
    options = {"include": [script.name], "extraPaths": [str(ROOT)]}
    script.with_name("pyrightconfig.json").write_text(json.dumps(options))
    command = [node, str(PYRIGHT), "--outputjson", "--pythonpath", sys.executable, "-p", str(script.parent)]
    done = subprocess.run(command, capture_output=True, text=True)
    found = json.loads(done.stdout)["generalDiagnostics"]
    lines = [f"{f['range']['start']['line'] + 1}: {f['severity']}: {f['message']}" for f in found]
    expected = [
        '7: information: Type of "run" is "Run"',
        '8: information: Type of "run.frame" is "DataFrame"',
        '9: information: Type of "run.at(0).median" is "ndarray[',
        '10: error: Argument of type "Literal[7]" cannot be assigned to parameter "series" of type "str | None"',
        '11: error: No parameter named "horizn"',
    ]
    assert len(lines) == len(expected), lines
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(start), line
