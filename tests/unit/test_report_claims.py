"""R4: no sentence of a report says more than was computed; the columns of a comparison rest on the same origins."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast import cli, report
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.report import runner
from nbforecast.report.calendar_errors import calendar_keys, find_calendar_errors
from nbforecast.report.comparison import find_comparison
from nbforecast.report.horizons import find_horizon_errors
from nbforecast.report.parameters import parse_parameters
from nbforecast.text import number, percent, relative_change
from tests.support.requirements import shared

if TYPE_CHECKING:
    from pathlib import Path


def spread(contexts: np.ndarray, horizon: int) -> np.ndarray:
    """The last value, and a band of its recent changes."""
    band = np.linspace(-2, 2, 9) * np.nanstd(contexts[:, -8:], axis=1)[:, None]
    return np.repeat((contexts[:, -1:] + band)[:, None], horizon, axis=1)


def zero(contexts: np.ndarray, horizon: int) -> np.ndarray:
    return np.zeros((len(contexts), horizon))


BANDS = FunctionForecaster(spread, "bands", context=8, least=4, draws=9)
LATE = FunctionForecaster(spread, "late", context=64, least=60, draws=9)
ZERO = FunctionForecaster(zero, "zero", context=8, least=1)


def panel(series: int = 8, rows: int = 60) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    y = 50 + rng.standard_normal((series, rows)).cumsum(1)
    months = pl.date_range(dt.date(2015, 1, 1), dt.date(2040, 1, 1), "1mo", eager=True)[:rows].to_list()
    ids = np.repeat([f"s{i}" for i in range(series)], rows)
    return pl.DataFrame({"unique_id": ids, "ds": months * series, "y": y.ravel()})


def test_R4_every_column_of_a_comparison_rests_on_the_same_origins() -> None:
    values = np.random.default_rng(1).standard_normal(300).cumsum() * np.linspace(5, 1, 300)
    run, late = (nbf.forecast(values, model, 3, wait=True) for model in (BANDS, LATE))
    rows = find_comparison(run, [late]).rows
    assert rows.sum() < np.isfinite(run.scores("index")["mae"].cast(float).to_numpy()).sum() - 40
    common = run.to_long().join(late.to_long(), on=["ds", "cutoff"]).drop_nulls("y")
    text = report.comparison(run, [late]).text()
    table = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.startswith(("bands ", "late "))}
    for model in ("bands", "late"):
        errors = (common["y"] - common[model]).abs()
        assert table[model][0] == number(errors.mean())
        scores = (run if model == "bands" else late).scores(where=rows).row(0, named=True)
        assert table[model][1:4] == [
            number(scores["crps"]),
            number(scores["mase"]),
            f"{100 * scores['coverage_80']:.1f}",
        ]
    assert f"All numbers rest on the {int(rows.sum())} origins at which every model has an error" in text
    findings = find_horizon_errors(run, late)
    assert findings.finding.startswith(f"The MAE of bands is {table['bands'][0]}, ")
    assert "that both have forecast" in findings.details[-1]


def test_R4_a_model_of_few_origins_is_compared_by_itself() -> None:
    values = np.random.default_rng(1).standard_normal(500).cumsum()
    run, other = (nbf.forecast(values, model, 12, wait=True) for model in (BANDS, ZERO))
    few = nbf.forecast(values, LATE, 12, every=12, wait=True)
    findings = find_comparison(run, [other, few])
    assert [rival.run.model for rival in findings.rivals] == ["zero"]
    assert findings.rows.sum() > 400
    (apart,) = findings.apart
    assert apart.rows.sum() < 40
    assert np.isfinite(apart.rivals[0].p), "origins that do not overlap can be tested, although they are few"
    assert f"late has forecasts from {apart.rows.sum()} of the " in findings.details[0]
    text = report.comparison(run, [other, few]).text()
    assert f"All numbers rest on the {findings.rows.sum()} origins" in text
    assert f"All numbers rest on the {apart.rows.sum()} origins" in text
    assert apart.finding in report.summary(run, other, [other, few]).text()


def test_R4_models_without_a_common_origin_are_not_compared() -> None:
    values = np.random.default_rng(1).standard_normal(70).cumsum()
    never = FunctionForecaster(spread, "never", context=100, least=90, draws=9)
    run, other = (nbf.forecast(values, model, 3, wait=True) for model in (BANDS, never))
    section = report.comparison(run, [other])
    assert section.finding == "There is no origin that all models have forecast, so they are not compared."
    assert section.details == ("never has no origin in common with bands and is left out.",)
    assert "no origin in common" in report.horizons(run, other).finding


def test_R4_a_panel_is_compared_by_a_test_over_series_and_points_are_named() -> None:
    """Always zero is hundreds of per cent worse in every series: a test says so, although there are few times."""
    run, other = (nbf.forecast(panel(), model, 3, wait=True) for model in (BANDS, ZERO))
    findings = find_comparison(run, [other])
    assert re.match(
        r"bands has the lowest WIS, by more than chance against zero; .* % higher \(p < 0.001\)", findings.finding
    )
    assert "zero forecasts points without bands: its WIS is the whole absolute error" in findings.finding
    mae = [r.scores(where=findings.rows)["mae"].item() for r in (run, other)]
    assert f"The MAE of zero is {relative_change(mae[1] / mae[0] - 1)} than that of bands." in findings.finding
    text = report.comparison(run, [other]).text()
    assert "clusters by series and times" in text
    assert "of 8 of 8 series" in text
    short, short_other = (nbf.forecast(panel(rows=14), model, 3, wait=True) for model in (BANDS, ZERO))
    text = report.comparison(short, [short_other]).text()
    assert "clusters by series (" in text
    assert "too few times to infer anything about other times" in text


def test_R4_without_a_test_nothing_is_said_of_chance() -> None:
    values = np.random.default_rng(1).standard_normal(40).cumsum()
    run, other = (nbf.forecast(values, model, 12, wait=True) for model in (BANDS, ZERO))
    text = " ".join(
        s.text()
        for s in (report.comparison(run, [other]), report.calibration(run), report.summary(run, other, [other]))
    )
    assert "by more than chance" not in text.replace("test whether the bands deviate by more than chance", "")
    assert "which may be chance" not in text
    assert "too few origins to test whether that is chance" in text
    assert "There are too few origins to test the differences." in text


def test_R4_points_have_no_bands() -> None:
    run = nbf.forecast(np.arange(40.0) % 7, ZERO, 2, wait=True)
    assert report.calibration(run).finding == "zero forecasts points without bands."


def weekly(days: int = 70, odd: int = 0) -> pl.DataFrame:
    """Hourly values that are predictable but on one day of the week."""
    start = dt.datetime(2024, 1, 1)
    times = pl.datetime_range(start, start + dt.timedelta(hours=24 * days - 1), "1h", eager=True).alias("ds")
    noise = np.random.default_rng(0).standard_normal(24 * days)
    y = np.where(times.dt.weekday().to_numpy() - 1 == odd, 40 * noise, noise)
    return pl.DataFrame({"ds": times, "load (kWh)": 100 + y})


def test_R4_the_worst_hour_weekday_or_month_is_named_with_its_numbers() -> None:
    run = nbf.forecast(weekly(), BANDS, 2, wait=True)
    findings = find_calendar_errors(run)
    scores = run.scores("weekday").row(by_predicate=pl.col("weekday") == "Monday", named=True)
    assert findings.finding.startswith(
        f"Errors of bands are largest on Mondays: an MAE of {number(scores['mae'])} kWh, "
        f"against {number(run.scores()['mae'].item())} kWh over all times."
    )
    assert [part.key for part in findings.parts] == ["hour", "weekday", "month"]
    assert len(findings.parts[1].names) == 7
    section = report.calendar_errors(run)
    text = section.text()
    assert f"Monday {percent(scores['coverage_80'], 0)}" in text
    assert "By hour, the MAE is lowest at " in text
    assert section.html().count("<img ") == 6
    assert "largest on Mondays" in report.summary(run, run, []).text()


def test_R4_before_and_after_calibration_are_compared_at_the_same_origins() -> None:
    run = nbf.forecast(weekly(20), BANDS, 2, wait=True, calibrate=True)
    is_calibrated = np.isfinite(run.frame["calibrated"].to_numpy()[:, 0, 0])
    scores = run.scores(where=is_calibrated).row(0, named=True)
    before, after = percent(scores["coverage_80"]), percent(scores["calibrated_80"])
    assert f"contain {before} of the actual values as forecast and {after}" in report.calibration(run).finding
    monday = run.scores("weekday", where=is_calibrated).row(0, named=True)
    (part,) = (p for p in find_calendar_errors(run).parts if p.key == "weekday")
    assert (part.coverage[0], part.calibrated[0]) == pytest.approx((monday["coverage_80"], monday["calibrated_80"]))


@pytest.mark.slow
def test_R4_mondays_of_a_quarter_hourly_load_are_named() -> None:
    load = pl.read_parquet(shared("covariates/lu_load_15min.parquet")).select("ds", "y").tail(96 * 28)
    run = nbf.forecast(load, "naive", 12, wait=True, calibrate=True)
    section = report.calendar_errors(run)
    assert "The 80 % bands are farthest from 80 % on Mondays: they contain" in section.finding
    assert re.search(r"By weekday, the MAE is lowest on \w+days \([\d.]+\) and highest on Mondays", section.text())


@pytest.mark.parametrize(
    ("every", "kinds"),
    [
        ("15m", ["hour", "weekday", "month"]),
        ("1d", ["weekday", "month"]),
        ("1w", ["month"]),
        ("1mo", ["month"]),
        ("1y", []),
    ],
)
def test_R4_parts_of_the_calendar_are_those_that_the_grid_has(every: str, kinds: list[str]) -> None:
    times = pl.datetime_range(dt.datetime(1950, 1, 1), dt.datetime(2010, 1, 1), every, eager=True)[:60]
    run = nbf.forecast(pl.DataFrame({"ds": times, "y": np.arange(60.0)}), ZERO, 2, wait=True)
    assert calendar_keys(run.data) == kinds
    assert calendar_keys(nbf.forecast(np.arange(30.0), ZERO, 2, wait=True).data) == []


def test_C6_reports_take_force(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    template = runner.find_template("backtest_report")
    assert parse_parameters(template, [("force", "true")]) == {"force": True}
    sources = ["".join(cell["source"]) for cell in json.loads(template.read_text())["cells"]]
    assert sum('"force": force' in source for source in sources) == 1
    calls: list[list[tuple[str, str]]] = []

    def make_report(data: str, out: Path, parameters: list[tuple[str, str]], *rest: object) -> runner.Report:
        calls.append([tuple(p) for p in parameters])
        out.write_text("")
        return runner.Report(out, ())

    monkeypatch.setattr(runner, "make_report", make_report)
    for words in ([], ["--force"], ["-f", "-p", "model", "naive"]):
        assert cli.main(["report", "taxi", "-o", str(tmp_path / "r.html"), *words]) == 0
    assert calls == [[], [("force", "true")], [("model", "naive"), ("force", "true")]]


@pytest.mark.parametrize("unit", ["kW", None])
def test_R4_errors_are_told_in_the_datas_unit_first(unit: str | None) -> None:
    """Not as 0.46, which was a scaled error of values around 50."""
    run = nbf.forecast(panel(1), BANDS, 3, unit=unit, wait=True)
    finding = find_horizon_errors(run, run).finding
    first = re.search(r"\d[\d.,]*", finding)
    assert first is not None
    errors = run.scores("horizon")["mae"]
    assert first[0].rstrip(".,") in {number(error) for error in (errors.mean(), errors[0], errors[-1])}
    assert unit is None or f"{first[0]} {unit}" in finding
