"""Six sets of Chronos Benchmark II, scored as that benchmark scores them, beside the published figures of 21 models.

Its definitions (github.com/autogluon/fev, benchmarks/chronos_zeroshot): one window a series, the last H values; MASE is
scaled by the mean absolute seasonal difference of the history; WQL sums the losses at the levels .1 … .9 over a whole
set before it divides. The seasonal naive gets the published figures of each set to four digits.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

import nbforecast as nbf
from tests.benchmarks.table import Table
from tests.support.requirements import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = SHARED / "data" / "benchmark2"
MONTHS = {"m1_yearly": 12, "m1_quarterly": 3, "m1_monthly": 1, "cif_2016": 1, "hospital": 1, "carparts": 1}  # of a step
CHOSEN_ON = ("m1_yearly", "m1_quarterly", "m1_monthly", "cif_2016")
MODELS = ("pretrained", "auto")
COVERAGES = (80, 60, 40, 20)  # the levels .1 … .9 but the median
BASE = "seasonal_naive"
WITHOUT_CALENDAR = ", integers as times"


def tables(quick: bool) -> Iterator[Table]:
    if DATA.exists():
        names, models = (["m1_yearly"], ["naive"]) if quick else ([*MONTHS], [*MODELS])
        yield _compare(names, models)


def scores(q: np.ndarray, y: np.ndarray, scale: np.ndarray) -> tuple[float, float]:
    """MASE and weighted quantile loss.

    Args:
        q: (N, H, 9) quantiles at .1 … .9 of N series.
        y: (N, H) values, NaN where missing.
        scale: (N,) mean absolute seasonal differences of the histories; a series without one does not count for MASE.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.abs(y - q[..., 4]) / scale[:, None]
    levels, difference = np.arange(1, 10) / 10, y[..., None] - q
    loss = 2 * np.maximum(levels * difference, (levels - 1) * difference)
    wql = np.nanmean(loss, (0, 1)) / np.nanmean(np.abs(y))
    return float(errors[np.isfinite(errors)].mean()), float(wql.mean())


def read(name: str, *, is_dated: bool = True) -> pl.DataFrame:
    """Read a set; its integers 1, 2 … become months from 1900 on, as in the benchmark, which gives every set dates."""
    frame = pl.read_parquet(DATA / f"{name}.parquet")
    months = pl.concat_str(((pl.col("ds") - 1) * MONTHS[name]).cast(pl.String), pl.lit("mo"))
    return frame.with_columns(ds=pl.date(1900, 1, 1).dt.offset_by(months)) if is_dated else frame


def last_windows(name: str, horizon: int, season: int) -> tuple[np.ndarray, np.ndarray]:
    """The last values (N, H) of each series, in order of first appearance, and the scales (N,) of MASE."""
    parts = pl.read_parquet(DATA / f"{name}.parquet").partition_by("unique_id", maintain_order=True)
    series = [part.sort("ds")["y"].to_numpy().astype(float) for part in parts]
    history = [values[:-horizon] for values in series]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of series without two values a season apart
        scale = [np.nanmean(np.abs(h[season:] - h[:-season])) if len(h) > season else np.nan for h in history]
    return np.stack([values[-horizon:] for values in series]), np.array(scale)


def forecast_last_windows(frame: pl.DataFrame, model: str, horizon: int) -> np.ndarray:
    """Quantiles (N, H, 9) of each series, in order of first appearance, as of H steps before its end.

    They are NaN for a series that ends too early to have a forecast from there.
    """
    run = nbf.forecast(frame, model, horizon, origins=[-horizon], wait=True)
    long = run.to_long(levels=COVERAGES)
    name = next(column for column in long.columns if f"{column}-lo-80" in long.columns)
    columns = [f"{name}-lo-{c}" for c in COVERAGES] + [name] + [f"{name}-hi-{c}" for c in COVERAGES[::-1]]
    long = long.sort("ds").with_columns(step=pl.int_range(pl.len()).over("unique_id"))
    series = frame.select("unique_id").unique(maintain_order=True)
    rows = series.join(pl.DataFrame({"step": range(horizon)}), how="cross")
    rows = rows.join(long, on=["unique_id", "step"], how="left", maintain_order="left")
    return rows.select(columns).to_numpy().reshape(len(series), horizon, len(columns))


def _compare(names: list[str], models: list[str]) -> Table:
    published = pl.read_csv(DATA / "published.csv")
    relative: dict[str, dict[str, tuple[float, float]]] = {}
    for name in names:
        of_set = published.filter(pl.col("set") == name)
        base = of_set.row(by_predicate=pl.col("model") == BASE, named=True)
        found = {row["model"]: (row["MASE"], row["WQL"]) for row in of_set.iter_rows(named=True)}
        y, scale = last_windows(name, base["horizon"], base["season"])
        for model in models:
            for is_dated in (True, False):
                q = forecast_last_windows(read(name, is_dated=is_dated), model, base["horizon"])
                found[f"**{model}**{'' if is_dated else WITHOUT_CALENDAR}"] = scores(q, y, scale)
        for model, (mase, wql) in found.items():
            if mase and wql:
                relative.setdefault(model, {})[name] = (mase / base["MASE"], wql / base["WQL"])
    complete = {model: of_model for model, of_model in relative.items() if len(of_model) == len(names)}
    rows = [
        (model, *(_pair(of_model[n]) for n in names), *_means(of_model, names)) for model, of_model in complete.items()
    ]
    rows.sort(key=lambda row: row[-1])
    left_out = sorted(set(relative) - set(complete))
    notes = ["WQL / MASE relative to the seasonal naive; the last columns are geometric means."]
    if left_out:
        notes.append(f"Without figures for every set: {', '.join(left_out)}.")
    return Table("Chronos Benchmark II, six sets", ("model", *names, "M1 and CIF", "all"), rows, tuple(notes))


def _pair(pair: tuple[float, float]) -> str:
    return f"{pair[1]:.3f} / {pair[0]:.3f}"


def _means(of_model: dict[str, tuple[float, float]], names: list[str]) -> tuple[str, str]:
    def mean(chosen: list[str]) -> str:
        mase, wql = np.exp(np.log([of_model[n] for n in chosen]).mean(0))
        return _pair((mase, wql))

    return mean([n for n in names if n in CHOSEN_ON]), mean(names)
