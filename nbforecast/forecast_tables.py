"""The forecasts of a run as tables for people: in a terminal, and as sheets of a workbook, one a level of summary."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import polars as pl

from nbforecast.data.units import stated_unit
from nbforecast.errors import OptionError
from nbforecast.table_files import WORKBOOK, Sheet, round_for_people, table_path, write_parts, write_workbook
from nbforecast.text import aligned_table, number, plural, timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nbforecast.run import Run

_MOST_LINES = 40  # of a table in a terminal
_SCORE_HEADS = {
    "unique_id": "Series", "horizon": "Step", "n": "Scored values", "mae": "MAE", "rmse": "RMSE", "mase": "MASE",
    "crps": "CRPS", "pinball": "Pinball loss", "wis": "WIS",
}  # fmt: skip
_IN_UNIT = ("mae", "rmse", "crps", "pinball", "wis")


def save_table(run: Run, path: str | Path, levels: Sequence[float] = (80, 95), *, latest: bool = False) -> int:
    """Write the forecasts of a completed run to a file; its suffix decides the format (X3).

    Args:
        run: The run.
        path: A .csv, .parquet or .arrow file for the long format, or .xlsx for a workbook with a sheet for each level
            of summary.
        levels: Coverages of the central prediction intervals in per cent.
        latest: Whether to write the newest forecast of each series only, as `Run.latest` returns it.

    Returns:
        The number of rows, a series and step each.

    Raises:
        OptionError: The suffix names no format, the folder does not exist, or the rows do not fit on a sheet.
        MissingExtra: The library that writes .xlsx files is not installed.
    """
    target = table_path(path)
    suffix = target.suffix.lower()
    if not latest and suffix != WORKBOOK:
        return run.sink_long(target, levels)
    table = run.latest(levels) if latest else run.to_long(levels, step=True)
    if suffix == WORKBOOK:
        write_workbook(_latest_sheets(run, table) if latest else _run_sheets(run, table), target)
    else:
        write_parts([round_for_people(table) if suffix == ".csv" else table], target)
    return len(table)


def describe_latest(run: Run, levels: Sequence[float] = (80, 95)) -> str:
    """Write the newest forecasts of a run as a table in plain text.

    Args:
        run: The run.
        levels: Coverages of the central prediction intervals in per cent.
    """
    table = run.latest(levels)
    named = _with_heads(run, table)
    texts = [
        [timestamp(cell.replace(tzinfo=None) if isinstance(cell, dt.datetime) else cell) for cell in named[name]]
        if isinstance(dtype, pl.Datetime | pl.Date)
        else [number(cell, 4) if isinstance(cell, float) else str(cell) for cell in named[name]]
        for name, dtype in named.schema.items()
    ]
    lines = list(zip(*texts, strict=True))
    right = [i for i, dtype in enumerate(named.dtypes) if dtype.is_numeric()]
    note = "" if len(lines) <= _MOST_LINES else f"\n… {plural(len(lines) - _MOST_LINES, 'more row')}; write all with -o"
    return aligned_table([tuple(named.columns), *lines[:_MOST_LINES]], right) + note


def parse_levels(text: str) -> tuple[float, ...]:
    """Read coverages as a shell gives them: `80,95`.

    Raises:
        OptionError: One is no number.
    """
    try:
        return tuple(float(word) for word in text.split(",") if word.strip())
    except ValueError:
        raise OptionError(f"--levels takes percentages such as 80,95, not {text!r}.") from None


def _latest_sheets(run: Run, table: pl.DataFrame) -> list[Sheet]:
    return [Sheet("Forecast", _with_heads(run, table)), Sheet("By series", _by_series(run, table)), _about(run)]


def _run_sheets(run: Run, table: pl.DataFrame) -> list[Sheet]:
    return [
        Sheet("Overall", _scores(run, run.scores())),
        Sheet("By step", _scores(run, run.scores("horizon"))),
        Sheet("By series", _scores(run, run.scores("series"))),
        Sheet("Forecasts", _with_heads(run, table)),
        _about(run),
    ]


def _by_series(run: Run, table: pl.DataFrame) -> pl.DataFrame:
    """A row a series, with its last value and a column for each time; or each step, where series end differently."""
    names, is_aligned = run.data.names, table["cutoff"].n_unique() == 1
    head = "Time" if is_aligned else "Step"
    labels = table.with_columns(
        pl.col("ds").dt.to_string(_time_form(table["ds"])).alias("label")
        if is_aligned and table["ds"].dtype.is_temporal()
        else pl.format("{} {}", pl.lit(head), pl.col("ds") if is_aligned else pl.col("step")).alias("label")
    )
    wide = labels.pivot("label", index=["unique_id", "cutoff"], values=run.model, sort_columns=False)
    last = pl.DataFrame(
        {"unique_id": list(run.data.ids), "last": run.data.values[run.data.offsets[1:] - 1]},
    )
    first = ("unique_id", "cutoff", "last")
    ordered = wide.join(last, "unique_id", how="left").select(*first, pl.exclude(*first))
    return ordered.rename({"unique_id": names.id or "Series", "cutoff": "As of", "last": "Last value"})


def _time_form(times: pl.Series) -> str:
    is_date = times.dtype == pl.Date or bool((times.dt.time() == dt.time(0)).all())
    return "%Y-%m-%d" if is_date else "%Y-%m-%d %H:%M"


def _about(run: Run) -> Sheet:
    data = run.data
    facts: dict[str, Any] = {
        "Data": data.names.frame or data.names.target,
        "Values": data.names.target,
        "Series": f"{len(data.ids):,}",
        "Model": run.model,
        "Horizon": f"{plural(run.horizon, 'step')} of {data.frequency.describe()}",
        "Point forecast": "the median",
        "Intervals": "calibrated by past errors" if run.calibrate else "as forecast by the model",
        "Content hash of the data": run.handle,
    }
    rows = [*facts.items(), *(("Note", str(warning)) for warning in run.warnings)]
    return Sheet("About", pl.DataFrame(rows, ["Fact", "Value"], orient="row"))


def _with_heads(run: Run, table: pl.DataFrame) -> pl.DataFrame:
    """The long format under the names that the user gave, with the unit."""
    names = run.data.names
    heads = {"unique_id": names.id or "Series", "cutoff": "As of", "ds": names.time, "step": "Step", "y": "Actual"}
    for column in table.columns:
        end, _, coverage = column.removeprefix(f"{run.model}-").partition("-")
        if column == run.model:
            unit = stated_unit(names.target)
            heads[column] = f"{run.model} ({unit})" if unit else run.model
        elif column.startswith(f"{run.model}-"):
            heads[column] = f"{coverage} % {'from' if end == 'lo' else 'to'}"
    heads = {column: head for column, head in heads.items() if column in table.columns}
    if len(set(heads.values())) < len(heads):  # a column of the user's is called as one of these
        heads |= {"unique_id": "Series", "ds": "Time"}
    is_single = len(run.data.ids) == 1 and names.id is None
    return table.drop("unique_id" if is_single else []).rename(heads, strict=False)


def _scores(run: Run, scores: pl.DataFrame) -> pl.DataFrame:
    unit = stated_unit(run.data.names.target)
    heads = {}
    for column in scores.columns:
        kind, _, coverage = column.rpartition("_")
        if kind in ("coverage", "calibrated"):
            heads[column] = f"% in {'calibrated ' if kind == 'calibrated' else ''}{coverage} % interval"
        else:
            heads[column] = _SCORE_HEADS.get(column, column) + (f" ({unit})" if unit and column in _IN_UNIT else "")
    shares = [pl.col(c) * 100 for c in scores.columns if c.startswith(("coverage_", "calibrated_"))]
    return scores.with_columns(shares).rename(heads)
