"""From a bucket of staged rows to a shard: what every engine runs, wherever it runs."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbforecast.distributed.bucket import prepared
from nbforecast.distributed.layout import PART, Failure, newest, shard_path, shards_in
from nbforecast.distributed.source import read_bucket
from nbforecast.engine.engine import Engine
from nbforecast.engine.tasks import Priority
from nbforecast.forecasters.base import resolve
from nbforecast.result_cache import parquet
from nbforecast.result_cache.cache import Cache
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.key import ForecastSpec
from nbforecast.result_cache.metadata import Unreadable
from nbforecast.result_cache.snapshot import has_forecast
from nbforecast.run import Run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbforecast.data import Dataset
    from nbforecast.options import ForecastOptions
    from nbforecast.result_cache.entry_slice import EntrySlice

_log = logging.getLogger("nbforecast.distributed")
LOOK = 0.1  # seconds between two looks at whether the job is called off
STOP = "stop"
DEATHS = 3  # of workers, that a bucket may cost


@dataclass(frozen=True)
class Job:
    """What a worker must know. It can be sent to other processes if `model` can.

    staged: folder of the sorted rows; a file `STOP` in it calls the job off. folder: where the shards go. of: buckets
    in all. options: of the request; `model` is a name that any process can resolve, or a forecaster.
    """

    staged: Path
    folder: Path
    of: int
    options: ForecastOptions

    @property
    def stopped(self) -> bool:
        """Whether the job is called off."""
        return (self.staged / STOP).exists()


@dataclass(frozen=True)
class Report:
    """What has become of a bucket.

    series: with forecasts. origins: that can be forecast; of these `inferred` now and `reused` from shards before.
    stopped: the job was called off before its end. peak: bytes of memory that the process has needed at most.
    """

    bucket: int
    series: int = 0
    origins: int = 0
    inferred: int = 0
    reused: int = 0
    stopped: bool = False
    failures: tuple[Failure, ...] = ()
    peak: int = 0


class Stopped(Exception):
    """The job is called off."""


class Worker:
    """Makes shards, one after the other; the model is loaded and compiled once."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._forecaster = resolve(job.options.model)
        self._cache = Cache(None, sys.maxsize, 0)
        self._engine = Engine(self._cache)

    def work(self, bucket: int) -> Report:
        """Make a bucket's shard, unless it is there; series that cannot be forecast are told, and left out.

        Raises `OSError` where shards cannot be written.
        """
        try:
            return replace(self._work(bucket), peak=peak_memory())
        except Stopped:
            return Report(bucket, stopped=True)
        finally:
            self._cache.clear()

    def close(self) -> None:
        """End the threads."""
        self._engine.shutdown()

    def _work(self, bucket: int) -> Report:
        job = self._job
        if job.stopped:
            raise Stopped
        rows = read_bucket(job.staged, bucket)
        deaths = self._begin(bucket)
        if deaths >= DEATHS:
            told = f"{deaths} workers died while they were forecasting its shard: for want of memory, it may be."
            names = rows["unique_id"].unique().sort()
            return Report(bucket, failures=tuple(Failure(name, bucket, "worker", told) for name in names))
        data, failures = prepared(rows, job, bucket)
        if data is None:
            return Report(bucket, failures=tuple(failures))
        there = {shard.path: shard for shard in shards_in(job.folder) if shard.bucket == bucket}
        path = self._path(bucket, data)
        if path in there and self._whole(path, data):
            self._remove(there.keys() - {path})
            origins = parquet.read_header(path).facts["available"]
            return Report(bucket, len(data.ids), origins, 0, origins, failures=tuple(failures))
        if there and not job.options.force:
            self._recall(newest(there.values())[bucket].path)
        before = self._engine.statistics.inferred
        view, failed = self._forecast(data, bucket)
        failures += failed
        if view is None:
            return Report(bucket, failures=tuple(failures))
        path = self._path(bucket, view.data)
        if not (path in there and self._whole(path, view.data)):
            _put(view.entry if view.key == view.entry.key else _own(view), path)
        self._remove(there.keys() - {path})
        origins = view.available
        inferred = min(self._engine.statistics.inferred - before, origins)
        return Report(bucket, len(view.data.ids), origins, inferred, origins - inferred, failures=tuple(failures))

    def _path(self, bucket: int, data: Dataset) -> Path:
        return shard_path(self._job.folder, bucket, self._job.of, data.handle)

    def _whole(self, path: Path, data: Dataset) -> bool:
        """Whether a shard has everything that can be forecast of some data, by our spec; none has if forced."""
        spec = ForecastSpec.from_forecaster(self._forecaster, data, self._job.options.horizon, self._job.options.seed)
        return not self._job.options.force and whole(path, spec)

    def _begin(self, bucket: int) -> int:
        """Note that a bucket is begun; returns how often it has been before, by workers that came to no end."""
        with (self._job.staged / f"begun-{bucket}").open("ab") as file:
            file.write(b".")
            return file.tell() - 1

    def _recall(self, path: Path) -> None:
        """Have the bucket's former shard at hand, whose origins are reused where their context is equal."""
        try:
            self._cache.take_in(Entry.of(parquet.read(path)))
        except Unreadable as reason:
            _log.warning("%s is not used: %s.", path, reason)

    def _forecast(self, data: Dataset, bucket: int) -> tuple[EntrySlice | None, list[Failure]]:
        """Results for the series that can be forecast, and the others with the reason."""
        view, error = self._run(data)
        if error is None:
            return view, []
        failed = self._blame(data, error, bucket)
        gone = {f.unique_id for f in failed}
        rest = tuple(name for name in data.ids if name not in gone)
        if not rest:
            return None, failed
        view, error = self._run(_only(data, rest))
        if error is not None:
            raise error
        return view, failed

    def _blame(self, data: Dataset, error: Exception, bucket: int) -> list[Failure]:
        """The series that the model fails on, found by halving until they are alone. What succeeds is kept."""
        if len(data.ids) == 1:
            return [Failure(data.ids[0], bucket, "model", str(error))]
        failed: list[Failure] = []
        half = len(data.ids) // 2
        for ids in (data.ids[:half], data.ids[half:]):
            part = _only(data, ids)
            _, wrong = self._run(part)
            if wrong is not None:
                failed += self._blame(part, wrong, bucket)
        return failed

    def _run(self, data: Dataset) -> tuple[EntrySlice, Exception | None]:
        """Everything that can be forecast of some data, and the error that ended it. Raises `Stopped`."""
        forecaster, job = self._forecaster, self._job
        spec = ForecastSpec.from_forecaster(forecaster, data, job.options.horizon, job.options.seed)
        view = self._cache.find(data, spec, lambda: forecaster.availability(data))
        run = Run(view, forecaster, self._engine, job.options.seed)
        run.start(Priority.BATCH)
        while not run.wait_for_end(LOOK):
            if job.stopped:
                run.cancel()
        if run.cancelled:
            raise Stopped
        if run.error is not None and not view.inferred:
            self._cache.forget(view.key)  # nothing to reuse, and looked through by every later part
        return view, run.error if isinstance(run.error, Exception) else None

    def _remove(self, paths: Iterable[Path]) -> None:
        """Remove what another shard has taken the place of."""
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


def whole(path: Path, spec: ForecastSpec) -> bool:
    """Whether a shard is there with everything that can be forecast, by that spec."""
    try:
        header = parquet.read_header(path)
    except Unreadable:
        return False
    return bool(header.spec == spec and header.facts["calculated"] == header.facts["available"])


def peak_memory() -> int:
    """Bytes that this process has had in memory at most; 0 where the system does not say."""
    with contextlib.suppress(OSError, StopIteration):  # Linux, whose `getrusage` counts what began the process, too
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _only(data: Dataset, ids: tuple[str, ...]) -> Dataset:
    """Some series of a dataset, on the same grid."""
    kept = np.isin(np.array(data.ids, dtype=object), np.array(ids, dtype=object))
    rows = np.repeat(kept, data.lengths)
    offsets = np.concatenate([[0], np.cumsum(data.lengths[kept])])
    return replace(data, ids=ids, offsets=offsets, time=data.time[rows], values=data.values[rows])


def _own(view: EntrySlice) -> Entry:
    """An entry of a view's own, with a copy of what stands."""
    entry = Entry(view.data, view.spec, view.reasons)
    rows = np.flatnonzero(has_forecast(view.status))
    theirs = view.rows(rows)
    status, values = view.entry.read(theirs)
    entry.adopt(rows, status, view.entry.contexts[theirs], values)
    return entry


def _put(entry: Entry, target: Path) -> None:
    """Write a shard beside its place, and rename it."""
    snapshot, _ = entry.snapshot()
    part = target.with_name(f".{target.stem}.{secrets.token_hex(8)}{PART}")
    try:
        with part.open("xb") as file:
            parquet.write(snapshot, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
