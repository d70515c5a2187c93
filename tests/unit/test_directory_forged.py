"""C2, C4, C13, C14: what is signed and still means harm; nothing that is read is executed."""

import ast
import json
import pickle
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import nbforecast as nbf
from nbforecast import session
from nbforecast.data import Dataset
from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.result_cache import metadata, parquet
from nbforecast.result_cache.cache import Cache
from nbforecast.result_cache.directory import ASIDE, CacheDirectory
from nbforecast.result_cache.inventory import inventory
from nbforecast.result_cache.key import ForecastSpec, ModelSpec
from nbforecast.result_cache.metadata import Damaged, Unreadable
from nbforecast.result_cache.snapshot import Snapshot
from nbforecast.result_cache.status import Status, column_shapes
from tests.support.cache_files import (
    LastValueModel,
    assert_same,
    complete_snapshot,
    keep_rows,
    only_file,
    packed_metadata,
    random_walk,
    reopen,
    rewrite_metadata,
    tree,
    warnings_of,
    write_packed,
)

pytestmark = pytest.mark.slow


def forge(folder: Path, facts: Callable[[dict[str, Any]], dict[str, Any]]) -> tuple[Path, Snapshot]:
    """A file whose header is signed and does not mean well, under the name that would fit it if there is one."""
    snapshot = complete_snapshot()
    path = CacheDirectory(folder).write(snapshot).path
    rewrite_metadata(path, facts)
    said = json.loads(packed_metadata(path))
    try:
        model = ModelSpec(said["model_name"], said["model_key"], said["seed"], said["max_gap"])
        group = ForecastSpec(model, said["horizon"], said["levels"], said["context"]).group
        if re.fullmatch("[0-9a-f]{32}", said["handle"]):
            return path.rename(folder / f"{said['handle']}-{group}.parquet"), snapshot
    except (KeyError, TypeError, ValueError):
        pass
    return path, snapshot


ILL = {
    "ids that lead away": {"ids": ["../../evil"]},
    "ids that are absolute": {"ids": ["/tmp/evil"]},
    "a handle that leads away": {"handle": "../../evil"},
    "a handle that is absolute": {"handle": "/tmp/evil"},
    "a handle with a newline": {"handle": "0" * 32 + "\n"},
    "more rows than there are": {"index_len": [10**11]},
    "rows without end": {"index_len": [10**30]},
    "rows below zero": {"index_len": [-40]},
    "no rows": {"index_len": [0]},
    "rows and their negative": {"index_len": [80, -40], "ids": ["a", "b"], "first_step": [0, 0]},
    "rows that are no numbers": {"index_len": ["40"]},
    "rows that are true": {"index_len": [True]},
    "fractions of rows": {"index_len": [40.0]},
    "no series": {"ids": [], "index_len": [], "first_step": []},
    "a series twice": {"ids": ["a", "a"], "index_len": [20, 20], "first_step": [0, 0]},
    "a series without a name": {"ids": [None]},
    "ids that are one text": {"ids": "ab", "index_len": [20, 20], "first_step": [0, 20]},
    "too few ids": {"ids": ["a"], "index_len": [20, 20], "first_step": [0, 0]},
    "a start beyond time": {"first_step": [1 << 62]},
    "a horizon below zero": {"horizon": -3},
    "a horizon of text": {"horizon": "3"},
    "other levels": {"levels": [0.5]},
    "no levels": {"levels": []},
    "levels beyond one": {"levels": [0.2, 0.4, 0.6, 1.8]},
    "levels of text": {"levels": ["a", "b", "c", "d"]},
    "more levels than atoms": {"levels": {"0.5": 10**30}},
    "no context": {"context": 0},
    "a frequency of nothing": {"frequency": {"kind": "integer", "every": 0, "anchor": 0, "phase": 0, "nominal": ""}},
    "a frequency unknown": {"frequency": {"kind": "exec", "every": 1, "anchor": 0, "phase": 0, "nominal": ""}},
    "a frequency with more": {"frequency": {"kind": "integer", "every": 1, "command": "rm"}},
    "a frequency of text": {"frequency": "1h"},
    "another frequency": {"frequency": {"kind": "month", "every": 1, "anchor": 0, "phase": 10**30, "nominal": ""}},
    "a zone unknown": {"time_type": "datetime:Mars/Olympus"},
    "a zone that leads away": {"time_type": "datetime:../../../etc/passwd"},
    "a type unknown": {"time_type": "os.system"},
    "no digests": {"digests": {}},
    "digests of text": {"digests": "x"},
    "a gap of text": {"max_gap": "x"},
    "created at no time": {"created": float("nan")},
    "forced at the end of time": {"forced": float("inf")},
}


@pytest.mark.parametrize("kind", ILL)
def test_C13_C14_a_signed_header_that_means_harm_is_unreadable(
    kind: str, cache: Cache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = cache.directory
    assert directory is not None
    path, snapshot = forge(directory.path, lambda facts: facts | ILL[kind])
    with pytest.raises(Damaged):
        parquet.read(path)
    nbf.cache.entries()
    view = cache.find(snapshot.data, snapshot.spec, lambda: np.zeros(40, np.uint8))
    nbf.cache.load()
    assert view.inferred == 0
    (said,) = warnings_of(caplog)
    assert "is set aside" in said
    (kept,) = (directory.path / ASIDE).iterdir()
    assert set(tree(tmp_path)) == {"results", "results/aside", f"results/aside/{kept.name}"}


def test_C13_a_zone_that_is_a_folder_is_unreadable(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Python says of it that a file cannot be read, which is no reason to set this one aside."""
    directory = CacheDirectory(tmp_path)
    forge(tmp_path, lambda facts: facts | {"time_type": "datetime:America"})
    assert directory.metadata(only_file(directory)) is None
    assert directory.read(only_file(directory)) is None
    assert len(warnings_of(caplog)) == 1


def test_C13_a_header_of_ten_thousand_brackets_is_unreadable(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = CacheDirectory(tmp_path)
    path = directory.write(complete_snapshot()).path
    table = pq.read_table(path)
    for depth in (900, 10_000, 1_000_000):
        deep = '{"format": 1, "signature": "", "x": ' + "[" * depth + "]" * depth + "}"
        write_packed(table, path, deep)
        assert directory.metadata(only_file(directory)) is None
    assert len(warnings_of(caplog)) == 3


STRANGE = (None, "x", "", "\ud800", "../../evil", -1, 0, 7, 1.5, True, 10**30, 1e300, float("nan"), [], {},
           [None], ["x"], [10**30], {"x": 1}, [[[]]])  # fmt: skip


NAMES = sorted(json.loads(metadata.pack(complete_snapshot(), {})))


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.long), 3])
@pytest.mark.parametrize("name", NAMES)
def test_C13_whatever_a_signed_header_says_nobody_is_troubled(
    name: str, every: int, cache: Cache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every fact missing, or of any other type: the file is refused, or told of without an error.

    In `make test` each fact is a third of the strange values, and the next fact another third.
    """
    missing = object()
    for value in (missing, *STRANGE[NAMES.index(name) % every :: every]):

        def change(facts: dict[str, Any], value: Any = value) -> dict[str, Any]:
            return {k: v for k, v in facts.items() if k != name} if value is missing else facts | {name: value}

        session.engine().shutdown()  # scores of another version are calculated anew, and saved
        directory = reopen(cache)
        shutil.rmtree(directory.path, ignore_errors=True)
        caplog.clear()
        forge(directory.path, change)
        reopen(cache)
        entries = nbf.cache.entries()
        repr(nbf.cache)
        nbf.cache._repr_html_()
        for handle in entries["handle"]:
            repr(nbf.cache.show(handle))
        snapshot = complete_snapshot()
        view = cache.find(snapshot.data, snapshot.spec, lambda: np.zeros(40, np.uint8))
        assert view.spec == snapshot.spec
        view.frame()
        nbf.cache.load()
        repr(nbf.cache)
        assert len(warnings_of(caplog)) <= 1
        assert {Path(p).parts[0] for p in tree(tmp_path)} == {"results"}


def test_C13_an_entry_too_large_for_this_machine_is_passed_over_and_not_overwritten(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is wrong with the file: another machine, or a later moment, can read it."""
    run = nbf.forecast(random_walk(1), LastValueModel(), wait=True)
    directory = reopen(cache)
    found = only_file(directory)
    content = found.path.read_bytes()
    monkeypatch.setattr(parquet, "free_memory", lambda: 1000)
    again = nbf.forecast(random_walk(1), LastValueModel(), wait=True)
    np.testing.assert_array_equal(again.array, run.array)
    assert found.path.read_bytes() == content
    assert not (directory.path / ASIDE).exists()
    assert "is passed over: it takes" in warnings_of(caplog)[0]
    assert "1 kB may be used" in warnings_of(caplog)[0]
    monkeypatch.undo()
    assert directory.read(only_file(directory)) is not None


def test_C13_the_metadata_that_everybody_reads_are_those_that_count(tmp_path: Path) -> None:
    path = CacheDirectory(tmp_path).write(complete_snapshot()).path
    content = path.read_bytes()
    assert content.count(b'"horizon": 3,') == 1
    path.write_bytes(content.replace(b'"horizon": 3,', b'"horizon": 7,'))
    assert json.loads(pl.read_parquet_metadata(path)["nbforecast"])["horizon"] == 7
    with pytest.raises(Unreadable):
        parquet.read(path)


@pytest.mark.parametrize("name", ["status", "forecast", "quantiles", "reason", "no reason"])
def test_C2_C13_results_that_contradict_their_status_are_unreadable(name: str, tmp_path: Path) -> None:
    """Signed and with the right digests, but a NaN where a value should be, or a value where none should."""
    whole = complete_snapshot()
    less = keep_rows(whole, np.arange(20))
    path = tmp_path / "entry.parquet"
    snapshot = {
        "status": replace(less, status=whole.status),
        "forecast": replace(less, columns=dict(less.columns) | {"forecast": whole.columns["forecast"]}),
        "quantiles": replace(whole, columns=dict(whole.columns) | {"quantiles": less.columns["quantiles"]}),
        "reason": replace(less, reasons=np.full(40, UnavailableReason.MISSING, np.uint8)),
        "no reason": replace(less, status=np.where(less.status, less.status, Status.UNAVAILABLE).astype(np.uint8)),
    }[name]
    with path.open("wb") as file:
        parquet.write(snapshot, file)
    with pytest.raises(Unreadable, match="not where its status says"):
        parquet.read(path)


@pytest.mark.parametrize("column", ["status", "reason", "context", "y", "forecast", "crps"])
def test_C13_columns_of_another_type_are_unreadable(column: str, tmp_path: Path) -> None:
    directory = CacheDirectory(tmp_path)
    path = directory.write(complete_snapshot()).path
    table, note = pq.read_table(path), packed_metadata(path)
    at = table.schema.get_field_index(column)
    strange = [
        pa.array(["x"] * 40),
        pa.array([None] * 40, pa.float32()),
        pa.array([[[1.0]] * 3] * 40),
        pa.array([b"x"] * 40),
        pa.array(["x"] * 40).dictionary_encode(),
        pa.array([{"a": 1}] * 40),
        pa.array([None] * 40, pa.null()),
    ]
    for array in strange:
        write_packed(table.set_column(at, column, array), path, note)
        with pytest.raises(Unreadable):
            parquet.read(path)
    write_packed(table.drop_columns([column]), path, note)
    with pytest.raises(Unreadable):
        parquet.read(path)
    write_packed(table, path, note)
    assert_same(parquet.read(path), complete_snapshot())


@pytest.mark.parametrize("change", [{"levels": (0.1, 0.5, 0.9)}, {"context": 2}])
def test_C4_C13_results_made_in_another_way_are_not_taken_for_ours(
    change: dict[str, Any], cache: Cache, tmp_path: Path
) -> None:
    """Whatever their key says."""
    whole = complete_snapshot()
    ours = keep_rows(whole, np.arange(20))
    spec = replace(ours.spec, **change)
    columns = {n: np.ones((40, *t), np.float32) for n, t in column_shapes(3, spec.draws).items()}
    theirs = replace(whole, spec=spec, columns=columns)
    directory, away = cache.directory, tmp_path / "away"
    assert directory is not None
    directory.write(theirs)
    CacheDirectory(away).write(theirs)
    view = cache.find(ours.data, ours.spec, lambda: np.zeros(40, np.uint8))
    assert view.spec == ours.spec
    assert view.inferred == 0
    nbf.cache.load(away)
    assert view.inferred == 0
    cache.clear()
    directory.write(ours)
    assert_same(parquet.read(directory.file_path(ours.key)), ours)
    assert_same(parquet.read(directory.file_path(theirs.key)), theirs)


def test_C4_C5_a_model_that_has_changed_without_saying_so_in_its_key_is_asked_again(cache: Cache) -> None:
    class Fewer(LastValueModel):
        draws = 5

        def forecast(self, data: Dataset, rows: np.ndarray, horizon: int, seed: int = 0) -> np.ndarray:
            return super().forecast(data, rows, horizon, seed)[..., ::2]

    assert nbf.forecast(random_walk(1), LastValueModel(), wait=True).array.shape == (200, 12, 10)
    assert nbf.forecast(random_walk(1), Fewer(), wait=True).array.shape == (200, 12, 5)
    reopen(cache)
    assert nbf.forecast(random_walk(1), LastValueModel(), wait=True).array.shape == (200, 12, 10)
    assert nbf.forecast(random_walk(1), Fewer(), wait=True).array.shape == (200, 12, 5)


BARRED = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "jsonpickle"}

WRITING = {"Pickler", "PicklingError"}  # writes, and cannot read


def executing(source: str) -> set[str]:
    """What in some code could execute what it reads."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name.split(".")[0] in BARRED}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in BARRED:
            found |= {node.module for a in node.names if a.name not in WRITING}
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec"):
                found.add(called)
            if called.split(".")[0] in ("np", "numpy", "torch", "jnp", "yaml", *BARRED) and called.endswith(
                (".load", ".loads", ".unsafe_load")
            ):
                found.add(called)
            pickles = [ast.unparse(k.value) for k in node.keywords if k.arg == "allow_pickle"]
            if pickles == ["False"]:
                found.discard("np.load")
            elif pickles:
                found.add("allow_pickle")
            found |= {"shell" for k in node.keywords if k.arg == "shell"}
    return found


@pytest.mark.parametrize(
    ("code", "caught"),
    [
        ("import pickle", "pickle"),
        ("from pickle import Pickler, Unpickler", "pickle"),
        ("from marshal import loads", "marshal"),
        ("x = eval(text)", "eval"),
        ("exec(text)", "exec"),
        ("np.load(path)", "np.load"),
        ("np.load(path, allow_pickle=flag)", "np.load, allow_pickle"),
        ("torch.load(path)", "torch.load"),
        ("read(path, allow_pickle=True)", "allow_pickle"),
    ],
)
def test_C14_the_search_for_what_executes_finds_it(code: str, caught: str) -> None:
    assert executing(code) == set(caught.split(", "))
    assert not executing("np.load(path, allow_pickle=False)")


def test_C14_nothing_in_the_package_executes_what_it_reads() -> None:
    package = Path(nbf.__file__).parent
    found = {str(p.relative_to(package)): executing(p.read_text()) for p in package.rglob("*.py")}
    assert len(found) > 50
    # %forecast evaluates what the user has typed, in the user's own namespace; an event runs the user's own command
    assert {n: f for n, f in found.items() if f} == {
        str(Path("jupyter", "magics", "line_parser.py")): {"eval", "compile"},
        str(Path("live", "actions.py")): {"shell"},
    }


class Marks:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["arrow.py_extension_type", "arrow.fixed_shape_tensor", "nobody.knows"])
def test_C14_an_arrow_extension_type_in_a_file_is_not_executed(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mark = tmp_path / "executed"
    payload = pickle.dumps(Marks(mark))
    pickle.loads(payload)
    assert mark.exists()
    mark.unlink()
    directory = CacheDirectory(tmp_path / "results")
    path = directory.write(complete_snapshot()).path
    table, note = pq.read_table(path), packed_metadata(path)
    notes = {b"ARROW:extension:name": name.encode(), b"ARROW:extension:metadata": payload}
    for column in ("y", "forecast", "index"):
        fields = [f.with_metadata(notes) if f.name == column else f for f in table.schema]
        write_packed(pa.table(table.columns, pa.schema(fields)), path, note)
        found = only_file(directory)
        assert (directory.metadata(found) is None) <= bool(warnings_of(caplog))
        directory.outline(found)
        directory.read(found)
        inventory(Cache(directory, 0, 0))
        assert not mark.exists()
        if not directory.files():
            directory.write(complete_snapshot())
