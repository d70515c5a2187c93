"""A3: what a report tells of odd observations, and for which of them a scheduled one fails."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl
import pytest

import nbforecast as nbf
from nbforecast import report
from nbforecast.arguments import add_alarm_options
from nbforecast.errors import OptionError
from nbforecast.report.surprises import find_alarms, find_surprises
from tests.support.explorers import series

if TYPE_CHECKING:
    from nbforecast.run import Run

NEWEST = 398  # the row of a spike, one before the last


@pytest.fixture(scope="module")
def run() -> Run:
    row = pl.int_range(pl.len())
    spikes = pl.when(row.is_in([300, NEWEST])).then(40).otherwise(0)
    return nbf.forecast(series(400, 5).with_columns(y=pl.col("y") + spikes), "naive", horizon=4, wait=True)


def test_A3_the_finding_counts_events_against_the_rate_and_names_the_strangest(run: Run) -> None:
    table = run.surprises(0.01)
    found = find_surprises(run)
    assert re.match(rf"{len(table)} observations of 400 \(\d\.\d %\) are odd, in (\d) events", found.finding)
    assert "at a rate of 1 %, about 4.0 would be by chance" in found.finding
    assert len(found.events) == table["event"].n_unique()
    first = found.events.row(0, named=True)
    assert first["p"] == table["p"].min()
    assert f"{100 * first['p']:.2g} % likely, odd already {first['lead']} hour" in found.finding
    text = report.surprises(run).text()
    assert f"{first['lo']:.1f} to {first['hi']:.1f}" in text
    assert f"(index {first['index'] - first['lead']})" in text, "the chart is as of when it was odd already"
    assert found.finding in report.summary(run, run, [run]).text()


def test_A3_alarms_are_of_new_observations_only_and_one_an_event(run: Run) -> None:
    index = NEWEST - 399
    events = run.surprises(0.01).filter(pl.col("index") >= index)["event"].n_unique()
    assert events == 1
    alarms, notes = find_alarms(run, 0.01)
    assert (len(alarms), notes) == (1, ())
    assert re.match(r"Sun 17 Mar 2024, 14:00: 8\d\.\d, outside the 99 % band of ", alarms[0])
    assert find_alarms(run, 0.01, "1h")[0] == (() if run.surprises(0.01)["index"].max() < 0 else alarms)
    assert len(find_alarms(run, 0.01, "30d")[0]) == run.surprises(0.01)["event"].n_unique()
    section = report.surprises(run, alarm_rate=0.01)
    assert section.alarms == alarms
    assert any(mime.endswith("alarms+json") for mime in section._repr_mimebundle_())
    assert report.surprises(run).alarms == ()


def test_A3_gaps_and_changes_are_told() -> None:
    row = pl.int_range(pl.len())
    shift = pl.when(row >= 500).then(row * 7919 % 61).otherwise(0)
    frame = series(900, 5).with_columns(y=pl.col("y") + shift).filter(~row.is_between(350, 355))
    run = nbf.forecast(frame, "naive", horizon=2, wait=True)
    gaps = run.surprises().filter(kind="missing")
    assert gaps["index"].to_list() == [350 - 899]
    changes, text = run.changes(), report.surprises(run, 99).text()
    assert "missing data" in text
    assert len(changes)
    assert f"{len(changes)} time" in text
    words = {"up": "higher than", "down": "lower than", "wider": "farther from their", "narrower": "nearer to their"}
    assert all(f"{words[direction]} forecast" in text for direction in changes["direction"])


def test_A3_a_rate_that_the_past_cannot_support_is_told_and_is_no_alarm(run: Run) -> None:
    section = report.surprises(run, alarm_rate=0.0001)
    assert section.alarms == ()
    assert "a rate of 0.01 % needs 9,999 past observations" in section.text()
    short = nbf.forecast(series(60), "naive", horizon=4, wait=True)
    assert find_surprises(short).finding == ""
    assert "No observation can be called a surprise" in report.surprises(short).text()


@pytest.mark.parametrize("options", [{"alarm_rate": 2.0}, {"alarm_rate": 0.01, "since": "soon"}])
def test_A3_senseless_rates_and_spans_are_refused(run: Run, options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        report.surprises(run, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("words", [["--fail-on-surprise", "1.5"], ["--fail-on-surprise", "x"], ["--since", "soon"]])
def test_A3_a_shell_refuses_them_too(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    add_alarm_options(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(words)
    assert words[0] in capsys.readouterr().err
