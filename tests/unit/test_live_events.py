"""V3: events begin and end once, also across restarts; they call functions and commands."""

import datetime as dt
import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbforecast as nbf
from nbforecast.live import lifetime
from nbforecast.live.actions import event_environment
from nbforecast.live.conditions import Condition
from nbforecast.live.events import SeriesState
from tests.support.cache_files import LastValueModel
from tests.support.examples import examples
from tests.support.live_sources import GrowingFile, each, readings, time_of, value, watch

ABOVE = {"above": 165.0, "within": "10min", "probability": 0.5}


@pytest.fixture(autouse=True)
def own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("NBFORECAST_CACHE_DIR", str(tmp_path / "cache"))
    yield tmp_path / "cache" / "live"
    for live in lifetime.running():
        live.stop()


@pytest.fixture
def file(tmp_path: Path) -> GrowingFile:
    return GrowingFile(tmp_path / "glucose.csv", 34)


def look_back(rows: range) -> list[tuple[str, dt.datetime]]:
    """The beginnings and ends among some readings, from the forecasts of all: the value stays as it is, or so."""
    run = nbf.forecast(readings(range(rows.stop)), LastValueModel(), 4, wait=True)
    happenings, is_on = [], False
    for row in rows:
        holds = run.forecast_at(row).any_above(165, "10min") >= 0.5
        if holds != is_on:
            happenings.append(("begin" if holds else "end", time_of(row)))
        is_on = holds
    return happenings


def test_V3_a_function_is_called_once_when_an_event_begins_and_once_when_it_ends(file: GrowingFile) -> None:
    events: list[nbf.Event] = []
    with watch(file.path) as live:
        assert live.when(**ABOVE, call=events.append) is live
        for _ in each(live, file, 12):
            pass
        live.wait()
    assert [(event.state, event.time) for event in events] == look_back(range(33, 46))
    assert {event.state for event in events} == {"begin", "end"}
    begin, end = events[:2]
    assert (begin.value, begin.since, begin.series) == (
        value(round((begin.time - time_of(0)) / dt.timedelta(minutes=5))),
        begin.time,
        None,
    )
    assert (end.since, end.condition) == (begin.time, Condition("above", 165.0, "10min", 0.5))
    assert begin.probability >= 0.5 > end.probability
    assert "begins: above 165 within 10min with a probability of 50 % or more" in str(begin)


@pytest.mark.parametrize("stops", [(), (39,), (37, 39, 44)])
def test_V3_events_are_told_once_also_across_restarts(file: GrowingFile, stops: tuple[int, ...]) -> None:
    events: list[nbf.Event] = []
    for begin, end in itertools.pairwise((34, *stops, 46)):
        file.append(end - file.rows - 1)  # while nobody watches, and while somebody does
        assert begin < end
        with watch(file.path) as live:
            live.when(**ABOVE, call=events.append).wait()
            file.append()
            live.wait(rows=1, timeout=10).wait()
    told = [(event.state, event.time) for event in events]
    # the first time the newest row alone is looked at
    expected = look_back(range((*stops, 46)[0] - 2, 46))
    assert told == expected


def happenings(holds: list[bool | None], hold: int) -> list[tuple[int, str]]:
    state, told = SeriesState(0), []
    for at, each_one in enumerate(holds):
        happening = state.update(at, each_one, hold)
        if happening == "end":
            state.end()
        if happening:
            told.append((at, happening))
    return told


def test_V3_an_event_ends_when_its_condition_has_not_held_for_a_while() -> None:
    state, minute = SeriesState(0), 60
    told = [
        (at, happening)
        for at, holds in enumerate([None, True, False, True, False, None, False, False, True])
        if (happening := state.update(at * minute, holds, 3 * minute)) is not None
        and (happening == "begin" or state.end() is None)
    ]
    assert told == [(1, "begin"), (7, "end"), (8, "begin")]


@given(st.lists(st.sampled_from([True, False, None]), max_size=30), st.integers(0, 4))
@examples(20)
def test_V3_beginnings_and_ends_alternate_and_ends_are_held(holds: list[bool | None], hold: int) -> None:
    told = happenings(holds, hold)
    assert [happening for _, happening in told] == ["begin", "end"] * (len(told) // 2) + ["begin"] * (len(told) % 2)
    for at, happening in told:
        if happening == "end":
            assert not any(holds[at - hold : at + 1])


def test_V3_an_exception_of_the_function_is_told_and_stops_nothing(
    file: GrowingFile, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(event: nbf.Event) -> None:
        raise RuntimeError("no mail server")

    events: list[nbf.Event] = []
    with watch(file.path) as live:
        live.when(above=0, call=fail).when(above=0, call=events.append)
        live.wait()
        assert (len(events), live.error) == (1, None)
    assert "no mail server" in caplog.text


def test_V3_a_command_gets_the_event_in_its_environment(file: GrowingFile, tmp_path: Path) -> None:
    out = tmp_path / "event.json"
    code = "import os, json, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w'))"
    with watch(file.path) as live:
        live.when(below=1000, within=2, run=[sys.executable, "-c", code, str(out)])
        live.when(below=1000, run=f"echo \"$NBF_TEXT\" > '{tmp_path / 'text'}'; exit 3")
        live.wait()
        end = time.monotonic() + 20
        while not (out.exists() and out.stat().st_size and (tmp_path / "text").exists()) and time.monotonic() < end:
            time.sleep(0.02)
    told = json.loads(out.read_text())
    assert told["NBF_STATE"] == "begin"
    assert told["NBF_KIND"], told["NBF_LIMIT"] == ("below", "1000")
    assert told["NBF_TIME"] == told["NBF_SINCE"] == time_of(33).isoformat()
    assert told["NBF_VALUE"] == str(value(33))
    assert told["NBF_SOURCE"] == str(file.path)
    assert float(told["NBF_PROBABILITY"]) == 1
    assert (tmp_path / "text").read_text().startswith("2024-03-01 02:45: begins: below 1,000")


def test_V3_a_surprise_of_a_monitor_is_that_of_a_look_back(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(0, 1, 160).cumsum()
    values[150:152] += 40

    def rows(count: int) -> pl.DataFrame:
        return pl.DataFrame({"time": [time_of(i) for i in range(count)], "y": values[:count]})

    count, events = itertools.count(147), list[nbf.Event]()
    with watch(lambda: rows(min(next(count), 160)), poll=1000) as live:
        live.when(surprise=0.02, call=events.append)
        while len(live.run.data) < 160:
            live.wait()
        live.wait()
    back = nbf.forecast(rows(160), LastValueModel(), 4).surprises(0.02)
    odd = back.filter(pl.col("ds") > time_of(146))
    assert next(e.time for e in events if e.state == "begin") == time_of(150)
    told = {e.time: e.probability for e in events if e.state == "begin"}
    assert set(told) <= set(odd["ds"])  # neighbours are one event here
    assert all(odd.filter(ds=at)["p"].item() == p for at, p in told.items())


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"above": 1, "below": 2},
        {"above": "high"},
        {"above": float("nan")},
        {"above": 1, "probability": 0},
        {"above": 1, "probability": 30},
        {"above": 1, "within": "soon"},
        {"above": 1, "within": "5h"},
        {"above": 1, "hold": "while"},
        {"above": 1, "hold": 3},
        {"surprise": 1},
        {"surprise": 0.1, "within": "5min"},
        {"above": 1, "call": None},
        {"above": 1, "run": "ls"},
        {"above": 1, "call": "ls"},
    ],
)
def test_V3_impossible_conditions_and_actions_are_errors(file: GrowingFile, options: dict[str, object]) -> None:
    with watch(file.path) as live, pytest.raises(nbf.OptionError):
        live.when(**{"call": print, **options})  # type: ignore[arg-type]


def test_V3_a_damaged_memory_is_told_and_costs_nothing_else(
    file: GrowingFile, own_memory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    events: list[nbf.Event] = []
    for content in ("[]", '{"series": {"series": {"last": "x", "since": 1, "over": 2}}}', "{"):
        with watch(file.path) as live:
            live.when(above=0, call=events.append).wait()
        (memory,) = own_memory.iterdir()
        memory.write_text(content)
    assert len(events) == 3
    assert caplog.text.count("is damaged") == 2


def test_V3_what_calls_somebody_is_not_forgotten(file: GrowingFile) -> None:
    import gc

    events: list[nbf.Event] = []
    watch(file.path).when(**ABOVE, call=events.append)
    gc.collect()
    (live,) = lifetime._acting
    file.append(12)
    live.wait(rows=12, timeout=10).wait()
    assert events
    live.stop()
    del live
    gc.collect()
    assert not lifetime._acting


def test_V3_nothing_that_a_variable_cannot_hold_reaches_a_command() -> None:
    event = nbf.Event("begin", Condition("above", 1.5), "a\0b", 3, 2.0, 3, 0.25, "source")
    assert event_environment(event)["NBF_SERIES"] == "ab"
    assert event_environment(event)["NBF_TIME"] == "3"


def test_V3_what_is_called_may_state_another_condition_and_stop_but_not_wait(file: GrowingFile) -> None:
    told: list[str] = []

    def act(event: nbf.Event) -> None:
        live.when(above=0, within=1, call=lambda other: told.append(f"other {other.state}"))
        with pytest.raises(nbf.SourceError, match="cannot wait"):
            live.wait()
        told.append(event.state)

    with watch(file.path) as live:
        live.when(above=0, call=act)
        live.wait().wait()
        assert told == ["begin", "other begin"]
        live.when(above=0, within=2, call=lambda _: live.stop())
        with pytest.raises(nbf.SourceError, match="no longer watched"):
            live.wait(rows=1, timeout=10)
