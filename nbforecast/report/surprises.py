"""Observations that their forecasts made improbable, and changes: how many, the strangest, and those that are new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from nbforecast.checks import check_probabilities
from nbforecast.data.origins import find_row
from nbforecast.data.span import parse_span
from nbforecast.report.current_forecast import draw_forecast
from nbforecast.report.labels import horizon_text, time_text, with_unit
from nbforecast.report.section import Bullets, Section, Table
from nbforecast.report.stats import is_panel
from nbforecast.surprises.table import by_strangeness
from nbforecast.text import UNKNOWN, number, percent, plural

if TYPE_CHECKING:
    from nbforecast.origin_forecast import Forecast
    from nbforecast.run import Run

RATE = 0.01  # of ordinary observations that a report names
_KINDS = {
    "spike": "a spike",
    "level shift": "a shift of level",
    "spread": "a change of spread",
    "rhythm": "a missing rhythm",
    "missing": "missing data",
    None: "of a kind not decided yet",
}
_DIRECTIONS = {
    "up": "higher than forecast",
    "down": "lower than forecast",
    "wider": "farther from their forecasts",
    "narrower": "nearer to their forecasts",
}


@dataclass(frozen=True)
class SurpriseFindings:
    """The odd observations of a run.

    Attributes:
        finding: How many there are and the strangest, in a sentence; empty where the past is too short to tell.
        notes: What the past is too short to tell.
        events: The strangest observation of each event, the strangest event first; columns as in `Run.surprises`.
    """

    finding: str
    notes: tuple[str, ...]
    events: pl.DataFrame


def find_surprises(run: Run, rate: float = RATE) -> SurpriseFindings:
    """Find the odd observations of a completed run.

    Args:
        run: The run.
        rate: The share of ordinary observations that is named, too.
    """
    table = run.surprises(rate)
    events = table[by_strangeness(table)].unique("event", keep="first", maintain_order=True)
    notes = tuple(str(warning) for warning in run.surprise_warnings(rate))
    observed = int((~pl.Series(run.data.values).is_nan()).sum())
    if not len(table):
        finding = "" if notes else f"No observation is odd at a rate of {_share(rate)}."
        return SurpriseFindings(finding, notes, events)
    count = f"{plural(len(table), 'observation')} of {observed:,} ({percent(len(table) / observed)})"
    strangest = describe_surprise(run, events.row(0, named=True), rate)
    finding = (
        f"{count} {'is' if len(table) == 1 else 'are'} odd, in {plural(len(events), 'event')}; at a rate of "
        f"{_share(rate)}, about {number(rate * observed, 2)} would be by chance. The strangest is {strangest}."
    )
    return SurpriseFindings(finding, notes, events)


def describe_surprise(run: Run, surprise: dict[str, Any], rate: float) -> str:
    """Describe an odd observation: when, what came, what was expected, how probable, and how far ahead it was odd.

    Args:
        run: The run.
        surprise: A row of `Run.surprises`.
        rate: The rate of its band.
    """
    series = f"{surprise['unique_id']}, " if is_panel(run.data) else ""
    time = time_text(run.data, run.data.row(surprise["index"], surprise["unique_id"]))
    chance = f"{_KINDS[surprise['kind']]}, {_share(surprise['p'])} likely"
    if surprise["y"] is None:
        return f"{series}{time}: {chance}"
    band = "" if _band(surprise) == UNKNOWN else f", outside the {_share(1 - rate)} band of {_band(surprise)}"
    ahead = horizon_text(run, surprise["lead"])
    return f"{series}{time}: {with_unit(run.data, surprise['y'])}{band}, {chance}, odd already {ahead} ahead"


def surprises(
    run: Run, count: int = 5, rate: float = RATE, *, alarm_rate: float | None = None, since: Any = None
) -> Section:
    """Show the odd observations, the forecast as of when the strangest was odd already, and the changes.

    Args:
        run: A completed run.
        count: How many events are listed.
        rate: The share of ordinary observations that is named, too.
        alarm_rate: A rate at which new odd observations are the section's `alarms`; None for no alarms.
        since: Which ones are new: those of the last so many steps of their series, or of a span such as "1d"; by
            default of the last horizon.

    Returns:
        The section; an empty one where the past is too short to tell anything.

    Raises:
        OptionError: A rate is no probability, or `since` is no span.

    Example:
        >>> report.surprises(run)
    """
    found = find_surprises(run, rate)
    alarms, unable = find_alarms(run, alarm_rate, since) if alarm_rate is not None else ((), ())
    notes = tuple(dict.fromkeys((*found.notes, *unable)))
    if not found.finding:
        return Section("", notes, alarms=alarms)
    parts: list[Any] = []
    if len(found.events):
        parts.append(_tabulate(run, found.events.head(count), rate))
    if (forecast := _forecast_before(run, found.events)) is not None:
        parts.append(draw_forecast(forecast))
    changes = run.changes()
    if len(changes):
        parts.append(_show_changes(run, changes, count))
    if alarms:
        parts.insert(0, Bullets(tuple(f"New: {alarm}." for alarm in alarms)))
    return Section(found.finding, notes, tuple(parts), alarms=alarms)


def find_alarms(run: Run, rate: float, since: Any = None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Describe each event with a new odd observation.

    Args:
        run: A completed run.
        rate: The rate of odd observations.
        since: Which ones are new, as `surprises` takes it.

    Returns:
        A sentence each, the strangest first, and what the past is too short to tell.
    """
    check_probabilities([rate], "rate")
    steps = run.horizon if since is None else parse_span(since, "since").count_steps(run.data.frequency, "since")
    found = find_surprises(run, rate)
    table = run.surprises(rate)
    new = table.filter(pl.col("index") > -steps)["event"].unique()
    events = found.events.filter(pl.col("event").is_in(new.implode()))
    return tuple(describe_surprise(run, row, rate) for row in events.iter_rows(named=True)), found.notes


def _forecast_before(run: Run, events: pl.DataFrame) -> Forecast | None:
    """The forecast that found the strangest observation odd as early as any; none where all events are gaps."""
    observed = events.drop_nulls("lead")
    if not len(observed):
        return None
    first = observed.row(0, named=True)
    return run.forecast_at(run.data.row(first["index"], first["unique_id"]) - first["lead"])


def _show_changes(run: Run, changes: pl.DataFrame, count: int) -> Section:
    """When the series stopped behaving as forecast, the best proven first."""
    strongest = changes.sort("evidence", descending=True).head(count)
    names = ("series",) if is_panel(run.data) else ()
    rows = []
    for change in strongest.iter_rows(named=True):
        row = run.data.row(change["index"], change["unique_id"])
        since = find_row(run.data, change["since"], change["unique_id"])
        series = (change["unique_id"],) if names else ()
        times = (time_text(run.data, at) for at in (row, since))
        rows.append((*series, *times, _DIRECTIONS[change["direction"]], number(change["evidence"])))
    first = rows[0][len(names) :]
    sentence = (
        f"{plural(len(changes), 'time')} the observations stopped fitting the forecasts. The best proven: since "
        f"{first[1]} they were {first[2]}, known {first[0]}."
    )
    return Section("", (sentence,), (Table((*names, "known at", "since", "observations", "evidence"), tuple(rows)),))


def _tabulate(run: Run, events: pl.DataFrame, rate: float) -> Table:
    names = ("series",) if is_panel(run.data) else ()
    rows = []
    for event in events.iter_rows(named=True):
        series = (event["unique_id"],) if names else ()
        time = time_text(run.data, run.data.row(event["index"], event["unique_id"]))
        value = UNKNOWN if event["y"] is None else number(event["y"])
        kind = _KINDS[event["kind"]].removeprefix("a ").removeprefix("of a kind ")
        ahead = UNKNOWN if event["lead"] is None else horizon_text(run, event["lead"])
        expected = UNKNOWN if event["expected"] is None else number(event["expected"])
        rows.append((*series, time, value, expected, _band(event), _share(event["p"]), kind, ahead))
    head = (
        *names,
        "strangest events",
        "value",
        "expected",
        f"{_share(1 - rate)} band",
        "likely",
        "kind",
        "odd ahead by",
    )
    return Table(head, tuple(rows))


def _band(surprise: dict[str, Any]) -> str:
    low, high = surprise["lo"], surprise["hi"]
    return UNKNOWN if low is None or low != low else f"{number(low)} to {number(high)}"


def _share(share: float) -> str:
    """A probability in per cent, however small: `0.3 %`, `99.9 %`."""
    return f"{100 * share:.6g} %" if share > 0.1 else f"{100 * share:.2g} %"
