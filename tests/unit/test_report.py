"""R3: the numbers and sentences of a report, against independent references and for data of every kind."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from utilsforecast.losses import mae

import nbforecast as nbf
from nbforecast import charts, report
from nbforecast.data import prepare
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.report.comparison import Rival, find_comparison, verdict
from nbforecast.report.stats import compare_losses, loss_change_by_series, losses, worst_rows
from nbforecast.report.time_buckets import time_buckets
from nbforecast.scoring.diebold_mariano import MeanEstimate
from nbforecast.text import number, percent, relative_change
from tests.support.requirements import shared

if TYPE_CHECKING:
    from nbforecast.run import Run

ROOT = Path(__file__).parents[2]
SECTIONS = (
    "data",
    "current_forecast",
    "sums_and_peaks",
    "calibration",
    "calendar_errors",
    "worst_origins",
    "surprises",
)
COMPARED_SECTIONS = ("horizons", "breakdown", "series_profiles")


@pytest.fixture(scope="module")
def taxi() -> tuple[Run, Run]:
    return run_with_baseline(nbf.sample("taxi").tail(900))


@pytest.fixture(scope="module")
def glucose() -> tuple[Run, Run]:
    newest = nbf.sample("glucose").group_by("unique_id", maintain_order=True).tail(350)
    return run_with_baseline(newest)


def run_with_baseline(
    frame: object, models: tuple[object, object] = ("theta", "naive"), **options: object
) -> tuple[Run, Run]:
    run = nbf.forecast(frame, models[0], calibrate=True, wait=True, **options)
    return run, nbf.forecast(frame, models[1], wait=True, **options)


def around_mean(contexts: np.ndarray, horizon: int) -> np.ndarray:
    """The mean of the last values and their spread; not compiled, so quick for any horizon."""
    spread = np.linspace(-1, 1, 10) * np.nanstd(contexts, axis=1)[:, None]
    return np.repeat((np.nanmean(contexts, axis=1)[:, None] + spread)[:, None], horizon, axis=1)


def maximum(contexts: np.ndarray, horizon: int) -> np.ndarray:
    return np.repeat(np.nanmax(contexts, axis=1)[:, None], horizon, axis=1)


QUICK = (
    FunctionForecaster(around_mean, "around", context=8, least=4, draws=10),
    FunctionForecaster(maximum, "flat", context=8, least=1),
)


def all_sections(run: Run, baseline: Run) -> dict[str, report.Section]:
    """All sections of a report."""
    sections = {name: getattr(report, name)(run) for name in SECTIONS}
    sections |= {name: getattr(report, name)(run, baseline) for name in COMPARED_SECTIONS}
    sections["comparison"] = report.comparison(run, [baseline])
    sections["summary"] = report.summary(run, baseline, [baseline])
    sections["exceedance"] = report.exceedance(run, below=1.0, above=2.0)
    return sections | {"provenance": report.provenance([run, baseline], data="here/x.csv")}


@pytest.mark.slow
def test_R3_error_by_horizon_is_that_of_utilsforecast(taxi: tuple[Run, Run]) -> None:
    run, baseline = taxi
    section = report.horizons(run, baseline)
    for one in (run, baseline):
        long = one.to_long().drop_nulls("y").with_columns(pl.col("ds").sub(pl.col("cutoff")).alias("step"))
        last = long.filter(pl.col("step") == dt.timedelta(hours=12))
        expected = mae(last.select("unique_id", "y", one.model), [one.model])[one.model].item()
        assert number(expected) in section.text()
    overall = mae(run.to_long().drop_nulls("y").select("unique_id", "y", "theta"), ["theta"])["theta"].item()
    assert section.finding.startswith(f"The MAE of theta is {number(overall)}, ")
    assert "seasonal naive" in section.finding


@pytest.mark.slow
def test_J4_sums_and_peaks_have_the_numbers_of_the_run(taxi: tuple[Run, Run]) -> None:
    run, _ = taxi
    section = report.sums_and_peaks(run)
    total, peak = run.at(0).total(), run.at(0).maximum()
    assert f"a total of {number(total.median)} in the next" in section.finding
    assert f"a peak of {number(peak.median)}, from {number(peak.interval(80)[0])}" in section.finding
    scores = run.scores(of="total").row(0, named=True)
    assert f"held {percent(scores['calibrated_80'])} of the totals" in section.text()
    assert number(scores["crps"]) in section.text()


@pytest.mark.slow
def test_J4_R4_nothing_is_told_of_sums_that_have_no_bands_of_their_own() -> None:
    run = nbf.forecast(nbf.sample("taxi").tail(60), "naive", 3, wait=True)
    points = nbf.from_long(run.to_long().select("unique_id", "ds", "cutoff", "y", "naive"))
    assert not report.sums_and_peaks(points).text()
    assert not report.sums_and_peaks(nbf.forecast(nbf.sample("taxi").tail(60), "naive", 1, wait=True)).text()


@pytest.mark.slow
def test_R3_models_are_compared_by_the_crps_of_origins_that_both_have(taxi: tuple[Run, Run]) -> None:
    run, baseline = taxi
    difference = compare_losses(run, baseline)
    own, other = (r.frame["crps"].to_numpy().astype(float) for r in (run, baseline))
    both = np.isfinite(own[:, 0]) & np.isfinite(other[:, 0])
    means = [np.nanmean(np.nanmean(a[both], axis=1)) for a in (own, other)]
    assert difference.value == pytest.approx(means[1] / means[0] - 1, rel=1e-6)
    assert difference.degrees_of_freedom == min(int(0.4 * both.sum() ** (2 / 3)), both.sum() // 24)
    with_mase = compare_losses(run, baseline, find_comparison(run, [baseline]).rows)
    assert with_mase.value == pytest.approx(difference.value, abs=0.01)
    assert relative_change(with_mase.value) in report.comparison(run, [baseline]).text()


@pytest.mark.slow
def test_R3_a_panel_weighs_series_by_how_much_they_change(glucose: tuple[Run, Run]) -> None:
    run, baseline = glucose
    for series, change in zip(run.data.ids, loss_change_by_series(run, baseline), strict=True):
        own, other = (np.nanmean(nanmeans(r.series(series).frame)) for r in (run, baseline))
        assert change == pytest.approx(own / other - 1, rel=1e-6)
    scaled = losses(run)
    start, end = run.data.offsets[:2]
    y = run.data.values[start:end]
    assert scaled[start:end] == pytest.approx(
        nanmeans(run.series(run.data.ids[0]).frame) / np.nanmean(np.abs(y[288:] - y[:-288])), rel=1e-6, nan_ok=True
    )
    text = report.breakdown(run, baseline).text()
    assert re.search(rf"theta has a lower CRPS than seasonal naive in [0-4] of {len(run.data.ids)} series", text)
    assert report.series_profiles(run, baseline, 1, 1).text().count("picked at random") == 1


def nanmeans(frame: pl.DataFrame) -> np.ndarray:
    crps = frame["crps"].to_numpy().astype(float)
    finite = np.isfinite(crps)
    return np.where(finite.any(1), np.where(finite, crps, 0).sum(1) / np.maximum(finite.sum(1), 1), np.nan)


@pytest.mark.slow
def test_R3_the_worst_origins_are_apart(taxi: tuple[Run, Run], glucose: tuple[Run, Run]) -> None:
    run = taxi[0]
    rows = worst_rows(run, 4)
    assert losses(run)[rows[0]] == np.nanmax(losses(run)[:-12])
    assert np.diff(np.sort(rows)).min() > 24
    assert (np.diff(losses(run)[rows]) <= 0).all()
    panel = glucose[0]
    assert len({panel.data.locate(int(r))[0] for r in worst_rows(panel, 4)}) == 4
    own = worst_rows(panel, 2, panel.data.ids[1])
    assert {panel.data.locate(int(r))[0] for r in own} == {1}


@pytest.mark.slow
def test_R3_coverage_is_that_of_the_scores_and_is_tested_against_chance(taxi: tuple[Run, Run]) -> None:
    section = report.calibration(taxi[0])
    is_calibrated = np.isfinite(taxi[0].frame["calibrated"].to_numpy()[:, 0, 0])
    scores = taxi[0].scores(where=is_calibrated).row(0, named=True)
    assert percent(scores["coverage_80"]) in section.finding
    assert "of the origins that have calibrated bands" in section.finding
    assert percent(scores["calibrated_80"]) in section.finding

    def narrow(contexts: np.ndarray, horizon: int) -> np.ndarray:
        day = contexts[:, -24:][:, :horizon]
        return day[..., None] + np.linspace(-10, 10, 9)

    sure = FunctionForecaster(narrow, "sure", context=24, least=24, levels=tuple(np.linspace(0.1, 0.9, 9)))
    run = nbf.forecast(nbf.sample("taxi").tail(900), sure, wait=True)
    text = report.calibration(run).text()
    assert "The bands are too narrow by more than chance: the 50 % band contains" in text


@pytest.mark.parametrize(
    ("rivals", "expected_text"),
    [
        ([("a", -0.1, 0.01)], "a is more accurate than mine: its CRPS is 10 % lower than that of mine (p = 0.010)."),
        ([("a", -0.1, 0.3)], "The CRPS of a is 10 % lower than that of mine, which may be chance (p = 0.30)."),
        ([("a", -0.1, np.nan)], "The CRPS of a is 10 % lower than that of mine, with too few origins for a test."),
        (
            [("a", 13.39, np.nan)],
            "mine has the lowest CRPS, and nothing is known of chance; the next, a, is 1,339 % higher (too few origins",
        ),
        (
            [("a", 0.1, 0.3), ("b", 0.2, np.nan)],
            "mine has the lowest CRPS, but not by more than chance; the next, a, is 10 % higher (p = 0.30). There are "
            "too few origins for a test against b.",
        ),
        ([("a", 0.0, 1.0)], "No model has a lower CRPS than mine; that of a is equal."),
        ([("a", np.nan, np.nan)], "mine has no error at the origins that all models have forecast."),
        (
            [("a", 0.1, 0.3)],
            "mine has the lowest CRPS, but not by more than chance; the next, a, is 10 % higher",
        ),
        ([("naive", 0.1, 0.0)], "mine has the lowest CRPS, by more than chance against seasonal naive; the next"),
        (
            [("a", 0.1, 0.2), ("b", 0.2, 0.0)],
            "mine has the lowest CRPS, by more than chance against b only; the next, a,",
        ),
        (
            [("a", 0.1, 0.01), ("b", 0.2, 0.0)],
            "mine has the lowest CRPS, by more than chance against all 2 others; the",
        ),
    ],
)
def test_R3_a_verdict_claims_no_more_than_the_test_supports(
    rivals: list[tuple[str, float, float]], expected_text: str
) -> None:
    class Named:
        def __init__(self, model: str) -> None:
            self.model = model

    others = [Rival(Named(name), MeanEstimate(more, 0.1, 9, p), p) for name, more, p in rivals]
    assert verdict("mine", others).startswith(expected_text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("frame", "options"),
    [
        (np.full(80, 3.0), {}),
        (np.arange(22.0), {"horizon": 20}),
        (np.sin(np.arange(70.0)), {"horizon": 1}),
        (np.r_[np.arange(50.0), [np.nan] * 40, 5.0], {}),
        (np.arange(4.0), {}),
        ("retail", {"horizon": 3}),
        ("panel", {"horizon": 4}),
    ],
    ids=["constant", "horizon beyond the data", "one step", "ends after a gap", "too short", "months", "odd panel"],
)
def test_R3_any_data_make_a_report(frame: object, options: dict[str, int]) -> None:
    if isinstance(frame, str):
        odd = pl.concat(
            pl.DataFrame({"unique_id": name, "ds": np.arange(len(y)), "y": y})
            for name, y in (("<b>bold</b>", np.sin(np.arange(90.0))), ("flat", np.ones(60)), ("short", np.arange(2.0)))
        )
        frame = odd if frame == "panel" else nbf.sample(frame).tail(90)
    for run, baseline in (run_with_baseline(frame, QUICK, **options), run_with_baseline(frame, QUICK[::-1], **options)):
        for name, section in all_sections(run, baseline).items():
            text, html = section.text(), section.html()
            assert "nan" not in text, (name, text)
            assert "None" not in text, (name, text)
            assert "<b>" not in html
            ElementTree.fromstring(re.sub(r"<img ([^>]*)>", r"<img \1/>", html.replace("&nbsp;", " ")))
    same = all_sections(baseline, baseline)
    assert "is the baseline itself" in same["breakdown"].finding
    assert same["comparison"].finding == "There is no other model to compare with."


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "etth1.parquet",
        "cgm_hall.parquet",
        "m3_monthly_shared.parquet",
        "raw/dexcom_clarity_g6.csv",
        "raw/libre_libreview_us.csv",
        "raw/nab_machine_temperature.csv",
    ],
)
def test_R3_real_data_make_a_report(name: str) -> None:
    frame: object = str(shared(name))
    if name == "etth1.parquet":
        frame = pl.read_parquet(frame).filter(pl.col("unique_id").str.contains("OT"))
    elif name.endswith("parquet"):
        kept = pl.read_parquet(frame)
        frame = kept.filter(pl.col("unique_id").is_in(kept["unique_id"].unique().sort()[:8].implode()))
    run, baseline = run_with_baseline(frame, max_duration=120)
    sections = all_sections(run, baseline)
    assert re.search(
        r"The MAE of theta is [\d,.]+( \S+)?, [\d.]+ % (lower|higher) than that of", sections["horizons"].finding
    )
    assert re.search(r"\((p [<=] [\d.]+)\)\.|too few origins", sections["comparison"].finding)
    assert sections["worst_origins"].html().count("<img ") >= 2
    if len(run.data.ids) > 1:
        assert sections["series_profiles"].html().count("<h3>") == 6
        assert f"of {len(run.data.ids)} series" in sections["breakdown"].finding
    else:
        assert sections["series_profiles"].text() == ""
        assert "periods." in sections["breakdown"].finding


@pytest.mark.slow
def test_Q4_a_report_of_some_origins_says_what_holds_for_these(taxi: tuple[Run, Run]) -> None:
    subset = {"origins": slice(-200, -30), "every": 4, "max_duration": 900}
    run, baseline = run_with_baseline(nbf.sample("taxi"), ("naive", QUICK[0]), **subset)
    texts = {name: repr(section) for name, section in all_sections(run, baseline).items()}
    assert "43 origins" in texts["summary"]
    assert set(np.flatnonzero(np.isfinite(losses(run)))) == set(run.rows)
    known = run.to_long().drop_nulls("y")
    assert mae(known.select("unique_id", "y", "naive"), ["naive"])["naive"].item() == pytest.approx(
        run.scores()["mae"].item(), rel=1e-5
    )
    assert set(worst_rows(run, 3)) <= set(run.rows)
    assert number(run.scores("horizon")["mae"][0]) in texts["horizons"]


@pytest.mark.slow
def test_R3_probabilities_of_limits_are_those_of_the_draws(glucose: tuple[Run, Run]) -> None:
    run = glucose[0]
    now = run.at(0, run.data.ids[0])
    below, above = now.below(100), now.above(100)
    assert below + above == pytest.approx(np.ones(12))
    fine = now.quantile(tuple(np.linspace(0.001, 0.999, 999)))
    assert below == pytest.approx((fine < 100).mean(1), abs=0.002)
    section = report.exceedance(run, above=140)
    observed = run.to_long().drop_nulls("y")["y"]
    assert percent(float((observed > 140).mean())) in section.text()
    assert percent(float(now.above(140).mean())) in section.finding


def test_R3_periods_are_those_that_people_name() -> None:
    hours = prepare(nbf.sample("taxi"))
    where, names = time_buckets(hours, np.arange(len(hours)))
    assert names[0] == "Jul 2014"
    assert len(names) == 7
    assert (where == (hours.time.astype("datetime64[M]") - np.datetime64("2014-07", "M")).astype(int)).all()
    counts = prepare(np.arange(100.0))
    assert time_buckets(counts, np.arange(100))[1][0] == "t = 0 to t = 12"


def test_renamed_sections_work_with_a_warning() -> None:
    for old, new in (("limits", "exceedance"), ("outlook", "current_forecast"), ("places", "breakdown"),
                     ("portraits", "series_profiles"), ("extremes", "worst_origins")):  # fmt: skip
        with pytest.deprecated_call(match=rf"report\.{old} is now called report\.{new}"):
            assert getattr(report, old) is getattr(report, new)


@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_R3_charts_are_drawn_whatever_values_are_missing(theme: charts.theme.Theme) -> None:
    at = np.arange(5)
    open_ = np.array([1.0, np.nan, 3.0, 2.0, np.nan])
    marks = (
        charts.Line(at, open_, "a <b>"),
        charts.Line(at, np.full(5, np.nan), "none", "other"),
        charts.ReferenceLine(2.0, "c"),
    )
    bars = charts.Bars(np.arange(6), np.abs(np.nan_to_num(open_)))
    dots = charts.Dots(at, at.astype(float), ("1",))
    rows = (charts.DotRow("<x>", float("nan")), charts.DotRow("y", 1, "w", 0, 2, 0.5))
    for drawn in (
        charts.draw_line_chart(charts.LineChart("t", (*marks, bars, dots), "alt"), theme),
        charts.draw_line_chart(charts.LineChart("t", (charts.Line(at, np.full(5, np.nan)),), "alt"), theme),
        charts.draw_dot_chart(charts.DotChart("t", rows, "alt"), theme),
    ):
        root = ElementTree.fromstring(drawn)
        assert root.find("{*}desc") is not None
        assert "nan" not in drawn


def test_R2_every_notebook_is_in_the_wheel() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert {Path(source).name for source in included} == {p.name for p in (ROOT / "notebooks").glob("*.ipynb")}
    assert {Path(target).parent.as_posix() for target in included.values()} == {"nbforecast/notebooks"}
