"""From a partition of staged rows to a shard: the work of every engine, on every machine."""

from __future__ import annotations

import contextlib
import logging
import sys
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Literal

import numpy as np

from nbforecast.checks import check_horizon
from nbforecast.device import cores
from nbforecast.distributed.destination import Failure, newest_shards, shard_path, shards_in
from nbforecast.distributed.learned_shards import learned_shard, write_sums
from nbforecast.distributed.prepare_partition import prepare_partition
from nbforecast.distributed.shard_contents import is_complete, write_shard
from nbforecast.distributed.source import read_partition
from nbforecast.engine.engine import Engine
from nbforecast.engine.tasks import Priority
from nbforecast.forecasters.registry import resolve
from nbforecast.interrupts import uninterrupted
from nbforecast.result_cache import parquet
from nbforecast.result_cache.cache import Cache
from nbforecast.result_cache.entry import Entry
from nbforecast.result_cache.key import ForecastSpec
from nbforecast.result_cache.metadata import Unreadable
from nbforecast.result_cache.snapshot import has_forecast
from nbforecast.run import Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nbforecast.data import Dataset
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.options import ForecastOptions
    from nbforecast.result_cache.entry_slice import EntrySlice

_log = logging.getLogger("nbforecast.distributed")
POLL_SECONDS = 0.1  # between two looks at whether the job is cancelled
CANCEL_FILE = "cancel"
_LOCAL_WORKERS = 2
MAX_WORKER_FAILURES = 3  # workers that may die on a partition before it is given up


@dataclass(frozen=True)
class Job:
    """The request as a worker needs it; it can be sent to other processes if the model can.

    Attributes:
        staging: Folder of the sorted rows; a file `CANCEL_FILE` in it cancels the job.
        folder: Destination of the shards.
        partition_count: Number of partitions of the panel.
        options: Of the request; `model` is a name that any process can resolve, or a forecaster.
        learned_folder: Destination of the shards of learned forecasts; None if the request does not learn.
        phase: What is done with each partition: `forecast` writes its shard, `sum` adds up its errors, `learn` writes
            its learned shard by the sums of all.
    """

    staging: Path
    folder: Path
    partition_count: int
    options: ForecastOptions
    learned_folder: Path | None = None
    phase: Literal["forecast", "sum", "learn"] = "forecast"

    @property
    def is_cancelled(self) -> bool:
        """Whether the job is cancelled."""
        return (self.staging / CANCEL_FILE).exists()

    def cancel(self) -> None:
        """Have all workers stop soon."""
        with contextlib.suppress(OSError):
            (self.staging / CANCEL_FILE).touch()


@dataclass(frozen=True)
class PartitionReport:
    """The result of the work on a partition.

    Attributes:
        partition: Its number.
        series: Number of series with forecasts.
        origins: Number of origins that can be forecast.
        inferred: Those of them that were inferred now.
        reused: Those of them from earlier shards.
        cancelled: Whether the job was cancelled before the end.
        failures: Series without forecasts.
        peak_memory: Most memory that the process has used, in bytes.
    """

    partition: int
    series: int = 0
    origins: int = 0
    inferred: int = 0
    reused: int = 0
    cancelled: bool = False
    failures: tuple[Failure, ...] = ()
    peak_memory: int = 0


class JobCancelled(Exception):
    """The job is cancelled."""


def forecast_locally(job: Job, partitions: list[int]) -> Iterator[PartitionReport]:
    """Write the shards of some partitions in this process, in the order in which they end.

    Where several cores work and batches are shared out to them, two workers take turns: one prepares or saves while the
    other one infers.
    """
    forecaster = resolve(job.options.model, job.options.minimum, job.options.maximum)
    is_parallel = getattr(forecaster, "windows_per_core", None) is not None and cores() > 1
    workers = [Worker(job) for _ in partitions[: _LOCAL_WORKERS if is_parallel else 1]]
    waiting, idle = iter(partitions), SimpleQueue[Worker]()
    for worker in workers:
        idle.put(worker)

    def forecast(partition: int) -> PartitionReport:
        worker = idle.get()
        try:
            return worker.forecast(partition)
        finally:
            idle.put(worker)

    with ThreadPoolExecutor(len(workers) or 1, thread_name_prefix="nbforecast-shard") as pool:
        running = {pool.submit(forecast, partition) for partition in islice(waiting, len(workers))}
        try:
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                running |= {pool.submit(forecast, partition) for partition in islice(waiting, len(done))}
                yield from (future.result() for future in done)
        finally:
            if running:  # an error, or nobody asks for more reports
                job.cancel()
                wait(running)
            for worker in workers:
                worker.close()


class Worker:
    """Writes shards, one after the other; it loads and compiles the model once.

    Args:
        job: The request.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._forecaster = resolve(job.options.model, job.options.minimum, job.options.maximum)
        self._cache = Cache(None, sys.maxsize, 0)
        self._engine = Engine(self._cache)

    def forecast(self, partition: int) -> PartitionReport:
        """Write the shard of a partition, unless a complete one exists; series that cannot be forecast are left out.

        Raises:
            OSError: The shard cannot be written.
        """
        try:
            attempts = self._count_failed_attempts(partition)
            report = uninterrupted(lambda: self._forecast(partition, attempts))
            return replace(report, peak_memory=peak_memory())
        except JobCancelled:
            return PartitionReport(partition, cancelled=True)
        finally:
            self._cache.clear()

    def close(self) -> None:
        """End the threads."""
        self._engine.shutdown()

    def _forecast(self, partition: int, attempts: int) -> PartitionReport:
        job = self._job
        if job.is_cancelled:
            raise JobCancelled
        if job.phase == "sum":
            write_sums(job.folder, partition, job.staging)
            return PartitionReport(partition)
        if job.phase == "learn":
            return self._learn(partition)
        rows = read_partition(job.staging, partition)
        if attempts >= MAX_WORKER_FAILURES:
            message = f"{attempts} workers died while they forecast its shard, possibly for lack of memory."
            names = rows["unique_id"].unique().sort()
            return PartitionReport(partition, failures=tuple(Failure(n, partition, "worker", message) for n in names))
        data, failures = prepare_partition(rows, job.options, partition)
        if data is None:
            return PartitionReport(partition, failures=tuple(failures))
        existing = {shard.path: shard for shard in shards_in(job.folder) if shard.partition == partition}
        path = self._path(partition, data)
        if path in existing and self._is_complete(path, data):
            _delete(existing.keys() - {path})
            origins = parquet.read_metadata(path).facts["available"]
            return PartitionReport(partition, len(data.ids), origins, 0, origins, failures=tuple(failures))
        if existing and not job.options.force:
            self._load(newest_shards(existing.values())[partition].path)
        inferred_before = self._engine.statistics.inferred
        entry_slice, failed = self._infer_all(data, partition)
        failures += failed
        if entry_slice is None:
            return PartitionReport(partition, failures=tuple(failures))
        path = self._path(partition, entry_slice.data)
        if not (path in existing and self._is_complete(path, entry_slice.data)):
            write_shard(
                entry_slice.entry if entry_slice.key == entry_slice.entry.key else _copy_entry(entry_slice), path
            )
        _delete(existing.keys() - {path})
        origins = entry_slice.available
        inferred = min(self._engine.statistics.inferred - inferred_before, origins)
        reused = origins - inferred
        return PartitionReport(
            partition, len(entry_slice.data.ids), origins, inferred, reused, failures=tuple(failures)
        )

    def _learn(self, partition: int) -> PartitionReport:
        """Write the learned shard of a partition, unless there is one of equal data."""
        job = self._job
        assert job.learned_folder is not None
        part, learned = learned_shard(job.folder, partition, job.staging, self._forecaster)
        forecaster = resolve(learned, job.options.minimum, job.options.maximum)
        existing = {shard.path for shard in shards_in(job.learned_folder) if shard.partition == partition}
        path = shard_path(job.learned_folder, partition, job.partition_count, part.data.handle)
        report = PartitionReport(partition, len(part.data.ids), part.available)
        if path in existing and not job.options.force and is_complete(path, self._spec(part.data, forecaster)):
            _delete(existing - {path})
            return replace(report, reused=part.available)
        entry_slice, error = self._infer(part.data, forecaster)
        if error is not None:
            raise error
        write_shard(entry_slice.entry, path)
        _delete(existing - {path})
        return replace(report, inferred=part.available)

    def _path(self, partition: int, data: Dataset) -> Path:
        return shard_path(self._job.folder, partition, self._job.partition_count, data.handle)

    def _spec(self, data: Dataset, forecaster: Forecaster | None = None) -> ForecastSpec:
        options = self._job.options
        forecaster = forecaster or self._forecaster
        return ForecastSpec.from_forecaster(forecaster, data, check_horizon(options.horizon), options.seed)

    def _is_complete(self, path: Path, data: Dataset) -> bool:
        """Whether a shard has every result for some data; none has if the request is forced."""
        options = self._job.options
        return not options.force and is_complete(path, self._spec(data), exact=options.is_exact)

    def _count_failed_attempts(self, partition: int) -> int:
        """Record an attempt; return how many before it did not end."""
        with (self._job.staging / f"attempts-{partition}").open("ab") as file:
            file.write(b".")
            return file.tell() - 1

    def _load(self, path: Path) -> None:
        """Load the partition's earlier shard: origins with an equal context are reused."""
        try:
            self._cache.adopt(Entry.from_snapshot(parquet.read(path)))
        except Unreadable as reason:
            _log.warning("%s is not used: %s.", path, reason)

    def _infer_all(self, data: Dataset, partition: int) -> tuple[EntrySlice | None, list[Failure]]:
        """Results of the series that can be forecast, and the others with the reason."""
        entry_slice, error = self._infer(data)
        if error is None:
            return entry_slice, []
        failed = self._find_failing(data, error, partition)
        names = {f.unique_id for f in failed}
        rest = tuple(name for name in data.ids if name not in names)
        if not rest:
            return None, failed
        entry_slice, error = self._infer(_select_series(data, rest))
        if error is not None:
            raise error
        return entry_slice, failed

    def _find_failing(self, data: Dataset, error: Exception, partition: int) -> list[Failure]:
        """The series that the model fails on, found by bisection; successful results remain in the cache."""
        if len(data.ids) == 1:
            return [Failure(data.ids[0], partition, "model", str(error))]
        failed: list[Failure] = []
        half = len(data.ids) // 2
        for ids in (data.ids[:half], data.ids[half:]):
            part = _select_series(data, ids)
            _, part_error = self._infer(part)
            if part_error is not None:
                failed += self._find_failing(part, part_error, partition)
        return failed

    def _infer(self, data: Dataset, forecaster: Forecaster | None = None) -> tuple[EntrySlice, Exception | None]:
        """All results of some data, and the error that ended the inference. Raises `JobCancelled`."""
        forecaster = forecaster or self._forecaster
        reasons, is_exact = partial(forecaster.availability, data), self._job.options.is_exact
        entry_slice = self._cache.find(data, self._spec(data, forecaster), reasons, exact=is_exact)
        run = Run(entry_slice, forecaster, self._engine, self._job.options.seed)
        run.start(Priority.BATCH)
        while not run.wait_for_end(POLL_SECONDS):
            if self._job.is_cancelled:
                run.cancel()
        if run.cancelled:
            raise JobCancelled
        if run.error is not None and not entry_slice.inferred:
            self._cache.evict(entry_slice.key)  # it has nothing to reuse, and every later part would search it
        return entry_slice, run.error if isinstance(run.error, Exception) else None


def peak_memory() -> int:
    """Return the most memory that this process has used, in bytes; 0 where the system does not report it."""
    with contextlib.suppress(OSError, StopIteration):  # on Linux, `getrusage` also counts the parent process
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _delete(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _select_series(data: Dataset, ids: tuple[str, ...]) -> Dataset:
    """Some series of a dataset, on the same grid."""
    is_selected = np.isin(np.array(data.ids, dtype=object), np.array(ids, dtype=object))
    rows = np.repeat(is_selected, data.lengths)
    offsets = np.concatenate([[0], np.cumsum(data.lengths[is_selected])])
    return replace(data, ids=ids, offsets=offsets, time=data.time[rows], values=data.values[rows])


def _copy_entry(entry_slice: EntrySlice) -> Entry:
    """A new entry with a copy of the results of a part of another."""
    entry = Entry(entry_slice.data, entry_slice.spec, entry_slice.reasons)
    rows = np.flatnonzero(has_forecast(entry_slice.status))
    entry.adopt(rows, entry_slice.entry.read(entry_slice.entry_rows(rows)))
    return entry
