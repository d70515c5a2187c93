"""C4, C11, C12, M6: what `nbf.cache` and `nbforecast cache` tell, and what they remove."""

import datetime as dt
import os
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import nbforecast as nbf
from nbforecast import session
from nbforecast.cli import main
from nbforecast.errors import IndexOutOfRange
from nbforecast.run_card import headline
from nbforecast.settings import parse_size
from nbforecast.text import byte_size
from tests.support.cache_files import LastValueModel


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    nbf.cache.flush()


@pytest.fixture(scope="module")
def taxi() -> pl.DataFrame:
    return nbf.sample("taxi").tail(400)


def test_C11_entries_tell_what_there_is(taxi: pl.DataFrame) -> None:
    run = nbf.forecast(taxi, "naive", wait=True, name="taxi")
    nbf.forecast(taxi, "naive", wait=True)
    nbf.forecast(taxi.tail(100), "naive", wait=True)
    table = nbf.cache.entries()
    whole = table.filter(handle=run.handle).row(0, named=True)
    assert (whole["name"], whole["model"], whole["horizon"], whole["series"]) == ("taxi", "naive", 12, 1)
    assert whole["rows"] == 400
    assert whole["available"] == whole["inferred"] == whole["calculated"] == run.available
    assert whole["hits"] == 2
    assert whole["view_of"] is None
    assert whole["disk_bytes"] == next(nbf.cache.directory.glob("*.parquet")).stat().st_size  # type: ignore[union-attr]
    assert whole["memory_bytes"] > whole["inferred"] * 480
    assert dt.datetime.now(dt.UTC) - whole["used"] < dt.timedelta(minutes=1)
    part = table.filter(pl.col("view_of").is_not_null()).row(0, named=True)
    assert (part["view_of"], part["memory_bytes"], part["disk_bytes"]) == (run.handle, 0, 0)
    assert part["reused"] == 100


def test_C4_an_entry_shows_all_its_metadata(taxi: pl.DataFrame) -> None:
    run = nbf.forecast(taxi, "naive", wait=True, name="taxi")
    for _ in range(2):
        detail = repr(nbf.cache.show(run.handle[:6]))
        for fact in (run.handle, "taxi", "naive v1 context=512", "seed 0", "12 steps of 1 hour", "2015-01-31 23:00:00",
                     "version", "ago", ".parquet"):  # fmt: skip
            assert fact in detail
        nbf.cache.flush(disk=False)


@pytest.mark.slow
def test_W6_the_list_counts_the_origins_that_the_card_counts(taxi: pl.DataFrame) -> None:
    run = nbf.forecast(taxi, "naive", wait=True, name="taxi")
    assert run.available < 400
    head, line = (re.split(r" {2,}", text) for text in repr(nbf.cache.listing()).splitlines())
    assert dict(zip(head, line, strict=True))["origins"] == f"{run.available}"
    assert f"from {run.available} origins" in headline(run)
    assert f"{run.available} of {run.available} origins inferred" in repr(nbf.cache.info())
    assert f"{run.available} of 400 time steps can be forecast" in repr(nbf.cache.show(run.handle))


def test_C11_info_counts(taxi: pl.DataFrame) -> None:
    run = nbf.forecast(taxi, "naive", wait=True)
    nbf.forecast(taxi, "naive", wait=True)
    info = nbf.cache.info()
    assert (info.entries, info.origins, info.inferred) == (1, run.available, run.available)
    assert (info.memory_budget, info.disk_budget) == (2_000_000_000, 10_000_000_000)
    assert info.hits >= 1
    assert str(nbf.cache.directory) in repr(info)
    assert "<table" in nbf.cache._repr_html_()


def test_C11_an_entry_that_is_only_on_disk_is_listed_shown_and_dropped(taxi: pl.DataFrame) -> None:
    run = nbf.forecast(taxi, "naive", wait=True)
    assert nbf.cache.flush(disk=False).memory_bytes > 0
    row = nbf.cache.entries().row(0, named=True)
    assert (row["handle"], row["memory_bytes"], row["inferred"]) == (run.handle, 0, run.available)
    assert "on disk" in repr(nbf.cache.show(run.handle))
    gone = nbf.cache.drop(run.handle)
    assert (gone.entries, gone.origins, gone.memory_bytes) == (1, run.available, 0)
    assert gone.disk_bytes == row["disk_bytes"]
    assert nbf.cache.entries().is_empty()


@pytest.mark.slow
@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize(
    ("index", "count"),
    [(-7, 1), ("-24:0", 25), ((-24, 0), 25), (slice(-24, 0), 25), ("-24:", 25), (":-300", 93), (np.int64(-3), 1)],
)
def test_C11_origins_are_dropped_by_index_both_ends_included(
    taxi: pl.DataFrame, index: object, count: int, on_disk: bool
) -> None:
    run = nbf.forecast(taxi, "naive", wait=True)
    before = run.array.copy()
    nbf.cache.flush(disk=False, memory=on_disk)
    assert nbf.cache.drop(run.handle, index=index).origins == count  # type: ignore[arg-type]
    nbf.cache.flush(disk=False)
    again = nbf.forecast(taxi, "naive", wait=True)
    assert (again.inferred, again.reused) == (count, run.available - count)
    np.testing.assert_allclose(again.array, before, rtol=1e-5, atol=1e-5 * np.nanmax(before))


def test_Q4_origins_are_dropped_by_time_in_series_that_end_at_different_times() -> None:
    days = pl.date_range(dt.date(2024, 1, 1), dt.date(2024, 3, 1), eager=True)
    rows = [(name, day, float(n)) for name, count in (("a", 61), ("b", 50)) for n, day in enumerate(days[:count])]
    panel = pl.DataFrame(rows, ["unique_id", "ds", "y"], orient="row")
    run = nbf.forecast(panel, LastValueModel(), 2, wait=True)
    for index, count in (
        ("2024-02-01", 2),
        (dt.date(2024, 2, 3), 2),
        ("2024-02-10..2024-02-12", 6),
        (("2024-02-18", dt.date(2024, 2, 21)), 6),  # b ends on the 19th
        (slice("2024-02-25 08:00", None), 5),
    ):
        assert nbf.cache.drop(run.handle, index=index).origins == count
    assert main(["cache", "drop", run.handle, "--index", "2024-02-05"]) == 0
    is_gone = np.isnan(run.take("median", np.arange(len(run.data)))[:, 0])
    gone = run.data.times(run.data.time[is_gone])
    assert {d.day for d in gone if d.month == 2} == {1, 3, 5, 10, 11, 12, 18, 19, 20, 21, 26, 27, 28, 29}
    with pytest.raises(IndexOutOfRange, match="valid times run from"):
        nbf.cache.drop(run.handle, index="2025-01-01")
    with pytest.raises(IndexOutOfRange, match=r"chosen by index='2025-01-01\.\.'\. Valid"):
        nbf.cache.drop(run.handle, index="2025-01-01..")
    again = nbf.forecast(panel, LastValueModel(), 2, wait=True)
    assert again.inferred == 23


@pytest.mark.slow
def test_C11_one_calculation_is_dropped_and_made_anew_without_inference(taxi: pl.DataFrame) -> None:
    run = nbf.forecast(taxi, "naive", wait=True)
    before = run.frame
    for only, lost in (("scores", {"crps", "covered"}), ("quantiles", {"quantiles", "crps"}), ("crps", {"crps"})):
        assert nbf.cache.drop(run.handle, only=only, index="-99:0").origins == 100
        now = run.frame[-100:]
        gone = {n for n in ("forecast", "quantiles", "crps", "covered") if np.isnan(now[n].to_numpy()).all()}
        assert lost <= gone
        assert "forecast" not in gone
        again = nbf.forecast(taxi, "naive", wait=True)
        assert again.inferred == 0
        assert again.frame.drop("density", "density_limits").equals(before.drop("density", "density_limits"))
    assert nbf.cache.drop(run.handle, only="density").origins == 256


@pytest.mark.slow
def test_C11_a_handle_is_shortened_as_long_as_it_is_unambiguous(taxi: pl.DataFrame) -> None:
    runs = [nbf.forecast(taxi.tail(40 + n).head(40), "naive", wait=True) for n in range(18)]
    first = [r.handle[0] for r in runs]
    twice = next(f for f in first if first.count(f) > 1)
    with pytest.raises(nbf.NbForecastError, match=f"'{twice}' begins .* handles: .* Give more digits"):
        nbf.cache.drop(twice)
    assert nbf.cache.drop(runs[3].handle[:12]).entries == 1
    with pytest.raises(nbf.NbForecastError, match=r"has no entry .* There are: "):
        nbf.cache.drop(runs[3].handle)


@pytest.mark.slow
def test_C11_one_model_of_a_handle_is_dropped(taxi: pl.DataFrame) -> None:
    run = nbf.forecast(taxi, "naive", wait=True)
    nbf.forecast(taxi, "ridge", wait=True)
    with pytest.raises(nbf.NbForecastError, match="has no results of model 'theta'; it has: naive, ridge"):
        nbf.cache.drop(run.handle, "theta")
    assert nbf.cache.drop(run.handle, model="ridge").entries == 1
    assert nbf.cache.entries()["model"].to_list() == ["naive"]


def test_C11_dropping_an_entry_drops_the_views_of_it_and_a_view_nothing_else(taxi: pl.DataFrame) -> None:
    whole, part = nbf.forecast(taxi, "naive", wait=True), nbf.forecast(taxi.tail(90), "naive", wait=True)
    assert repr(nbf.cache.drop(part.handle)) == "Removed 1 entry with 0 inferred origins."
    assert nbf.cache.entries()["handle"].to_list() == [whole.handle]
    view = nbf.forecast(taxi.tail(80), "naive", wait=True)
    assert set(nbf.cache.entries()["view_of"]) == {None, whole.handle}
    assert view.reused == view.available
    nbf.cache.drop(whole.handle)
    assert nbf.cache.entries().is_empty()
    assert whole.frame["status"].to_list().count("scored") == whole.available  # a run keeps what it holds


def test_C11_flush_of_memory_loses_nothing_flush_of_disk_leaves_memory(taxi: pl.DataFrame) -> None:
    run = nbf.forecast(taxi, "naive", wait=True)
    gone = nbf.cache.flush(disk=False)
    assert repr(gone).startswith(f"Removed 1 entry with {run.available} inferred origins: ")
    assert "disk" not in repr(gone)
    assert nbf.forecast(taxi, "naive").reused == run.available
    nbf.cache.flush(memory=False)
    assert not list(nbf.cache.directory.glob("*.parquet"))  # type: ignore[union-attr]
    assert nbf.forecast(taxi, "naive").reused == run.available
    nbf.cache.flush()
    assert nbf.forecast(taxi, "naive", wait=True).reused == 0


def test_C11_C12_prune_by_age_and_size(taxi: pl.DataFrame) -> None:
    old, new = nbf.forecast(taxi.head(100), "naive", wait=True), nbf.forecast(taxi.tail(100), "naive", wait=True)
    week_ago = dt.datetime.now().timestamp() - 8 * 86400
    for path in nbf.cache.directory.glob(f"{old.handle}*"):  # type: ignore[union-attr]
        os.utime(path, (week_ago, week_ago))
    for entry in session.results().entries():
        if entry.key.handle == old.handle:
            entry.used = week_ago
    assert nbf.cache.prune(max_age="30d").entries == 0
    assert nbf.cache.prune(max_age="7d").entries == 1
    assert nbf.cache.entries()["handle"].to_list() == [new.handle]
    assert nbf.cache.prune(max_size="1GB").entries == 0
    assert nbf.cache.prune().entries == 0
    gone = nbf.cache.prune(max_size=1000)
    assert (gone.entries, gone.memory_bytes > 0, gone.disk_bytes > 0) == (1, True, True)
    assert not list(nbf.cache.directory.glob("*.parquet"))  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nbf.cache.drop("xyz"), "up to 32 digits of 0-9 and a-f, not 'xyz'. The cache is empty"),
        (lambda: nbf.cache.drop(7), "up to 32 digits"),  # type: ignore[arg-type]
        (lambda: nbf.cache.drop("ab", index=5), "both ends included"),
        (lambda: nbf.cache.drop("ab", index="a:b"), "both ends included"),
        (lambda: nbf.cache.drop("ab", index=(0, -5)), "both ends included"),
        (lambda: nbf.cache.drop("ab", index="2024-13-01"), "a time such as '2025-01-31 18:00'"),
        (lambda: nbf.cache.drop("ab", only="everything"), "there are density, scores, quantiles, forecast"),
        (lambda: nbf.cache.prune(max_size="lots"), "is not a size"),
        (lambda: nbf.cache.prune(max_age=3), "is not a length of time"),  # type: ignore[arg-type]
        (lambda: nbf.cache.load("/no/such/place"), "There is no folder or file"),
        (lambda: nbf.cache.save(__file__), "is a file; give a folder"),
    ],
)
def test_C11_an_argument_that_makes_no_sense_is_an_error(call: object, message: str) -> None:
    with pytest.raises(nbf.NbForecastError, match=message):
        call()  # type: ignore[operator]


def test_C11_the_command_line_does_the_same(
    taxi: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = nbf.forecast(taxi, "naive", wait=True)
    assert main(["cache"]) == main(["cache", "list"]) == 0
    output = capsys.readouterr().out
    assert "on disk" in output
    assert run.handle[:8] in output
    assert main(["cache", "drop", run.handle[:8], "--index", "-24:0"]) == 0
    assert capsys.readouterr().out == "Removed forecast of 25 origins.\n"
    assert main(["cache", "save", str(tmp_path / "copy")]) == 0
    assert main(["cache", "flush"]) == 0
    assert main(["cache", "drop", "abc"]) == 2
    assert "The cache is empty" in capsys.readouterr().err
    assert main(["cache", "load", str(tmp_path / "copy")]) == 0
    assert nbf.forecast(taxi, "naive", wait=True).inferred == 25


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GB", 2 * 10**9), ("500 mb", 5 * 10**8), ("1.5GiB", 3 * 2**29), (12, 12), ("0", 0), ("7k", 7000)],
)
def test_C12_sizes_as_people_write_them(text: str | int, size: int) -> None:
    assert parse_size(text, "size") == size


def test_C11_sizes_as_people_read_them() -> None:
    assert [byte_size(s) for s in (0, 480, 1160, 99_960, 123_456, 7_640_000, 2e9)] == [
        "0 B", "480 B", "1.16 kB", "100 kB", "123 kB", "7.64 MB", "2 GB",
    ]  # fmt: skip
