"""A run over a panel in shards: its progress, failures, results and scores."""

from __future__ import annotations

import logging
import shutil
import threading
import time
import weakref
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from nbforecast.checks import check_horizon
from nbforecast.deprecation import RenamedAttribute
from nbforecast.distributed.destination import (
    Failure,
    Shard,
    choose_partition_count,
    delete_other_shards,
    delete_unfinished,
    failures_frame,
    folder_lock,
    newest_shards,
    partition_of,
    read_failures,
    shards_in,
    wrap_error,
    write_failures,
)
from nbforecast.distributed.learned_shards import merge_sums
from nbforecast.distributed.prepare_partition import choose_frequency
from nbforecast.distributed.shard_contents import load_shard, shard_scores
from nbforecast.distributed.source import assign_partitions, count_series, write_staging
from nbforecast.engine.executor import wait_in_slices
from nbforecast.engine.progress_bar import ProgressState, wait_with_bar
from nbforecast.errors import ForecasterError, OptionError, RunCancelled
from nbforecast.forecasters.deferred import DeferredForecaster
from nbforecast.forecasters.registry import resolve
from nbforecast.interrupts import uninterrupted
from nbforecast.safe_text import escape_controls
from nbforecast.session import current_session
from nbforecast.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nbforecast.distributed.source import Panel
    from nbforecast.distributed.worker import Job, PartitionReport
    from nbforecast.forecasters.base import Forecaster
    from nbforecast.run import Run
    from nbforecast.scoring.score_groups import By, Where

_RATE_WINDOW = 16  # reports over which the present rate is measured

_log = logging.getLogger("nbforecast.distributed")


class DatasetRun:
    """The forecasts of a panel, written shard by shard in the background; all results can be read at any time.

    Attributes:
        folder: Where the shards are.
        name: Name of the source.
        model: Name of the model.
        horizon: Number of steps, H.
        phase: `waiting`, `counting series`, `sorting rows`, `forecasting`, `done`, `failed` or `cancelled`.
        error: What ended the run, or None.
        cancelled: Whether the run was cancelled.
        series: Number of series in the source, None until they are counted.
        series_done: Number of series with forecasts or a failure.
        shards: Number of shards, None until the series are counted.
        shards_done: Number of finished shards.
        origins: Number of origins that can be forecast, in finished shards.
        inferred: Those of them that were inferred by this run.
        reused: Those of them from earlier shards.
        peak_memory: Most memory that any worker has used, in bytes.
    """

    def __init__(
        self,
        panel: Panel,
        job: Job,
        engine: Callable[[Job, list[int]], Iterator[PartitionReport]],
        series_per_shard: int | None = None,
    ) -> None:
        self.folder = job.learned_folder or job.folder
        self.name = panel.name
        self.model = resolve(job.options.model).name + ("-learned" if job.learned_folder else "")
        self.horizon = check_horizon(job.options.horizon)
        self.phase = "waiting"
        self.error: Exception | None = None
        self.cancelled = self._cancel_requested = False
        self.series: int | None = None
        self.shards: int | None = None
        self.series_done = self.shards_done = self.origins = self.inferred = self.reused = self.peak_memory = 0
        self._panel = panel
        self._job = job
        self._engine = engine
        self._series_per_shard = series_per_shard
        self._failures: dict[int | None, list[Failure]] = {}
        self._partition_series: dict[int, int] = {}
        self._finished = threading.Event()
        self._start_time = time.monotonic()
        self._inference_start: float | None = None
        self._end_time: float | None = None
        self._inferred_over_time: deque[tuple[float, int]] = deque(maxlen=_RATE_WINDOW)
        self._thread = threading.Thread(target=self._run, name="nbforecast-shards")

    def start(self) -> DatasetRun:
        """Start the background thread. The interpreter's exit cancels the run; finished shards remain."""
        register = getattr(threading, "_register_atexit", None)
        if register is not None:  # called before Python waits for the thread
            register(_cancel, weakref.ref(self))
        self._thread.start()
        return self

    @property
    def done(self) -> bool:
        """Whether the run has ended: finished, failed or cancelled."""
        return self._finished.is_set()

    @property
    def progress(self) -> float:
        """Share of the series with forecasts or a failure, 0 to 1."""
        return self.series_done / self.series if self.series else 0.0

    @property
    def progress_state(self) -> ProgressState:
        """The progress as a bar shows it."""
        return ProgressState(f"{self.model}: {self.phase}", self.series_done, self.series, 0, " series")

    @property
    def seconds(self) -> float:
        """Seconds since the start, until the end."""
        return (self._end_time or time.monotonic()) - self._start_time

    @property
    def inference_seconds(self) -> float:
        """Seconds since the rows were sorted and the first worker was called, until the end; 0 before."""
        if self._inference_start is None:
            return 0.0
        return (self._end_time or time.monotonic()) - self._inference_start

    @property
    def rate(self) -> float:
        """Origins inferred per second: over the latest shards, and over the whole run once it is done."""
        if self._end_time is not None:
            return self.inferred / self.inference_seconds if self.inference_seconds else 0.0
        points = list(self._inferred_over_time)
        if len(points) < 2:
            return 0.0
        (first_time, first), (last_time, last) = points[0], points[-1]
        return (last - first) / (last_time - first_time) if last_time > first_time else 0.0

    @property
    def eta_seconds(self) -> float:
        """Seconds until the end, at the mean rate of series; NaN while it is unknown."""
        if not self.series_done or self.series is None:
            return float("nan")
        return self.inference_seconds * (self.series / self.series_done - 1)

    @property
    def failures(self) -> pl.DataFrame:
        """Series without forecasts: unique_id, shard, kind (`id`, `values`, `data`, `model`, `worker`), message."""
        return failures_frame(self._all_failures())

    @property
    def paths(self) -> list[Path]:
        """The finished shards, one per partition."""
        return [shard.path for _, shard in sorted(newest_shards(shards_in(self.folder)).items())]

    @property
    def frame(self) -> pl.LazyFrame:
        """The Result DataFrame of all finished shards, lazily, without densities: one row per origin.

        Raises:
            OptionError: No shard is finished.
        """
        paths = self.paths
        if not paths:
            raise OptionError("No shard is finished yet.")
        return pl.scan_parquet(paths, hive_partitioning=False, glob=False)

    def scores(self, by: By | None = None, where: Where | None = None) -> pl.DataFrame:
        """Mean scores over the finished shards, which are read one at a time.

        Args:
            by: As for `Run.scores`, but neither "index" nor a Series.
            where: As for `Run.scores`, an expression.

        Returns:
            A frame with the columns of `Run.scores`.

        Raises:
            OptionError: `by` or `where` is impossible, or no shard is finished.
        """
        return shard_scores(self.paths, by, where)

    def open(self, series: str, *, calibrate: bool = False) -> Run:
        """Load the shard of one series as an ordinary run, which can be explored, drawn and exported.

        Args:
            series: Id of the series; the run has all series of its shard.
            calibrate: As for `nbforecast.forecast`.

        Raises:
            OptionError: No shard has this series.
            StorageError: The shard cannot be read.
        """
        shards = newest_shards(shards_in(self.folder))
        count = next(iter(shards.values())).partition_count if shards else 1
        shard = shards.get(partition_of(str(series), count))
        entry_slice = None if shard is None else load_shard(shard.path)
        if entry_slice is None or str(series) not in entry_slice.data.ids:
            raise OptionError(f"No shard of {str(self.folder)!r} has a series {series!r}; see .failures.")
        options = self._job.options
        forecaster: Forecaster = resolve(options.model, options.minimum, options.maximum)
        if self._job.learned_folder is not None:
            spec = entry_slice.spec
            forecaster = DeferredForecaster(spec.model.name, spec.model.key, spec.context, spec.levels)
        return current_session().build_run(entry_slice, forecaster, options.seed, calibrate=calibrate)

    def wait(self, timeout: float | None = None) -> DatasetRun:
        """Wait for the end, in a terminal with a progress bar; an interrupt does not stop the work.

        Args:
            timeout: Seconds to wait; None for no limit.

        Returns:
            The run.

        Raises:
            TimeoutError: The run goes on after `timeout` seconds.
            Exception: What ended the run.
        """
        if not wait_with_bar(self, timeout):
            raise TimeoutError(f"The panel is {self.progress:.0%} done after {timeout:g} s; the run goes on.")
        if self.error is not None:
            raise self.error
        return self

    def wait_for_end(self, timeout: float | None = None) -> bool:
        """Wait for the end without raising what ended the run.

        Args:
            timeout: Seconds to wait; None for no limit.

        Returns:
            Whether the run has ended.
        """
        return wait_in_slices(self._finished.wait, timeout)

    def cancel(self) -> None:
        """Stop soon. Finished shards remain, and a repeated request continues from there."""
        if not self.done:
            self._cancel_requested = True
            self._job.cancel()

    def _newest_shards(self) -> dict[int, Shard]:
        return newest_shards(shards_in(self._job.folder))

    def _all_failures(self) -> list[Failure]:
        return [failure for failures in list(self._failures.values()) for failure in failures]

    def _run(self) -> None:
        try:
            with folder_lock(self._job.folder):
                self._forecast()
        except RunCancelled:
            self.cancelled = True
        except BaseException as error:  # also SystemExit in a user's model, or a panic in Rust
            self.error = wrap_error(error, self.folder)
            _log.info("A panel was not finished: %s", error, exc_info=error)
        finally:
            self._end_time = time.monotonic()
            self.phase = "failed" if self.error else "cancelled" if self.cancelled else "done"
            self._finished.set()

    def _forecast(self) -> None:
        """Write all shards; the folder is locked."""
        delete_unfinished(self._job.folder)
        self._job.staging.mkdir()
        earlier_failures = uninterrupted(lambda: read_failures(self._job.folder))
        try:
            partitions, job = uninterrupted(self._stage)
            reports = [self._record(report) for report in self._engine(job, partitions)]
            if not all(reports):
                raise RunCancelled
            delete_other_shards(job.folder, partitions)
            self._raise_if_nothing_is_forecast()
            if job.learned_folder is not None:
                self._learn(job, job.learned_folder)
        finally:
            shutil.rmtree(self._job.staging, ignore_errors=True)
            uninterrupted(lambda: self._write_failures(earlier_failures))

    def _learn(self, job: Job, folder: Path) -> None:
        """Write the shards of learned forecasts: sum over the errors of each shard, then correct each by all sums."""
        self.phase = "learning"
        partitions = sorted(self._newest_shards())
        if any(report.cancelled for report in self._engine(replace(job, phase="sum"), partitions)):
            raise RunCancelled
        merge_sums(job.staging, partitions, self.horizon)
        self._check_cancelled()
        folder.mkdir(parents=True, exist_ok=True)
        delete_unfinished(folder)
        if any(report.cancelled for report in self._engine(replace(job, phase="learn"), partitions)):
            raise RunCancelled
        delete_other_shards(folder, partitions)

    def _stage(self) -> tuple[list[int], Job]:
        """Sort the source into partitions; returns those with series, and the job with partitions and frequency."""
        self.phase = "counting series"
        counts = count_series(self._panel)
        rows_without_id = int(counts.filter(pl.col("unique_id").is_null())["rows"].sum())
        self.series = len(counts) - bool(rows_without_id)
        self._check_cancelled()
        if rows_without_id:
            rows = plural(rows_without_id, "row has", "rows have")
            self._failures[None] = [Failure(None, None, "id", f"{rows} no series id and are left out.")]
        existing = self._newest_shards()
        if existing:
            count = next(iter(existing.values())).partition_count
        else:
            count = choose_partition_count(self.series, int(counts["rows"].sum()), self._series_per_shard)
        assigned = assign_partitions(counts, count)
        self._partition_series = dict(assigned.group_by("partition").len().sort("partition").iter_rows())
        partitions = list(self._partition_series)
        self.shards = len(partitions)
        self.phase = "sorting rows"
        write_staging(self._panel, assigned, count, self._job.staging)
        self._check_cancelled()
        self.phase = "forecasting"
        self._inference_start = time.monotonic()
        self._inferred_over_time.append((self._inference_start, 0))
        options = self._job.options
        freq = choose_frequency(self._job.staging, options, partitions, existing.values())
        is_calendar = getattr(freq, "kind", "") == "calendar"  # which then says what `calendar=` does
        options = replace(options, freq=freq, calendar=None if is_calendar else options.calendar)
        return partitions, replace(self._job, partition_count=count, options=options)

    def _record(self, report: PartitionReport) -> bool:
        """Add up the report of a partition; false if the job was cancelled before its end."""
        if report.cancelled:
            return False
        self._failures[report.partition] = list(report.failures)
        self.shards_done += 1
        self.series_done += self._partition_series[report.partition]
        self.origins += report.origins
        self.inferred += report.inferred
        self.reused += report.reused
        self.peak_memory = max(self.peak_memory, report.peak_memory)
        self._inferred_over_time.append((time.monotonic(), self.inferred))
        return True

    def _raise_if_nothing_is_forecast(self) -> None:
        if self.origins or self._newest_shards():
            return
        first = next((f.message for f in self._all_failures()), "they have no origins")
        raise ForecasterError(f"None of the {self.series:,} series can be forecast. The first: {first}")

    def _write_failures(self, earlier: list[Failure]) -> None:
        """Write the failures; those of partitions without a report remain as they were."""
        unchanged = [f for f in earlier if f.shard not in self._failures and f.shard is not None]
        write_failures(self._job.folder, [*unchanged, *self._all_failures()])

    def _check_cancelled(self) -> None:
        if self._cancel_requested:
            raise RunCancelled

    def __repr__(self) -> str:
        state = f"failed: {self.error}" if self.error else self.phase
        series = "" if self.series is None else f", {self.series_done:,} of {self.series:,} series"
        failed = sum(f.kind != "id" for f in self._all_failures())
        counts = f"{self.inferred:,} origins inferred, {self.reused:,} reused, {failed:,} series failed"
        model = escape_controls(self.model)
        return f"DatasetRun({model}, horizon {self.horizon}{series}, {counts}, {state}, in {str(self.folder)!r})"

    level = RenamedAttribute("progress_state")
    left = RenamedAttribute("eta_seconds")
    peak = RenamedAttribute("peak_memory")
    settle = RenamedAttribute("wait_for_end")
    working = RenamedAttribute("inference_seconds")


def _cancel(reference: weakref.ref[DatasetRun]) -> None:
    run = reference()
    if run is not None:
        run.cancel()
