"""M6: the command line has the names and options of the magics."""

from pathlib import Path

import polars as pl
import pytest

from nbforecast.cli import main
from nbforecast.samples import path


@pytest.fixture
def taxi(tmp_path: Path) -> Path:
    target = tmp_path / "taxi.csv"
    pl.read_parquet(path("taxi")).tail(300).write_csv(target)
    return target


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_X1_forecast_writes_the_long_table(taxi: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = taxi.with_suffix(f".out{suffix}")
    assert main(["forecast", str(taxi), "-m", "naive", "-H", "3", "-o", str(out)]) == 0
    table = pl.read_parquet(out) if suffix == ".parquet" else pl.read_csv(out)
    assert table.columns[:5] == ["unique_id", "ds", "cutoff", "y", "naive"]
    assert f"{table.height:,} rows" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_Q3_quickdraw_describes_and_saves(taxi: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = taxi.with_suffix(f".{suffix}")
    assert main(["quickdraw", str(taxi), "-i", "-24", "-m", "naive", "-o", str(out)]) == 0
    assert "index -24" in capsys.readouterr().out
    assert out.read_bytes()[:4] in (b"<svg", b"\x89PNG", b"%PDF")


def test_M5_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    assert "ridge autoregression, direct for every horizon step" in capsys.readouterr().out


def test_M6_demo_copies_samples_that_can_be_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", str(tmp_path / "here")]) == 0
    names = sorted(p.name for p in (tmp_path / "here").iterdir())
    assert names == ["glucose.parquet", "retail.parquet", "taxi.parquet"]
    assert main(["quickdraw", str(tmp_path / "here" / "retail.parquet"), "-i", "-12", "-m", "naive"]) == 0
    assert "12 steps of 1 month" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["quickdraw", "no.csv"], "no.csv"),
        (["quickdraw", "{taxi}", "-i", "5"], "valid indices run from"),
        (["quickdraw", "{taxi}", "-o", "x.gif"], ".svg, .png, .pdf"),
        (["forecast", "{taxi}", "-o", "x.xlsx"], "-o takes a .parquet or .csv file"),
        (["forecast", "{taxi}", "-m", "oracle", "-o", "x.csv"], "No model is called 'oracle'"),
    ],
)
def test_errors_are_sentences_and_a_status(
    taxi: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([a.format(taxi=taxi) for a in arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
