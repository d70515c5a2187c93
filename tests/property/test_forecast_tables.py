"""X4: random backtests come back exactly from any table, and no corruption of one is silent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbforecast.data.forecast_table import read_forecasts
from nbforecast.errors import InputError
from tests.support.examples import examples

GRIDS = {
    "5min": pd.date_range("2024-02-28 22:00", periods=40, freq="5min"),
    "h": pd.date_range("2024-02-28", periods=40, freq="h"),
    "h, across the end of summer time": pd.date_range("2024-10-26 12:00", periods=40, freq="h", tz="Europe/Berlin"),
    "D": pd.date_range("2024-02-20", periods=40, freq="D"),
    "D, local": pd.date_range("2024-03-10", periods=40, freq="D", tz="Europe/Berlin"),
    "B": pd.date_range("2024-02-20", periods=40, freq="B"),
    "W-SAT": pd.date_range("2023-01-07", periods=40, freq="W-SAT"),
    "MS": pd.date_range("2020-01-01", periods=40, freq="MS"),
    "ME": pd.date_range("2020-01-31", periods=40, freq="ME"),
    "QS": pd.date_range("2014-01-01", periods=40, freq="QS"),
    "steps": pd.RangeIndex(40),
    "steps of 3": pd.RangeIndex(7, 127, 3),
}
IDS = ("a", "b/1", "007")


@dataclass(frozen=True)
class Backtest:
    """Forecasts of one model: for each row the series, the step of its origin, the horizon step and the draws."""

    history: pd.DataFrame
    keys: list[tuple[str, int, int]]
    levels: tuple[float, ...] | None
    draws: np.ndarray  # (R, Q)
    times: pd.Index
    horizon: int

    def table(self) -> pd.DataFrame:
        series, origins, steps = zip(*self.keys, strict=True)
        at = np.array(origins)
        return pd.DataFrame({"unique_id": series, "ds": self.times[at + np.array(steps)], "cutoff": self.times[at]})


@st.composite
def backtests(draw) -> Backtest:
    times = GRIDS[draw(st.sampled_from(list(GRIDS)))]
    horizon = draw(st.integers(1, 4))
    names = IDS[: draw(st.integers(1, 3))]
    random = np.random.default_rng(draw(st.integers(0, 1 << 16)))
    history, keys = [], []
    for name in names:
        start, end = draw(st.integers(0, 8)), draw(st.integers(26, 40))
        history.append(pd.DataFrame({"unique_id": name, "ds": times[start:end], "y": random.normal(size=end - start)}))
        last = min(end - 1, len(times) - 1 - horizon)
        origins = draw(st.sets(st.integers(start, last), min_size=1, max_size=5))
        keys += [(name, origin, step) for origin in sorted(origins) for step in range(1, horizon + 1)]
    kind = draw(st.sampled_from(["points", "levels", "samples"]))
    levels = {
        "points": (0.5,),
        "levels": draw(st.sampled_from([(0.1, 0.5, 0.9), (0.025, 0.1, 0.5, 0.9, 0.975), (0.05, 0.95)])),
        "samples": None,
    }[kind]
    count = len(levels) if levels else draw(st.integers(2, 12))
    values = np.sort(random.normal(size=(len(keys), count)).astype(np.float32), axis=1)
    if levels is None:
        values = random.permuted(values, axis=1)
    return Backtest(pd.concat(history, ignore_index=True), keys, levels, values, times, horizon)


def name_columns(backtest: Backtest, dialect: str) -> dict[str, np.ndarray]:
    """The columns of the forecasts as some library calls them."""
    draws, levels = backtest.draws, backtest.levels
    if levels is None:
        pattern = {"nixtla": "m-sample-{}", "neural": "m_s{}", "bare": "forecast_s{}"}[dialect]
        return {pattern.format(n + (dialect == "nixtla")): draws[:, n] for n in range(draws.shape[1])}
    if levels == (0.5,):
        return {"m": draws[:, 0]}
    columns = {}
    for n, level in enumerate(levels):
        side, coverage = ("lo", 100 - 200 * level) if level < 0.5 else ("hi", 200 * level - 100)
        name = {
            "nixtla": "m" if level == 0.5 else f"m-{side}-{coverage:g}",
            "neural": "m-median" if level == 0.5 else f"m_ql{level:g}",
            "bare": f"{level:g}",
        }[dialect]
        columns[name] = draws[:, n]
    return columns


@examples(15)
@given(data=st.data(), backtest=backtests())
def test_X4_a_backtest_comes_back_exactly(data, backtest, tmp_path_factory):
    dialect = data.draw(st.sampled_from(["nixtla", "neural", "bare"]))
    table = backtest.table().assign(**name_columns(backtest, dialect))
    if data.draw(st.booleans()):
        table = table.merge(backtest.history, on=["unique_id", "ds"], how="left")
    table = table[data.draw(st.permutations(list(table.columns)))]
    table = table.sample(frac=1, random_state=data.draw(st.integers(0, 99)))
    if data.draw(st.booleans()):
        names = {"unique_id": "item_id", "ds": "timestamp", "y": "target"}
        table = table.rename(columns=names)
    form = data.draw(st.sampled_from(["pandas", "polars", "arrow", "csv", "parquet", "index"]))
    frame = {
        "pandas": lambda: table,
        "polars": lambda: pl.from_pandas(table),
        "arrow": lambda: pl.from_pandas(table).to_arrow(),
        "csv": lambda: write(table, tmp_path_factory.mktemp("table") / "table.csv"),
        "parquet": lambda: write(table, tmp_path_factory.mktemp("table") / "table.parquet"),
        "index": lambda: table.set_index(
            [name for name in ("unique_id", "item_id", "ds", "timestamp") if name in table]
        ),
    }[form]()

    dataset, [forecasts] = read_forecasts(frame, backtest.history)

    assert forecasts.levels == (backtest.levels if backtest.levels is None else pytest.approx(backtest.levels))
    assert forecasts.draws.shape == (len(backtest.keys) // backtest.horizon, backtest.horizon, backtest.draws.shape[1])
    numbers = np.searchsorted(dataset.offsets, forecasts.rows, side="right") - 1
    times = dataset.times(dataset.time[forecasts.rows])
    steps = dict(list(backtest.history.groupby("unique_id")))
    expected: dict[tuple[str, int], list[np.ndarray]] = {}
    for (name, origin, _), draws in zip(backtest.keys, backtest.draws, strict=True):
        expected.setdefault((name, origin), []).append(draws)
    assert len(times) == len(expected)
    for position, number in enumerate(numbers):
        name = dataset.ids[number]
        first = backtest.times.get_loc(steps[name]["ds"].iloc[0])
        origin = first + int(forecasts.rows[position] - dataset.offsets[number])
        np.testing.assert_array_equal(forecasts.draws[position], np.array(expected.pop((name, origin))))
    assert not expected


def write(table: pd.DataFrame, path):
    table.to_csv(path, index=False) if path.suffix == ".csv" else table.to_parquet(path, index=False)
    return path


def drop_row(table: pd.DataFrame, row: int) -> pd.DataFrame:
    return table.drop(index=table.index[row])


def repeat_row(table: pd.DataFrame, row: int) -> pd.DataFrame:
    return pd.concat([table, table.iloc[[row]]])


def replace_value(column: str, value):
    def change(table: pd.DataFrame, row: int) -> pd.DataFrame:
        table = table.copy()
        table.loc[table.index[row], column] = value(table.iloc[row])
        return table

    return change


ERRORS = {
    "a step that is missing": drop_row,
    "a row that occurs twice": repeat_row,
    "a cutoff off the grid": replace_value("cutoff", lambda row: row["cutoff"] + pd.Timedelta("7min")),
    "a time off the grid": replace_value("ds", lambda row: row["ds"] + pd.Timedelta("7min")),
    "a time that is its cutoff": replace_value("ds", lambda row: row["cutoff"]),
    "a time before its cutoff": replace_value("ds", lambda row: row["cutoff"] - pd.Timedelta("1h")),
    "a cutoff of another row": replace_value("cutoff", lambda row: row["cutoff"] - pd.Timedelta("1h")),
    "a cutoff long ago": replace_value("cutoff", lambda row: pd.Timestamp("1900-01-01")),
    "an unknown series": replace_value("unique_id", lambda row: "nobody"),
    "no series": replace_value("unique_id", lambda row: None),
    "no cutoff": replace_value("cutoff", lambda row: pd.NaT),
    "no time": replace_value("ds", lambda row: pd.NaT),
}
TOLD = {
    "a forecast that is missing": (replace_value("m", lambda row: np.nan), "missing_forecasts"),
    "an infinite forecast": (replace_value("m-hi-80", lambda row: np.inf), "missing_forecasts"),
    "quantiles that cross": (replace_value("m-lo-80", lambda row: row["m-hi-80"] + 1), "crossed_quantiles"),
    "another actual value": (replace_value("y", lambda row: row["y"] + 1), "other_actuals"),
}


def hourly_backtest() -> tuple[pd.DataFrame, pd.DataFrame]:
    times = GRIDS["h"]
    random = np.random.default_rng(0)
    history = pd.concat(
        [pd.DataFrame({"unique_id": name, "ds": times, "y": random.normal(size=40)}) for name in ("a", "b")]
    )
    keys = [(name, origin, step) for name in ("a", "b") for origin in (20, 24, 28) for step in (1, 2, 3, 4)]
    series, origins, steps = (np.array(column) for column in zip(*keys, strict=True))
    table = pd.DataFrame({"unique_id": series, "ds": times[origins + steps], "cutoff": times[origins]})
    table = table.merge(history, on=["unique_id", "ds"])
    points = random.normal(size=len(table))
    return history, table.assign(**{"m": points, "m-lo-80": points - 1, "m-hi-80": points + 1})


HISTORY, TABLE = hourly_backtest()


@pytest.mark.parametrize("corruption", ERRORS)
@examples(8)
@given(row=st.integers(0, len(TABLE) - 1))
def test_X4_a_corrupted_table_is_an_error(corruption, row):
    with pytest.raises(InputError):
        read_forecasts(ERRORS[corruption](TABLE, row), HISTORY)


@pytest.mark.parametrize("corruption", TOLD)
@examples(8)
@given(row=st.integers(0, len(TABLE) - 1))
def test_X4_an_odd_value_is_told(corruption, row):
    change, flag = TOLD[corruption]
    data, [forecasts] = read_forecasts(change(TABLE, row), HISTORY)
    assert flag in [warning.flag for warning in (*data.warnings, *forecasts.warnings)]
    assert len(forecasts.rows) == (5 if flag == "missing_forecasts" else 6)
