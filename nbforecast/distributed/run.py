"""What the user holds of a panel that is forecast in shards: how far it is, what failed, what there is."""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
import time
import weakref
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import filelock
import polars as pl

from nbforecast.deprecation import RenamedAttribute
from nbforecast.distributed import failures as failing
from nbforecast.distributed.bucket import prepared
from nbforecast.distributed.layout import PART, STAGING, Failure, Shard, bucket_count, bucket_of, newest, shards_in
from nbforecast.distributed.scores import scores
from nbforecast.distributed.source import allot, census, read_bucket, stage
from nbforecast.distributed.worker import STOP, Job, Report
from nbforecast.engine.executor import FOR_EVER
from nbforecast.engine.progress import ProgressState, wait_with_bar
from nbforecast.errors import ForecasterError, NbForecastError, OptionError, RunCancelled, StorageError
from nbforecast.forecasters.base import resolve
from nbforecast.result_cache import parquet
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.metadata import Unreadable
from nbforecast.session import current_session, results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nbforecast.distributed.source import Panel
    from nbforecast.result_cache.entry_slice import EntrySlice
    from nbforecast.run import Run
    from nbforecast.scoring.scores import By

SAMPLED = 4  # buckets that tell a panel's grid

_log = logging.getLogger("nbforecast.distributed")


class DatasetRun:
    """A panel's forecasts, made shard by shard in the background; everything can be read at any time.

    folder: where the shards are. series, series_done: of the source (None before they are counted), and those that
    have come to their end, with forecasts or a failure. origins: that can be forecast, as far as is known; `inferred`
    of them now, `reused` from shards that were there. peak: bytes of memory that any worker has needed at most.
    """

    def __init__(
        self,
        panel: Panel,
        job: Job,
        engine: Callable[[Job, list[int]], Iterator[Report]],
        series_per_shard: int | None = None,
    ) -> None:
        self.folder = job.folder
        self.name = panel.name
        self.model = resolve(job.options.model).name
        self.horizon = job.options.horizon
        self.phase = "waiting"
        self.error: Exception | None = None
        self.cancelled = self._called_off = False
        self.series: int | None = None
        self.series_done = self.origins = self.inferred = self.reused = self.shards_done = self.peak = 0
        self.shards: int | None = None
        self._panel = panel
        self._job = job
        self._engine = engine
        self._series_per_shard = series_per_shard
        self._failures: dict[int | None, list[Failure]] = {}
        self._members: dict[int, int] = {}
        self._finished = threading.Event()
        self._started = time.monotonic()
        self._began: float | None = None
        self._ended: float | None = None
        self._marks: deque[tuple[float, int]] = deque(maxlen=16)
        self._thread = threading.Thread(target=self._work, name="nbforecast-shards")

    def start(self) -> DatasetRun:
        """Begin. At the interpreter's exit the run is cancelled; what is finished stays."""
        register = getattr(threading, "_register_atexit", None)
        if register is not None:  # before Python waits for the thread
            register(_cancel, weakref.ref(self))
        self._thread.start()
        return self

    @property
    def done(self) -> bool:
        """Nothing goes on any more: finished, failed or cancelled."""
        return self._finished.is_set()

    @property
    def progress(self) -> float:
        """Share of the series that have come to their end, 0 to 1."""
        return self.series_done / self.series if self.series else 0.0

    @property
    def progress_state(self) -> ProgressState:
        """How far the run is, as a bar shows it."""
        return ProgressState(f"{self.model}: {self.phase}", self.series_done, self.series, 0, " series")

    @property
    def seconds(self) -> float:
        """Time since the run began, or that it took."""
        return (self._ended or time.monotonic()) - self._started

    @property
    def working(self) -> float:
        """Seconds since the rows were sorted and the first worker was called, until the end; 0 before."""
        return 0.0 if self._began is None else (self._ended or time.monotonic()) - self._began

    @property
    def rate(self) -> float:
        """Origins inferred a second: of late while it goes on, over all when it is done."""
        marks = list(self._marks)
        if self._ended is not None:
            return self.inferred / self.working if self.working else 0.0
        if len(marks) < 2:
            return 0.0
        (began, before), (last, now) = marks[0], marks[-1]
        return (now - before) / (last - began) if last > began else 0.0

    @property
    def eta_seconds(self) -> float:
        """Seconds until the end, at the present rate of series; NaN while that is not known."""
        if not self.series_done or self.series is None:
            return float("nan")
        return self.working * (self.series / self.series_done - 1)

    @property
    def failures(self) -> pl.DataFrame:
        """Series without forecasts: unique_id, shard, kind (`id`, `values`, `data`, `model`, `worker`), message."""
        return failing.table(f for found in list(self._failures.values()) for f in found)

    @property
    def paths(self) -> list[Path]:
        """The shards that are there, one of each bucket."""
        return [shard.path for _, shard in sorted(self._newest().items())]

    @property
    def frame(self) -> pl.LazyFrame:
        """The Result DataFrame of all shards that are there, lazily: a row an origin, no densities."""
        paths = self.paths
        if not paths:
            raise OptionError("No shard is finished yet.")
        return pl.scan_parquet(paths, hive_partitioning=False, glob=False)

    def scores(self, by: By | None = None) -> pl.DataFrame:
        """Mean scores over the shards that are there: overall, or by "horizon" or "series"; columns as `Run.scores`.

        One shard is read at a time.
        """
        return scores(self.paths, by)

    def open(self, series: str, *, calibrate: bool = False) -> Run:
        """The shard of one series as an ordinary run, to be explored, drawn and exported. It is held in the cache.

        calibrate: as for `forecast`.

        Raises `OptionError` where there is none.
        """
        there = self._newest()
        of = next(iter(there.values())).of if there else 1
        shard = there.get(bucket_of(str(series), of))
        view = None if shard is None else _held(shard.path)
        if view is None or str(series) not in view.data.ids:
            raise OptionError(f"No shard of {str(self.folder)!r} holds a series {series!r}; see .failures.")
        options = self._job.options
        return current_session().build_run(view, resolve(options.model), options.seed, calibrate=calibrate)

    def wait(self, timeout: float | None = None) -> DatasetRun:
        """Wait for the end, in a terminal with a bar; interrupting the wait does not stop the work.

        Raises what ended the run; `TimeoutError` after `timeout` seconds.
        """
        if not wait_with_bar(self, timeout):
            raise TimeoutError(f"The panel is {self.progress:.0%} done after {timeout:g} s; it goes on.")
        if self.error is not None:
            raise self.error
        return self

    def wait_for_end(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds for the end, whatever it is, and say whether it has come."""
        return self._finished.wait(FOR_EVER if timeout is None else timeout)

    def cancel(self) -> None:
        """Stop soon. Finished shards stay, and the same request later goes on from there."""
        if not self.done:
            self._called_off = True
            with contextlib.suppress(OSError):
                (self._job.staged / STOP).touch()

    def _newest(self) -> dict[int, Shard]:
        return newest(shards_in(self.folder))

    def _work(self) -> None:
        try:
            with _turn(self.folder):
                self._forecast()
        except RunCancelled:
            self.cancelled = True
        except BaseException as error:  # SystemExit in somebody's model, a panic in Rust
            self.error = error if isinstance(error, NbForecastError | OSError) else _as_ours(error)
            _log.info("A panel was not finished: %s", error, exc_info=error)
        finally:
            self._ended = time.monotonic()
            self.phase = "failed" if self.error else "cancelled" if self.cancelled else "done"
            self._finished.set()

    def _forecast(self) -> None:
        """Everything (the folder is ours)."""
        _clear(self.folder)
        self._job.staged.mkdir()
        earlier = failing.read(self.folder)
        try:
            buckets, job = self._stage()
            reports = [self._note(report) for report in self._engine(job, buckets)]
            if not all(reports):
                raise RunCancelled
            self._conclude()
        finally:
            shutil.rmtree(self._job.staged, ignore_errors=True)
            self._keep(earlier)

    def _stage(self) -> tuple[list[int], Job]:
        """Sort the source into buckets; returns those that have series, and the job as it is now known."""
        self.phase = "counting series"
        series = census(self._panel)
        nameless = series.filter(pl.col("unique_id").is_null())["rows"].sum()
        self.series = len(series) - bool(nameless)
        self._check()
        if nameless:
            told = f"{nameless:,} rows have no series id and are left out."
            self._failures[None] = [Failure(None, None, "id", told)]
        there = self._newest()
        of = next(iter(there.values())).of if there else None
        of = of or bucket_count(self.series, int(series["rows"].sum()), self._series_per_shard)
        allotted = allot(series, of)
        self._members = dict(allotted.group_by("bucket").len().sort("bucket").iter_rows())
        buckets = list(self._members)
        self.shards = len(buckets)
        self.phase = "sorting rows"
        stage(self._panel, allotted, of, self._job.staged)
        self._check()
        self.phase = "forecasting"
        self._began = time.monotonic()
        self._marks.append((self._began, 0))
        job = replace(self._job, of=of)
        return buckets, replace(job, options=replace(job.options, freq=_grid(job, buckets, there)))

    def _note(self, report: Report) -> bool:
        """Count what has become of a bucket; false if it has not come to its end."""
        if report.stopped:
            return False
        self._failures[report.bucket] = list(report.failures)
        self.shards_done += 1
        self.series_done += self._members[report.bucket]
        self.origins += report.origins
        self.inferred += report.inferred
        self.reused += report.reused
        self.peak = max(self.peak, report.peak)
        self._marks.append((time.monotonic(), self.inferred))
        return True

    def _conclude(self) -> None:
        """What the source no longer has goes."""
        for bucket, shard in self._newest().items():
            if bucket not in self._members:
                shard.path.unlink(missing_ok=True)
        if not self.origins and not self._newest():
            first = next((f.message for found in self._failures.values() for f in found), "they have no origins")
            raise ForecasterError(f"None of the {self.series:,} series can be forecast. The first: {first}")

    def _keep(self, earlier: list[Failure]) -> None:
        """Write the failures; those of buckets that were not come to are as before."""
        known = self._failures
        before = [f for f in earlier if f.shard not in known and f.shard is not None]
        failing.write(self.folder, [*before, *(f for found in known.values() for f in found)])

    def _check(self) -> None:
        if self._called_off:
            raise RunCancelled

    def __repr__(self) -> str:
        state = f"failed: {self.error}" if self.error else self.phase
        series = "" if self.series is None else f", {self.series_done:,} of {self.series:,} series"
        failed = sum(f.kind != "id" for found in list(self._failures.values()) for f in found)
        counts = f"{self.inferred:,} origins inferred, {self.reused:,} reused, {failed:,} series failed"
        return f"DatasetRun({self.model}, horizon {self.horizon}{series}, {counts}, {state}, in {str(self.folder)!r})"

    level = RenamedAttribute("progress_state")
    left = RenamedAttribute("eta_seconds")
    settle = RenamedAttribute("wait_for_end")


def _cancel(reference: weakref.ref[DatasetRun]) -> None:
    run = reference()
    if run is not None:
        run.cancel()


def _held(path: Path) -> EntrySlice:
    """A shard in the cache of this process, read unless it is there already."""
    cache = results()
    try:
        view = cache.held(parquet.read_header(path).key)
        if view is None or not view.complete:
            view = cache.take_in(Entry.of(parquet.read(path)))
            cache.trim()
    except Unreadable as reason:
        raise StorageError(f"{path} cannot be read: {reason}.") from reason
    return view


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """One run at a time in a folder, which is made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / ".lock", timeout=0):
            yield
    except filelock.Timeout as error:
        raise StorageError(f"Another run is writing into {str(folder)!r}; wait for it, or cancel it.") from error


def _clear(folder: Path) -> None:
    """Remove what runs that were killed have left unfinished."""
    for path in folder.glob(f"{STAGING}*"):
        shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob(f".*{PART}"):
        path.unlink(missing_ok=True)


def _grid(job: Job, buckets: list[int], there: dict[int, Shard]) -> Any:
    """One grid for all shards: as asked for, as that of the shards there, or as the first buckets' series have it."""
    found = None
    if job.options.freq is None:
        for shard in there.values():
            with contextlib.suppress(Unreadable):
                found = parquet.read_header(shard.path).frequency
                break
    if found is None:
        for at in range(0, len(buckets), SAMPLED):
            rows = pl.concat(read_bucket(job.staged, bucket) for bucket in buckets[at : at + SAMPLED])
            data, _ = prepared(rows, job, buckets[at])
            if data is not None:
                found = data.frequency
                break
    return job.options.freq if found is None else found.nominal or found


def _as_ours(error: BaseException) -> NbForecastError:
    found = ForecasterError(f"The panel was not finished: {type(error).__name__}: {error}")
    found.__cause__ = error
    return found
