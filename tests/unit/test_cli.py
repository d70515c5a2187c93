"""M6: the command line has the names and options of the magics."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nbforecast.cli import main
from nbforecast.data.samples import sample_path


@pytest.fixture
def taxi(tmp_path: Path) -> Path:
    target = tmp_path / "taxi.csv"
    pl.read_parquet(sample_path("taxi")).tail(300).write_csv(target)
    return target


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_X1_forecast_writes_the_long_table(taxi: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = taxi.with_suffix(f".out{suffix}")
    assert main(["forecast", str(taxi), "-m", "naive", "-H", "3", "-o", str(out)]) == 0
    table = pl.read_parquet(out) if suffix == ".parquet" else pl.read_csv(out)
    assert table.columns[:5] == ["unique_id", "ds", "cutoff", "y", "naive"]
    assert f"{table.height:,} rows" in capsys.readouterr().out


@pytest.mark.slow
def test_H1_several_models_are_stacked_in_a_shell_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "wave.csv", tmp_path / "long.csv"
    pl.DataFrame({"ds": np.arange(90), "y": np.sin(np.arange(90.0))}).write_csv(source)
    assert main(["forecast", str(source), "-m", "naive,ridge", "-l", "-H", "3", "-o", str(out)]) == 0
    assert "naive-learned" in pl.read_csv(out).columns
    assert main(["forecast", str(source), "-m", "naive,ridge", "-H", "3", "-o", str(out)]) == 2
    assert "naive,ridge" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_Q3_quickdraw_describes_and_saves(taxi: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = taxi.with_suffix(f".{suffix}")
    assert main(["quickdraw", str(taxi), "-i", "-24", "-m", "naive", "-o", str(out)]) == 0
    assert "index -24" in capsys.readouterr().out
    assert out.read_bytes()[:4] in (b"<svg", b"\x89PNG", b"%PDF")


def test_M5_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    shown = capsys.readouterr().out
    assert "ridge autoregression, direct for" in shown
    assert max(map(len, shown.splitlines())) <= 100


def test_M6_demo_copies_samples_that_can_be_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", str(tmp_path / "here")]) == 0
    names = sorted(p.name for p in (tmp_path / "here").iterdir())
    assert {"backtest_report.ipynb", "glucose.ipynb"} <= set(names)
    assert [n for n in names if n.endswith(".parquet")] == ["glucose.parquet", "retail.parquet", "taxi.parquet"]
    assert main(["quickdraw", str(tmp_path / "here" / "retail.parquet"), "-i", "-12", "-m", "naive"]) == 0
    assert "12 steps of 1 month" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["quickdraw", "no.csv"], "no.csv"),
        (["quickdraw", "{taxi}", "-i", "5"], "valid indices run from"),
        (["quickdraw", "{taxi}", "-o", "x.gif"], ".svg, .png, .pdf"),
        (["forecast", "{taxi}", "-o", "x.txt"], "written as .csv, .parquet, .arrow, .xlsx, not as"),
        (["forecast", "{taxi}", "-m", "oracle", "-o", "x.csv"], "No model is called 'oracle'"),
        (["forecast", "{taxi}", "-m", "naive", "--seed", "9" * 30, "-o", "x.csv"], "--seed takes a whole number"),
        (["demo", "{taxi}"], "{taxi}"),
    ],
)
def test_an_error_is_a_sentence_and_a_status(
    taxi: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([a.format(taxi=taxi) for a in arguments]) == 2
    error = capsys.readouterr().err
    assert message.format(taxi=taxi) in error
    assert "Traceback" not in error


INTERRUPTIBLE = """
import sys, time, numpy as np, nbforecast as nbf
from nbforecast.cli import main
from nbforecast.forecasters.adapters.function import FunctionForecaster
calls = 0
def last(contexts, horizon):
    global calls
    calls += 1
    if calls == 20: print("working", flush=True)
    time.sleep(0.02)
    return np.repeat(contexts[:, -1:], horizon, 1)
nbf.register("last", FunctionForecaster(last, "last", context=8, batch=8, key="last"))
sys.exit(main())
"""


@pytest.mark.slow
def test_E9_an_interrupted_command_saves_finished_results_and_the_next_one_continues(tmp_path: Path) -> None:
    taxi = pl.read_parquet(sample_path("taxi")).tail(300)
    source, out = tmp_path / "many.parquet", tmp_path / "out.parquet"
    pl.concat([taxi.with_columns(unique_id=pl.lit(str(i))) for i in range(6)]).write_parquet(source)
    command = [sys.executable, "-c", INTERRUPTIBLE, "forecast", str(source), "-m", "last", "-o", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    process.send_signal(signal.SIGINT)
    _, output = process.communicate(timeout=180)
    assert process.returncode == 130
    assert output == "nbforecast: interrupted; finished results are saved, and the same command continues them\n"
    assert not out.exists()
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    inferred, reused = (int(n.replace(",", "")) for n in re.findall(r"([\d,]+) (?:inferred|reused)", again.stdout))
    assert reused >= 19 * 8
    assert inferred > 0
    assert inferred + reused == 6 * 293


@pytest.mark.slow
def test_S9_ids_of_several_columns_and_errors_in_the_words_of_a_shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(day, store, item, float(day)) for store in "ab" for item in "xy" for day in range(20)]
    source, out = tmp_path / "panel.csv", tmp_path / "out.csv"
    pl.DataFrame(rows, ["ds", "store", "item", "y"], orient="row").write_csv(source)
    command = ["forecast", str(source), "-m", "naive", "-H", "2", "-o", str(out)]
    assert main(command) == 2
    assert "with --id store,item, or" in capsys.readouterr().err
    for words in (["--id", "store,item"], ["--id", "store", "--id", "item"]):
        assert main([*command, *words]) == 0
        assert pl.read_csv(out)["unique_id"].unique().sort().to_list() == ["a/x", "a/y", "b/x", "b/y"]


def test_C14_compiled_functions_are_flushed_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NBFORECAST_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("nbforecast.device.user_directory", lambda: tmp_path / "own")
    for folder, name in (("compiled", "jit_a-cache"), ("compiled", "jit_a-atime"), ("own/compiled", "jit_b-cache")):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).write_bytes(b"12345")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "entry.parquet").write_bytes(b"1")
    assert main(["cache", "flush", "--compiled"]) == 0
    assert "Removed 2 compiled functions: 15 B." in capsys.readouterr().out
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["entry.parquet"]
