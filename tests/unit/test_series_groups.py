"""H2, C5, L1, E8: `groups=` has Chronos-2 forecast the series of a group together, each from what all had by then."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast import cli
from nbforecast.data import prepare
from nbforecast.data.siblings import group_members
from nbforecast.errors import InputError, OptionError
from nbforecast.forecasters.chronos2.forecaster import Chronos2
from tests.support.networks import chronos2, golden

if TYPE_CHECKING:
    from pathlib import Path

    from nbforecast.data import Dataset
    from nbforecast.result_cache.cache import Cache

END = 60
# name, region, first and last step
SHOPS = (
    ("a", "north", 0, 60),
    ("b", "north", 25, 60),
    ("c", "south", 0, 60),
    ("d", "north", 0, 41),
    ("e", "south", 58, 60),
)


def shops(*names: str, temp: bool = False) -> pl.DataFrame:
    """Shops of two regions that begin and end at different times, with a gap."""
    frames = []
    for number, (name, region, first, last) in enumerate(SHOPS):
        if names and name not in names:
            continue
        steps = np.arange(first, last + 1)
        noise = np.random.default_rng(number).normal(size=len(steps))
        y = pl.Series("y", 100.0 * number + 5 * np.sin(steps / 3 + number) + noise)
        frames.append(pl.DataFrame({"unique_id": name, "region": region, "ds": steps, "y": y}))
    frame = pl.concat(frames).with_columns(y=pl.when((pl.col("unique_id") != "a") | (pl.col("ds") != 40)).then("y"))
    return frame.with_columns(temp=10 * (pl.col("ds") / 4).cos()) if temp else frame


def edit(frame: pl.DataFrame, name: str, step: int, value: float = 500.0) -> pl.DataFrame:
    is_place = (pl.col("unique_id") == name) & (pl.col("ds") == step)
    return frame.with_columns(y=pl.when(is_place).then(value).otherwise("y"))


def read(frame: pl.DataFrame, groups: str | None = "region", **options: object) -> Dataset:
    return prepare(frame, freq=1, groups=groups, **options)  # type: ignore[arg-type]


def at(data: Dataset, *places: tuple[str, int]) -> np.ndarray:
    """The rows of some series and steps."""
    numbers = [data.ids.index(name) for name, _ in places]
    return data.offsets[numbers] + [step for _, step in places] - data.steps()[data.offsets[numbers]]


def test_H2_a_group_equals_the_variates_of_the_reference() -> None:
    numbers = np.load(golden("chronos2_seeded.npz"))
    contexts = numbers["in/multi/0"]
    frame = pl.concat(
        pl.DataFrame({"unique_id": n, "ds": range(128), "y": c}) for n, c in zip("abc", contexts, strict=True)
    )
    data = prepare(frame, groups="all")
    draws = chronos2().forecast(data, data.offsets[1:] - 1, 12).swapaxes(1, 2)
    limit = 1e-5 * contexts.std(1) + 1e-6 * abs(contexts).max(1)
    assert (abs(draws - numbers["out/multi/h12/0"]).max((1, 2)) < limit).all()


@pytest.mark.slow
def test_H2_a_group_of_series_of_different_lengths_equals_cross_learning_of_the_reference() -> None:
    numbers, model = np.load(golden("chronos2_tiny.npz")), Chronos2.load(golden("chronos2_tiny"))
    names = json.loads(str(numbers["meta"]))["cases"]["cross"]
    contexts = [numbers[f"in/uni/{name}"] for name in names]
    frame = pl.concat(
        pl.DataFrame({"unique_id": name, "ds": range(128 - len(values), 128), "y": values})
        for name, values in zip(names, contexts, strict=True)
    )
    data = prepare(frame, freq=1, groups="all")
    draws = model.forecast(data, at(data, *((name, 127) for name in names)), 12).swapaxes(1, 2)
    for number, values in enumerate(contexts):  # the reference rounds one of them, of 10,000 ± 1, to single precision
        limit = 1e-4 * np.nanstd(values) + 1e-6 * np.nanmax(abs(values))
        assert abs(draws[number] - numbers[f"out/cross/h12/{number}"][0]).max() < limit, names[number]


def test_L1_a_forecast_sees_its_group_up_to_the_origin_and_nothing_else() -> None:
    model, frame = chronos2(), shops()

    def forecast(frame: pl.DataFrame) -> np.ndarray:
        data = read(frame)
        return model.forecast(data, at(data, ("a", 45)), 6)[0]

    expected = forecast(frame)
    for name, step in (("b", 46), ("a", 46), ("c", 45), ("d", 41)):
        changes = abs(forecast(edit(frame, name, step)) - expected).max()
        assert (changes > 1e-2) == (name == "d"), (name, step)
    assert abs(forecast(edit(frame, "b", 45)) - expected).max() > 1e-2
    np.testing.assert_array_equal(forecast(frame.filter(pl.col("ds") <= 45)), expected)


def test_L1_a_series_that_begins_later_counts_for_nothing() -> None:
    """Before it begins the group is what it would be without it."""
    whole, without = read(shops()), read(shops("a", "c", "d", "e"))
    rows = [at(data, ("a", 20), ("d", 24), ("a", 25)) for data in (whole, without)]
    with_b, without_b = (chronos2().forecast(data, r, 6) for data, r in zip((whole, without), rows, strict=True))
    np.testing.assert_allclose(with_b[:2], without_b[:2], rtol=1e-5, atol=1e-4)
    assert abs(with_b[2] - without_b[2]).max() > 1e-2
    alone = prepare(shops("c"), freq=1)
    np.testing.assert_allclose(
        chronos2().forecast(whole, at(whole, ("c", 50)), 6),
        chronos2().forecast(alone, np.array([50]), 6),
        rtol=1e-5,
        atol=1e-4,
    )


@pytest.mark.parametrize("covariates", [{}, {"future_covariates": "temp"}])
def test_E8_forecasts_of_a_group_do_not_depend_on_their_batch(covariates: dict[str, str]) -> None:
    data = read(shops(temp=bool(covariates)), **covariates)
    rows = at(data, ("a", 54), ("b", 54), ("b", 50), ("c", 54), ("a", 50), ("d", 30))
    together = chronos2().forecast(data, rows, 6)
    for number, each in enumerate(rows):
        alone = chronos2().forecast(data, np.array([each]), 6)[0]
        np.testing.assert_allclose(alone, together[number], rtol=1e-5, atol=1e-4)


def test_H2_groups_and_covariates_are_read_together() -> None:
    model, frame = chronos2(), shops(temp=True)
    options = {"future_covariates": "temp"}
    whole, grouped, covariates = read(frame, **options), read(frame.drop("temp")), read(frame, None, **options)
    draws = [model.forecast(data, at(data, ("a", 54)), 6) for data in (whole, grouped, covariates)]
    assert min(abs(draws[0] - draws[1]).max(), abs(draws[0] - draws[2]).max()) > 1e-2


def test_C5_an_edit_infers_the_origins_of_the_group_that_saw_it_anew(cache: Cache) -> None:
    def forecast(frame: pl.DataFrame, groups: str | None = "region") -> nbf.Run:
        return nbf.forecast(frame, chronos2(), 6, freq=1, groups=groups, wait=True)

    frame = shops("a", "b", "c")
    run = forecast(frame)
    assert forecast(frame).inferred == 0
    assert forecast(edit(frame, "b", 50)).inferred == 2 * 11, "a and b from step 50 on"
    assert forecast(frame.with_columns(region=pl.col("region").str.to_uppercase())).inferred == 0
    lone = forecast(frame, None)
    assert lone.inferred > 0
    assert forecast(frame, "all").inferred > 0
    cache.save_all()
    cache.clear()
    again = forecast(frame)
    assert again.inferred == 0
    np.testing.assert_array_equal(again.series("b").array, run.series("b").array)


def test_C5_rows_that_come_late_infer_the_origins_that_lacked_them_anew(cache: Cache) -> None:
    frame = shops("a", "b")
    is_late = (pl.col("unique_id") == "b") & (pl.col("ds") > 58)
    before = nbf.forecast(frame.filter(~is_late), chronos2(), 6, freq=1, groups="region", wait=True)
    after = nbf.forecast(frame, chronos2(), 6, freq=1, groups="region", wait=True)
    assert after.inferred == 4, "two origins of b, and those of a at these times, which saw nothing of b there"
    fresh = nbf.forecast(frame, chronos2(), 6, freq=1, groups="region", force=True, wait=True)
    np.testing.assert_allclose(after.series("a").array, fresh.series("a").array, rtol=1e-5, atol=1e-3)
    assert abs(before.at(0, "a").draws - after.at(0, "a").draws).max() > 1e-3


def test_H1_a_correction_of_grouped_forecasts_is_one_of_its_own(cache: Cache) -> None:
    frame = shops("a", "b")
    grouped = nbf.forecast(frame, chronos2(), 6, freq=1, groups="region", learn=True, wait=True)
    lone = nbf.forecast(frame, chronos2(), 6, freq=1, learn=True, wait=True)
    assert lone.inferred > 0
    assert abs(grouped.at(0, "a").draws - lone.at(0, "a").draws).max() > 1e-3


def test_H2_groups_are_columns_of_one_value_a_series() -> None:
    data = read(shops())
    np.testing.assert_array_equal(data.groups, [0, 0, 1, 0, 1])
    assert data.static is not None
    assert data.static.columns == ["unique_id", "region"]
    np.testing.assert_array_equal(group_members(data), [[1, 3], [0, 3], [4, -1], [0, 1], [2, -1]])
    np.testing.assert_array_equal(read(shops(), "all").groups, np.zeros(5))
    assert data.handle == read(shops(), None).handle
    with pytest.raises(InputError, match=r"groups=.*one value a series"):
        read(shops().with_columns(region=pl.col("ds") % 2))
    with pytest.raises(InputError, match=r"1 series has no region: 'c'.*groups='region'"):
        read(shops().with_columns(region=pl.when(pl.col("unique_id") != "c").then("region")))
    with pytest.raises(InputError, match=r"No column is called 'county' \(groups=\)"):
        read(shops(), "county")


def test_H2_a_model_that_reads_no_groups_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OptionError, match=r"groups='region' is for models that read several series together.*'naive'"):
        nbf.forecast(shops(), "naive", groups="region")
    shops().write_csv(tmp_path / "shops.csv")
    arguments = [
        "forecast",
        str(tmp_path / "shops.csv"),
        "-m",
        "naive",
        "--groups",
        "region",
        "-o",
        str(tmp_path / "f.csv"),
    ]
    assert cli.main(arguments) != 0
    assert "--groups region is for models that read several series together" in capsys.readouterr().err
