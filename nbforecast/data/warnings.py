"""The warnings about what preparation repairs or leaves out, each with a flag, a count and a sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int, Shaped

from nbforecast.data.dataset import DataWarning
from nbforecast.data.grid import point_distances
from nbforecast.data.span import Span, is_newest_part
from nbforecast.text import brief_number, option, plural, quoted, time_span, timestamp
from nbforecast.time_units import DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbforecast.data.covariates import Covariates
    from nbforecast.data.frequency import Frequency
    from nbforecast.data.grid import GridPoints
    from nbforecast.data.observations import Observations

LEFT_OUT = {"empty_series": "no data point", "too_short": "only one data point"}  # flag -> what such a series has
_MOST_WARNINGS = 3  # more series than this that have the same warning share one
_NAMED = 5  # series that a shared warning names
_BETWEEN = 0.2  # of a step, from which on a row of covariates lies between two
_SHIFTED = 0.05  # of a step; clocks of devices wander, and less needs no warning
_SPARSE = 0.1  # share of observed steps below which the step is probably wrong
_MOSTLY = 0.5  # share of steps without observation from which on a series is told of them
_BLURRED = 0.01  # of the usual change from step to step; single precision may lose less without a warning
# names of weather, and of forecasts of it
_WEATHER = re.compile(
    r"temperatur|(^|[^a-z])temp([^a-z]|$)|(^|[^a-z])wind|rain|precip|humidity|weather|cloud|irradian|sunshine|snow"
    r"|wetter|niederschlag|regen|feuchte|bewölkung|pressure|dew.?point",
    re.IGNORECASE,
)
_ISSUED = re.compile(r"forecast|fcst|predict|prognos|vorhersage|expected|nwp|outlook|day.?ahead", re.IGNORECASE)
_MOST_CLOCK_CHANGES = 10_000  # duplicates; more have another cause


def longer_history(count: int) -> DataWarning:
    """Report origins whose forecasts the cache serves from a longer history with the same end.

    Args:
        count: How many.
    """
    origins, advice = plural(count, "origin is", "origins are"), f"{option('exact', True)} uses this one alone"
    return DataWarning("longer_history", count, f"{origins} forecast from a longer history in the cache; {advice}.")


def beside_grid_warnings(times: Int[np.ndarray, " rows"], frequency: Frequency) -> list[DataWarning]:
    """Report rows after the last value, of covariates alone, that lie between the points of the grid.

    Args:
        times: The times of these rows.
        frequency: The grid.
    """
    if frequency.kind == "integer":
        return []
    distances = point_distances(times, frequency)
    count = int((distances > _BETWEEN).sum())
    if not count:
        return []
    first = np.datetime64(int(times[np.argmax(distances > _BETWEEN)]), "us")
    sentence = (
        f"{plural(count, 'row')} after the last value {'lies' if count == 1 else 'lie'} between the steps of "
        f"{frequency.describe()} (first: {timestamp(first)}): their covariates count for the nearest step."
    )
    return [DataWarning("covariates_off_grid", count, sentence)]


def dropped_series_warnings(flag: str, dropped: Int[np.ndarray, " dropped"], ids: Sequence[str]) -> list[DataWarning]:
    """Report series that are left out.

    Args:
        flag: `empty_series` or `too_short`.
        dropped: The numbers of these series.
        ids: The names of all series.
    """
    if not len(dropped):
        return []
    content = LEFT_OUT[flag]
    if len(dropped) <= _MOST_WARNINGS:
        return [
            DataWarning(flag, 1, f"Series {ids[number]!r} has {content} and is left out.", ids[number])
            for number in dropped
        ]
    named = ", ".join(repr(ids[number]) for number in dropped[:_NAMED])
    sentence = f"{len(dropped):,} series have {content} and are left out ({named} ...)."
    return [DataWarning(flag, len(dropped), sentence)]


def trimmed_warnings(
    missing: Observations, points: GridPoints, frequency: Frequency, newest: Span | None
) -> list[DataWarning]:
    """Report rows without a value before the first and after the last data point of their series.

    Args:
        missing: Rows without a value.
        points: Data points of the same series.
        frequency: The grid.
        newest: The newest part that is used; rows before it do not count.
    """
    step = frequency.to_step(missing.times)
    first, last = points.bounds(len(missing.ids))
    last_step = points.step[last][missing.series]
    is_before = step < points.step[first][missing.series]
    if newest is not None:
        is_before &= is_newest_part(step, last_step, frequency, newest)
    before, after = np.flatnonzero(is_before), np.flatnonzero(step > last_step)
    outside = np.concatenate([before, after])

    def sentence(count: int, items: Int[np.ndarray, " items"]) -> str:
        at_end = int((items >= len(before)).sum())
        sides = [f"{n:,} at the {side}" for n, side in ((count - at_end, "start"), (at_end, "end")) if n]
        rows = plural(count, "row without a value is", "rows without a value are")
        return f"{rows} left out ({', '.join(sides)}): a series begins and ends with a data point."

    return _by_series("trimmed", missing.series[outside], None, missing.ids, sentence)


def duplicate_warnings(points: GridPoints, frequency: Frequency, ids: Sequence[str]) -> list[DataWarning]:
    """Report grid points that merge several observations.

    Args:
        points: The data points.
        frequency: The grid.
        ids: The names of the series.
    """
    merged = np.flatnonzero(points.duplicates > 0)
    advice = ""
    if points.duplicates.sum() > len(points):
        advice = " The step is coarser than the data: aggregate them first if the mean is not what you want."

    def sentence(count: int, items: Int[np.ndarray, " items"]) -> str:
        times = frequency.to_time(points.step[merged[items]])
        observations = plural(count, "observation shares its", "observations share their")
        return (
            f"{observations} time step with another (first at {timestamp(times[0])}): the mean of each step is used."
            f"{_clock_change_hint(times, frequency)}{advice}"
        )

    return _by_series("duplicate_times", points.series[merged], points.duplicates[merged], ids, sentence)


def shift_warnings(points: GridPoints, frequency: Frequency, ids: Sequence[str]) -> list[DataWarning]:
    """Report observations that lie beside their grid point.

    Args:
        points: The data points.
        frequency: The grid.
        ids: The names of the series.
    """
    shifted = np.flatnonzero(points.shift > _SHIFTED)

    def sentence(count: int, items: Int[np.ndarray, " items"]) -> str:
        largest = time_span(float(points.shift[shifted[items]].max()) * frequency.spacing)
        distance = f" by up to {largest}" if largest and frequency.kind != "integer" else ""
        times = plural(count, "time is", "times are")
        return f"{times} off the grid of {frequency.describe()}{distance} and moved to the nearest point."

    return _by_series("irregular_times", points.series[shifted], None, ids, sentence)


def gap_warnings(points: GridPoints, frequency: Frequency, max_gap: int, ids: Sequence[str]) -> list[DataWarning]:
    """Report gaps: those that are bridged inside contexts, those that are longer, and a grid that is mostly gaps.

    Args:
        points: The data points.
        frequency: The grid.
        max_gap: The longest gap, in steps, that is bridged inside a context.
        ids: The names of the series.
    """
    before, missing = points.gaps()
    series = points.series[before]
    is_short = missing <= max_gap
    limit = _describe_steps(max_gap, frequency)
    long_before, long_missing = before[~is_short], missing[~is_short]

    def bridged_sentence(count: int, items: Int[np.ndarray, " items"]) -> str:
        gaps = f"{plural(count, 'missing point')} in {plural(len(items), 'gap')} of at most {limit}"
        verbs = ("is", "stays") if count == 1 else ("are", "stay")
        return f"{gaps} {verbs[0]} bridged inside contexts and {verbs[1]} missing in the data."

    def long_sentence(count: int, items: Int[np.ndarray, " items"]) -> str:
        longest = items[int(long_missing[items].argmax())]
        start = points.step[long_before[longest]] + 1
        first, last = frequency.to_time(np.array([start, start + long_missing[longest] - 1]))
        numbers = points.series[long_before[items]]
        of_series = f" in series {ids[points.series[long_before[longest]]]!r}" if len(np.unique(numbers)) > 1 else ""
        length = _describe_steps(int(long_missing[longest]), frequency)
        place = f"{length}{of_series}, from {timestamp(first)} to {timestamp(last)}"
        if count == 1:
            return f"1 gap is longer than {limit} and stays open: {place}."
        return f"{count:,} gaps are longer than {limit} and stay open; the longest is {place}."

    warnings = _by_series("interpolated", series[is_short], missing[is_short], ids, bridged_sentence)
    warnings += _by_series("long_gap", series[~is_short], None, ids, long_sentence)
    total = len(points) + int(missing.sum())
    absent = np.bincount(series, weights=missing, minlength=len(ids)).astype(np.int64)
    mostly_absent = np.flatnonzero(absent > _MOSTLY * (absent + np.bincount(points.series, minlength=len(ids))))

    def absent_sentence(count: int, items: Int[np.ndarray, " items"]) -> str:
        share = count / (count + int(np.isin(points.series, mostly_absent[items]).sum()))
        return (
            f"{share:.0%} of the steps have no observation. If an absent row means 0, "
            f"{option('fill', 0)} says so; if these times are closed, {option('calendar')} names the open ones."
        )

    if len(points) >= _SPARSE * total:
        warnings += _by_series("mostly_absent", mostly_absent, absent[mostly_absent], ids, absent_sentence)
    else:
        sentence = (
            f"Only {len(points) / total:.1%} of the steps of {frequency.describe()} have an observation. If the data "
            f"are coarser than that, give their step with {option('freq')}."
        )
        warnings.append(DataWarning("sparse_grid", total - len(points), sentence))
    return warnings


def precision_warnings(points: GridPoints, ids: Sequence[str]) -> list[DataWarning]:
    """Report series whose changes from one observation to the next are blurred by single precision.

    Args:
        points: The data points.
        ids: The names of the series.
    """
    largest, resolution, typical = _precision(points, len(ids))
    blur = resolution / typical
    blurred = int((blur > _BLURRED).sum())
    if not blurred:
        return []
    worst = int(np.nanargmax(blur))
    detail = (
        f"alues near {brief_number(largest[worst])} change by about {brief_number(typical[worst])} a step, but "
        "forecasts are stored in single precision, which distinguishes only values "
        f"{brief_number(resolution[worst])} apart there. Subtract a constant from the column first."
    )
    if len(ids) == 1:
        return [DataWarning("precision", 1, f"V{detail}")]
    if blurred == 1:
        return [DataWarning("precision", 1, f"Series {ids[worst]!r}: v{detail}", ids[worst])]
    return [
        DataWarning("precision", blurred, f"In {blurred:,} of {len(ids):,} series, most in {ids[worst]!r}: v{detail}")
    ]


def hindsight_warnings(columns: Sequence[str]) -> list[DataWarning]:
    """Warn of covariates known ahead that look like observed weather, which is known in hindsight only.

    Args:
        columns: The names of the columns.
    """
    observed = [name for name in columns if _WEATHER.search(name) and not _ISSUED.search(name)]
    if not observed:
        return []
    verb, past = ("looks", "it") if len(observed) == 1 else ("look", "them")
    sentence = (
        f"{quoted(observed)} {verb} like observed weather, which is known in hindsight and not in advance: past "
        f"forecasts then look better than they could have been. Give forecasts of {past} with "
        f"{option('issued_covariates')}, or name {past} with {option('past_covariates')}. Nothing is wrong if the "
        "values are forecasts."
    )
    return [DataWarning("hindsight", len(observed), sentence)]


def constant_covariate_warnings(covariates: Covariates) -> list[DataWarning]:
    """Name the columns of covariates from which nothing can be learned, since they never change within a series."""
    starts = covariates.offsets[:-1]
    low, high = (reduce.reduceat(covariates.values, starts, axis=1) for reduce in (np.fmin, np.fmax))
    is_changing = np.any(high > low, axis=1).tolist()
    changing = {name for name, changes in zip(covariates.columns, is_changing, strict=True) if changes}
    constant = [name for name in dict.fromkeys(covariates.columns) if name not in changing]
    if not constant:
        return []
    verb, them = ("never changes", "it") if len(constant) == 1 else ("never change", "them")
    sentence = f"{quoted(constant)} {verb} within a series: nothing can be learned from {them}."
    return [DataWarning("constant_covariate", len(constant), sentence)]


def early_end_warnings(points: GridPoints, frequency: Frequency, ids: Sequence[str]) -> list[DataWarning]:
    """Name the series that end before the newest time of all (S11)."""
    _, last = points.bounds(len(ids))
    steps = points.step[last]
    early = np.flatnonzero(steps < steps.max())
    if not len(early):
        return []
    ends = frequency.to_time(steps)
    named = early[np.argsort(steps[early], kind="stable")][:_NAMED]
    items = [f"{ids[n]!r} at {timestamp(ends[n])}" for n in named.tolist()]
    rest = f" and {len(early) - len(named):,} more" if len(early) > len(named) else ""
    sentence = (
        f"{len(early):,} of {len(ids):,} series end before the newest time, {timestamp(ends[steps.argmax()])}: "
        f"{', '.join(items)}{rest}. Index 0 of each is its own last value."
    )
    return [DataWarning("ends_earlier", len(early), sentence)]


def _precision(
    points: GridPoints, count: int
) -> tuple[Float64[np.ndarray, " series"], Float64[np.ndarray, " series"], Float64[np.ndarray, " series"]]:
    """Return, for each series, its largest magnitude, single precision's resolution there, and its median change.

    The median is NaN for series most of whose changes are large enough, for which it need not be computed.
    """
    starts = np.searchsorted(points.series, np.arange(count))
    largest = np.maximum.reduceat(np.abs(points.values), starts)
    resolution = np.spacing(largest.astype(np.float32)).astype(np.float64)
    changes = np.abs(np.diff(points.values))
    series = points.series[1:]
    is_change = (series == points.series[:-1]) & (changes > 0)
    is_small = is_change & (changes < (resolution / _BLURRED)[series])
    change_counts = np.bincount(series[is_change], minlength=count)
    small_counts = np.bincount(series[is_small], minlength=count)
    in_question = 2 * small_counts >= np.maximum(change_counts, 1)
    medians = np.full(count, np.nan)
    if in_question.any():
        selected = np.flatnonzero(is_change & in_question[series])
        selected = selected[np.lexsort((changes[selected], series[selected]))]
        numbers, first, sizes = np.unique(series[selected], return_index=True, return_counts=True)
        lower, upper = changes[selected[first + (sizes - 1) // 2]], changes[selected[first + sizes // 2]]
        medians[numbers] = (lower + upper) / 2
    return largest, resolution, medians


def _by_series(
    flag: str,
    series: Int[np.ndarray, " items"],
    weights: Int[np.ndarray, " items"] | None,
    ids: Sequence[str],
    sentence: Callable[[int, Int[np.ndarray, " selected"]], str],
) -> list[DataWarning]:
    """Make a warning for each series concerned, or one for all where they are many.

    Args:
        flag: The warnings' flag.
        series: The number of the series of each item (a point, row or gap).
        weights: What each item adds to the count; by default 1.
        ids: The names of the series.
        sentence: Makes a sentence from the count and the numbers of the items.
    """
    if not len(series):
        return []
    weights = np.ones(len(series), dtype=np.int64) if weights is None else weights
    items = np.arange(len(series))
    total = int(weights.sum())
    concerned = np.unique(series)
    if len(ids) == 1:
        return [DataWarning(flag, total, sentence(total, items))]
    if len(concerned) > _MOST_WARNINGS:
        text = f"In {len(concerned):,} of {len(ids):,} series: {sentence(total, items)}"
        return [DataWarning(flag, total, text)]
    warnings = []
    for number in concerned:
        own = items[series == number]
        count = int(weights[own].sum())
        warnings.append(DataWarning(flag, count, f"Series {ids[number]!r}: {sentence(count, own)}", ids[number]))
    return warnings


def _clock_change_hint(times: Shaped[np.ndarray, " points"], frequency: Frequency) -> str:
    """Explain duplicates that all lie on Sundays of spring and autumn."""
    if frequency.kind != "fixed" or frequency.every >= DAY or len(times) > _MOST_CLOCK_CHANGES:
        return ""
    days = np.unique(times.astype("datetime64[D]"))
    is_sunday = (days.astype(np.int64) + 3) % 7 == 6
    months = days.astype("datetime64[M]").astype(np.int64) % 12
    if not (is_sunday & np.isin(months, [2, 3, 8, 9, 10])).all():
        return ""
    return " It looks like clocks put back by an hour; times with a zone would keep both hours."


def _describe_steps(count: int, frequency: Frequency) -> str:
    """Write `24 steps (2 h)`; without a duration where steps have no fixed one."""
    length = f" ({time_span(count * frequency.microseconds)})" if frequency.kind == "fixed" and count else ""
    return plural(count, "step") + length
