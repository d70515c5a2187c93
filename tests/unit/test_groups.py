"""J3: groups of series, their sums on the times that all have, and reconciliation against written-out definitions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbforecast.data import prepare
from nbforecast.data.groups import Groups, read_groups
from nbforecast.data.sum_series import add_up, sum_series
from nbforecast.errors import InputError, OptionError
from nbforecast.postprocessing.reconciliation import (
    LEAST_SHRINKAGE,
    MIN_ERRORS,
    WINDOW,
    fit_counts,
    reconcile,
    reconciliation_gain,
)

if TYPE_CHECKING:
    from nbforecast.data.dataset import Dataset

DAYS = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 2, 29), eager=True)


def shops(count: int = 4, rows: int = 20) -> pl.DataFrame:
    days = DAYS[:rows]
    return pl.concat(
        pl.DataFrame({"unique_id": f"s{i}", "ds": days, "y": [float(10 * i + d) for d in range(rows)]})
        for i in range(count)
    )


def placed(count: int = 4) -> Dataset:
    data = prepare(shops(count))
    columns = {"region": ["north", "south"] * (count // 2), "item": ["tea"] * 2 + ["milk"] * (count - 2)}
    return replace(data, static=pl.DataFrame({"unique_id": list(data.ids), **columns}))


def totals(data: Dataset, by: Any = None) -> tuple[Groups, Dataset]:
    groups = read_groups(data, by)
    return groups, sum_series(data, groups, add_up(data, groups))


def test_J3_levels_run_from_the_total_to_the_last_column() -> None:
    groups = read_groups(placed(), ["region", "item"])
    assert groups.ids == ("total", "north", "south", "north/milk", "north/tea", "south/milk", "south/tea")
    assert groups.levels == ("total", "region", "region", *["region/item"] * 4)
    assert groups.sizes.tolist() == [4, 2, 2, 1, 1, 1, 1]
    assert groups.weights[1].tolist() == [1, 0, 1, 0]
    assert len(read_groups(placed())) == 1
    assert read_groups(placed(), "item").ids == ("total", "milk", "tea")


def test_J3_groups_of_one_name_are_told_apart() -> None:
    data = placed()
    assert data.static is not None
    data = replace(data, static=data.static.with_columns(region=pl.Series(["total", "b", "b", "b"])))
    assert read_groups(data, "region").ids == ("total", "region=b", "region=total")


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_J3_sums_are_those_of_a_join_on_times_that_all_parts_have(draw: Any) -> None:
    frame = shops(3, 12).filter(pl.Series([draw.draw(st.integers(0, 9)) > 1 or i % 12 in (4, 5, 6) for i in range(36)]))
    weights = draw.draw(st.lists(st.sampled_from([0.5, -1.0, 2.0]), min_size=3, max_size=3))
    table = pl.DataFrame(
        {"unique_id": ["s0", "s1", "s2", "s2"], "group": ["a", "a", "b", "a"], "weight": [*weights, 3.0]}
    )
    groups, data = totals(prepare(frame, freq="D"), table)
    wide = frame.pivot("unique_id", index="ds", values="y").sort("ds")
    expected = wide.select(
        "ds", a=pl.col("s0") * weights[0] + pl.col("s1") * weights[1] + pl.col("s2") * 3.0, b=pl.col("s2") * weights[2]
    ).filter(pl.col("ds") <= wide.drop_nulls()["ds"].max())
    for number, name in enumerate(data.ids):
        rows = slice(*data.offsets[number : number + 2].tolist())
        own = pl.DataFrame({"ds": data.times(data.time[rows]), "y": data.values[rows]}).fill_nan(None).drop_nulls()
        assert own.to_dicts() == expected.select("ds", y=name).drop_nulls().to_dicts()
        assert data.times(data.time[rows])[-1] == wide.drop_nulls()["ds"].max()
    assert set(groups.ids) == set(data.ids)


def test_J3_series_that_end_earlier_are_named() -> None:
    frame = shops().filter(~((pl.col("unique_id") == "s2") & (pl.col("ds") > pl.date(2024, 1, 15))))
    _, data = totals(prepare(frame))
    assert str(data.times(data.time[-1:]).item()) == "2024-01-15"
    (warning,) = data.warnings
    assert warning.flag == "ends_earlier"
    assert warning.count == 1
    assert "2024-01-15" in str(warning)
    assert "'s2'" in str(warning)


def test_J3_groups_have_no_columns_of_their_series() -> None:
    data = totals(placed(), "region")[1]
    assert data.static is None
    assert data.issued is None


def test_J3_values_that_a_part_lacks_are_missing_and_counted() -> None:
    frame = shops().filter(~((pl.col("unique_id") == "s1") & (pl.col("ds") == pl.date(2024, 1, 10))))
    _, data = totals(prepare(frame))
    assert np.flatnonzero(np.isnan(data.values)).tolist() == [9]
    assert [w.flag for w in data.warnings] == ["missing_part"]


def test_J3_a_series_apart_in_time_is_an_error_that_names_it() -> None:
    late = shops(1).with_columns(unique_id=pl.lit("late"), ds=pl.col("ds") + pl.duration(days=30))
    with pytest.raises(InputError, match=r"'s0' ends at 2024-01-20, before 'late' begins at 2024-01-31"):
        totals(prepare(pl.concat([shops(1), late]), freq="D"))
    without = pl.DataFrame({"unique_id": ["late"], "weight": [1]})
    assert totals(prepare(pl.concat([shops(1), late]), freq="D"), without)[1].ids == ("total",)


@pytest.mark.parametrize(
    ("by", "error", "words"),
    [
        ("size", OptionError, r"'size'.*static="),
        (["region", "region"], OptionError, "twice"),
        (3, OptionError, "not 3"),
        ({"unique_id": ["s0"]}, OptionError, "weight"),
        ({"unique_id": ["x"], "weight": [1]}, InputError, "'x'"),
        ({"unique_id": ["s0", "s0"], "weight": [1, 2]}, InputError, "twice"),
        ({"unique_id": ["s0"], "weight": [float("nan")]}, InputError, "Row 1"),
        ({"unique_id": ["s0"], "weight": [0]}, InputError, "0"),
        ({"unique_id": ["s0"], "weight": ["1"]}, InputError, "numbers"),
    ],
)
def test_J3_what_names_no_group_is_an_error(by: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        read_groups(placed(), by)


def test_J3_a_series_without_a_region_is_an_error() -> None:
    data = placed()
    assert data.static is not None
    static = data.static.with_columns(region=pl.Series([None, "a", "a", "a"]))
    with pytest.raises(InputError, match="1 series has no region: 's0'"):
        read_groups(replace(data, static=static), "region")


def test_J3_groups_are_a_table_of_any_library() -> None:
    table = pa.table({"unique_id": ["s0", "s3"], "weight": [1, 2]})
    groups = read_groups(placed(), table)
    assert groups.series.tolist() == [0, 3]
    assert groups.weights.tolist() == [[1, 2]]


def by_definition(errors: np.ndarray) -> np.ndarray:
    """The shrunk covariance, with a loop over the pairs (Schäfer & Strimmer 2005)."""
    count, size = errors.shape
    centred = errors - errors.mean(0)
    scaled = centred / centred.std(0, ddof=1)
    covariance = np.cov(errors.T)
    by_chance = in_all = 0.0
    for i in range(size):
        for j in range(size):
            if i != j:
                products = scaled[:, i] * scaled[:, j]
                in_all += (products.sum() / (count - 1)) ** 2
                by_chance += count / (count - 1) ** 3 * ((products - products.mean()) ** 2).sum()
    share = min(max(by_chance / in_all, LEAST_SHRINKAGE), 1.0)
    return np.where(np.eye(size, dtype=bool), covariance, (1 - share) * covariance)


@pytest.mark.parametrize(("count", "series"), [(60, 5), (8, 12)])
def test_J3_reconciled_forecasts_are_those_of_the_paper(count: int, series: int) -> None:
    rng = np.random.default_rng(count)
    weights = np.stack([np.ones(series), np.arange(series) % 2, 1 - np.arange(series) % 2.0])
    errors = rng.normal(size=(count, series)) @ rng.normal(size=(series, series)) + 0.5
    errors = np.concatenate([errors @ weights.T + rng.normal(size=(count, 3)), errors], 1)
    covariance = by_definition(errors)
    forecasts = rng.normal(10, 3, (3 + series, 2))
    summing = np.concatenate([weights, np.eye(series)])
    inverse = np.linalg.inv(covariance)
    bottom = np.linalg.solve(summing.T @ inverse @ summing, summing.T @ inverse @ forecasts)
    gain = reconciliation_gain(errors, weights)
    sums = weights @ forecasts[3:]
    np.testing.assert_allclose(forecasts[3:] - gain @ (forecasts[:3] - sums), bottom, rtol=1e-6)
    np.testing.assert_allclose(reconcile(forecasts[:3], sums, weights @ gain), weights @ bottom, rtol=1e-6)


def test_J3_reconciliation_bears_groups_of_one_series_and_series_without_errors() -> None:
    rng = np.random.default_rng(0)
    weights = np.concatenate([np.ones((1, 4)), np.eye(4)])
    errors = rng.normal(size=(500, 4))
    errors[:, 3] = 0
    errors = np.concatenate([errors @ weights.T, errors], 1)
    gain = reconciliation_gain(errors, weights)
    assert np.isfinite(gain).all()
    sums = weights @ rng.normal(size=(4, 3))
    np.testing.assert_allclose(reconcile(sums, sums, weights @ gain), sums)  # what adds up stays


def test_J3_L1_weights_rest_on_errors_before_the_origin_and_stay_when_data_are_appended() -> None:
    known = np.arange(3 * WINDOW)
    counts = fit_counts(known)
    assert (counts <= known).all()
    assert (np.diff(counts) >= 0).all()
    assert (counts[:MIN_ERRORS] == 0).all()
    assert (counts[MIN_ERRORS:] >= MIN_ERRORS).all()
    assert (counts[MIN_ERRORS:] >= 0.79 * known[MIN_ERRORS:]).all()
    np.testing.assert_array_equal(fit_counts(known[:700]), counts[:700])
