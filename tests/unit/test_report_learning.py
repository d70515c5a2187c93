"""H4: reports and `compare` tell what learning and calibration gain, over the same origins."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast import report
from nbforecast.arguments import report_parameters
from nbforecast.cli import _parser
from nbforecast.options import ForecastOptions
from nbforecast.report.learning import describe_groups, describe_learning, with_clarity
from nbforecast.report.parameters import parse_parameters
from nbforecast.report.runner import find_template
from nbforecast.text import number
from tests.unit.test_covariates import sales


@pytest.fixture(scope="module")
def run() -> nbf.Run:
    frame = sales(260, 5).rename({"y": "sold [kg]"})
    options = {"target": "sold [kg]", "future_covariates": ["promotion", "noise"]}
    return nbf.forecast(frame, "naive", 3, calibrate=True, wait=True, **options)


def test_H4_variants_are_scored_over_the_same_origins_as_by_hand(run):
    table = run.compare()
    assert list(zip(table["model"], table["calibrated"], strict=True)) == [
        ("naive", False), ("naive", True), ("naive-learned", False), ("naive-learned", True),
    ]  # fmt: skip
    assert table["n"].n_unique() == 1
    bands = [np.asarray(r.entry_slice.calibrate()) for r in (run.base, run)]
    actual = run.data.actuals(np.arange(len(run.data)), 3).astype(np.float32)
    known = np.isfinite(bands[0]).all(-1) & np.isfinite(bands[1]).all(-1) & np.isfinite(actual)
    assert table["n"][0] == known.sum()
    inside = (bands[1][..., 2] <= actual) & (actual <= bands[1][..., 5])
    assert table["coverage_80"][3] == pytest.approx(inside[known].mean())
    median = run.column("median")
    assert table["mae"][2] == table["mae"][3] == pytest.approx(np.abs(actual - median)[known].mean(), rel=1e-5)
    levels = np.array([0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975])
    quantiles = np.concatenate([bands[1][..., :4], median[..., None], bands[1][..., 4:]], -1)[known]
    error = actual[known][:, None] - quantiles
    loss = 2 * np.maximum(levels * error, (levels - 1) * error).mean()
    assert table["wis"][3] == pytest.approx(loss, rel=1e-5)
    assert table["wis_change"][3] < table["upper"][3] < 0
    assert table["p_value"][3] < 0.01
    assert len(run.base.compare()) == 2


def test_H4_the_section_says_what_the_tables_say(run):
    section = report.learning(run)
    text, effects, variants = section.text(), run.effects(), run.compare()
    assert text.startswith("What the forecasts learned")
    promotion = effects.row(by_predicate=pl.col("feature") == "promotion", named=True)
    margin = (promotion["upper"] - promotion["lower"]) / 2
    assert f"Promotion adds {promotion['effect']:.1f} % ± {number(margin, 2)}; without it the error would be" in text
    assert "Noise: no clear effect; without noise the error would be" in text
    assert not with_clarity(effects).filter(feature="noise")["is_clear"].any()
    assert f"{number(variants['wis'][3])}" in text
    assert f"the WIS is {abs(variants['wis_change'][3]):.0f} % lower than that of seasonal naive (p < 0.001)" in text
    summary = report.summary(run, run.base, [run.base]).text()
    assert describe_learning(run) in summary
    assert "Promotion adds" in summary


def test_R4_no_effect_is_called_clear_where_there_is_none(run):
    effects = run.effects().with_columns(p_value=pl.lit(0.04))
    assert not with_clarity(effects)["is_clear"].any(), "several effects are corrected for"
    assert all("adds" not in sentence for sentence in describe_groups(effects))


def test_R4_what_is_too_short_to_calibrate_or_makes_no_error_is_said():
    short = nbf.forecast(np.sin(np.arange(30.0)) + 2, "naive", 3, learn=True, wait=True)
    assert "Learned, the WIS is" in describe_learning(short)
    assert "too few past errors to calibrate" in report.learning(short).text()
    for score in ("wis", "coverage_80", "width_80"):
        assert short.compare()[score].is_null().to_list() == [False, True, False, True]
    exact = nbf.forecast(np.arange(70) % 7 + 1.0, "naive", 3, learn=True, wait=True)
    assert "naive makes no error" in describe_learning(exact)
    assert exact.compare()["wis_change"][1:].is_null().all()


def test_H4_nothing_is_shown_of_a_run_that_does_not_learn(run):
    assert report.learning(run.base).text() == ""
    assert describe_learning(run.base) == ""


def test_R2_a_report_takes_covariates_as_flags_and_as_parameters():
    arguments = ["report", "x.csv", "-o", "x.html", "--learn", "--future", "promo,price", "--holidays", "DE-BY"]
    parameters = report_parameters(_parser().parse_args(arguments))
    assert parameters == {"learn": "true", "future_covariates": "promo,price", "holidays": "DE-BY"}
    values = parse_parameters(find_template("backtest_report"), [*parameters.items(), ("past_covariates", "2023")])
    assert values == {
        "learn": True, "future_covariates": "promo,price", "holidays": "DE-BY", "past_covariates": "2023",
    }  # fmt: skip


def test_R2_a_report_takes_every_option_of_a_forecast_that_its_template_has():
    plain = _parser().parse_args(["report", "x.csv", "-o", "x.html"])
    assert report_parameters(plain) == {}, "what is not given is the template's"
    options = [each for each in fields(ForecastOptions) if each.metadata["flags"]]
    options = [each for each in options if each.name not in ("exact", "calibrate")]  # a report is both
    words = ["report", "x.csv", "-o", "x.html"]
    for each in options:
        is_switch = each.metadata["argument"].get("action") == "store_true"
        words += [each.metadata["flags"][0], *([] if is_switch else ["3"])]
    arguments = _parser().parse_args(words)
    parameters = report_parameters(arguments)
    assert set(parameters) == {each.name for each in options}
    parse_parameters(find_template("backtest_report"), list(parameters.items()))
