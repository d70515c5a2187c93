"""M6: a user's type checker sees what the public functions take and return."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import polars as pl
import nbforecast as nbf

frame = pl.DataFrame()
run = nbf.forecast(frame, "theta", horizon=12)
reveal_type(run)
reveal_type(run.frame)
reveal_type(run.at(0).median)
nbf.forecast(frame, horizon="twelve")
nbf.forecast(frame, horizn=12)
"""


@pytest.mark.slow
def test_M6_mypy_sees_real_types_in_a_users_script(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", str(tmp_path / "script.py")], cwd=ROOT, capture_output=True, text=True
    )
    lines = [line.partition("script.py:")[2] for line in done.stdout.splitlines() if "script.py:" in line]
    lines = [line for line in lines if "defined in" not in line]
    expected = [
        (7, "note", 'Revealed type is "nbforecast.run.Run"'),
        (8, "note", 'Revealed type is "polars.dataframe.frame.DataFrame"'),
        (9, "note", 'Revealed type is "numpy.ndarray'),
        (10, "error", 'Argument "horizon" to "forecast" has incompatible type "str"'),
        (11, "error", 'Unexpected keyword argument "horizn" for "forecast"'),
    ]
    assert len(lines) == len(expected), done.stdout + done.stderr
    for line, (number, severity, text) in zip(lines, expected, strict=True):
        assert line.startswith(f"{number}: {severity}: {text}"), line
