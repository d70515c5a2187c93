"""H2: `static=` names columns of one value a series, which group series."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast.data import prepare
from nbforecast.errors import InputError, OptionError

LENGTH = 60


def shops() -> pl.DataFrame:
    """Four shops of two regions, one of them without a region and one too short."""
    frames = [
        pl.DataFrame(
            {
                "shop": shop,
                "ds": range(length),
                "y": np.arange(length) % 7 + 10.0 * k,
                "region": pl.Series([region] * length, dtype=pl.String),
                "area": float(k),
            }
        )
        for k, (shop, region, length) in enumerate(
            [("c", "north", LENGTH), ("a", "south", LENGTH), ("b", "north", 1), ("d", None, LENGTH)]
        )
    ]
    return pl.concat(frames)


def test_H2_static_columns_are_a_frame_in_the_order_of_the_ids():
    data = prepare(shops(), id="shop", target="y", static=["region", "area"])
    assert data.ids == ("a", "c", "d")
    assert data.static is not None
    assert data.static.rows() == [("a", "south", 1.0), ("c", "north", 0.0), ("d", None, 3.0)]
    assert data.static.columns == ["unique_id", "region", "area"]
    assert data.handle == prepare(shops(), id="shop", target="y").handle


def test_H2_a_missing_static_value_is_that_of_the_other_rows():
    frame = shops().with_columns(region=pl.when(pl.col("ds") % 2 == 0).then("region"))
    data = prepare(frame, id="shop", target="y", static="region")
    assert data.static is not None
    assert data.static["region"].to_list() == ["south", "north", None]


def test_H2_a_column_of_ids_can_be_static_and_is_no_target():
    data = prepare(shops().drop_nulls().drop("y"), id=["region", "shop"], static=["region"], target="area")
    assert data.static is not None
    assert data.static.filter(pl.col("unique_id") == "north/c")["region"].to_list() == ["north"]
    one_number = shops().drop("area").with_columns(size=pl.lit(5))
    assert prepare(one_number, id="shop", static="size").names.target == "y"


@pytest.mark.parametrize(
    ("static", "message"),
    [
        ("size", r"'size' changes within 3 of 4 series: 'a' has '0', '1', '2' and 57 more"),
        ("Region", r"No column is called 'Region' \(static=\)\. Did you mean 'region'"),
        ("y", r"One column cannot serve twice: .*static=\['y'\]"),
        ("index", r"'index' has a meaning of its own in results"),
    ],
)
def test_H2_what_is_not_static_is_refused(static, message):
    frame = shops().with_columns(size="ds", index=pl.lit(1))
    with pytest.raises(InputError, match=message):
        prepare(frame, id="shop", target="y", static=static)


def test_H2_scores_are_grouped_by_static_columns():
    run = nbf.forecast(shops(), "naive", 2, id="shop", target="y", static="region", wait=True)
    scores = run.scores("region")
    assert scores["region"].to_list() == ["north", "south", None]
    by_series = run.scores("series")
    assert scores["mae"].to_list() == [by_series["mae"][k] for k in (1, 0, 2)]
    only = run.scores(where=pl.col("region") == "north")
    assert only["n"].item() == by_series.filter(unique_id="c")["n"].item()
    assert run.scores("index").columns[:3] == ["unique_id", "ds", "index"]
    assert "region" not in run.scores("index").columns
    with pytest.raises(OptionError, match=r"by= has no 'regio'\. Did you mean 'region'"):
        run.scores("regio")
