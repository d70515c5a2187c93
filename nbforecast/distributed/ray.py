"""The engine of a Ray cluster: actors of Ray Data, each of which loads the model once and writes shards.

An actor imports this module before it limits the threads of its libraries, so this module imports none of them.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import queue
import socket
import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nbforecast.errors import MissingExtra, OptionError, StorageError
from nbforecast.text import option

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nbforecast.distributed.worker import Job, PartitionReport

OBJECT_STORE_BYTES = 128 << 20  # of a cluster started here: only numbers of partitions pass through it
TIMEOUT_SECONDS = 10.0  # for a cluster to answer, or for workers to stop
POLL_SECONDS = 0.5  # between two looks at whether the job is cancelled
START_ATTEMPTS = 3  # to start a cluster here: on a busy machine Ray gives up after half a minute
CORES_PER_WORKER = 2  # where there are no GPUs
_THREADS = ("PJRT_NPROC", "POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def require_ray() -> None:
    """Raise `MissingExtra` where Ray Data is not installed."""
    for module in ("ray", "pandas", "fsspec"):
        if importlib.util.find_spec(module) is None:
            raise MissingExtra(f"{option('engine', 'ray')} needs the library {module}: pip install 'nbforecast[ray]'.")


def forecast_on_ray(
    job: Job, partitions: list[int], address: str | None = None, workers: int | None = None
) -> Iterator[PartitionReport]:
    """Write the shards of some partitions on a Ray cluster, and report each as it is finished.

    Ray gives a partition whose worker dies to another one.

    Args:
        job: The request.
        partitions: Their numbers.
        address: Of the cluster; None as for `connect`.
        workers: Number of actors; None for one per GPU, or one per two cores.

    Raises:
        OptionError: The model cannot be sent to workers.
        StorageError: There is no cluster, or a worker cannot continue.
    """
    import ray
    import ray.data

    from nbforecast.distributed.destination import Failure
    from nbforecast.distributed.worker import PartitionReport

    connect(address)
    cluster = ray.cluster_resources()
    cpus, gpus = int(cluster.get("CPU", 1)), int(cluster.get("GPU", 0))
    count = min(workers or gpus or max(1, cpus // CORES_PER_WORKER), len(partitions))
    largest = max((int(n["Resources"].get("CPU", 0)) for n in ray.nodes() if n["Alive"]), default=1)
    cores = max(1, min(cpus // max(count, 1), largest))  # a worker lives on one machine
    _silence_progress()
    rows = ray.data.from_items([{"partition": p} for p in partitions], override_num_blocks=len(partitions))
    actor: Any = _RayWorker
    reports = rows.map(
        actor,
        fn_constructor_kwargs={"job": _pickle(job), "threads": cores},
        compute=ray.data.ActorPoolStrategy(size=count, max_tasks_in_flight_per_actor=1),
        num_cpus=cores if not gpus else 1,
        num_gpus=min(1.0, gpus / count) if gpus else None,
    )
    for row in _until_cancelled(reports.iter_rows(), job):
        if row is None:
            yield PartitionReport(partitions[0], cancelled=True)
            return
        if row["error"]:
            raise StorageError(f"A Ray worker cannot continue: {row['error']}")
        report = json.loads(row["report"])
        yield PartitionReport(**report | {"failures": tuple(Failure(**f) for f in report["failures"])})


def _until_cancelled(rows: Iterable[dict[str, Any]], job: Job) -> Iterator[dict[str, Any] | None]:
    """Yield rows as they arrive; None, and no more, if none arrives for a while after the job is cancelled.

    Workers notice the cancellation themselves, but on a busy cluster there may be none yet.
    """
    results: queue.SimpleQueue[tuple[dict[str, Any] | None, BaseException | None]] = queue.SimpleQueue()

    def pull() -> None:
        try:
            for row in rows:
                results.put((row, None))
            results.put((None, None))
        except BaseException as error:
            results.put((None, error))

    threading.Thread(target=pull, name="nbforecast-ray", daemon=True).start()
    cancelled_at = None
    while True:
        try:
            row, error = results.get(timeout=POLL_SECONDS)
        except queue.Empty:
            if job.is_cancelled:
                cancelled_at = cancelled_at or time.monotonic()
                if time.monotonic() - cancelled_at > TIMEOUT_SECONDS:
                    yield None
                    return
            continue
        if error is not None:
            raise error
        if row is None:
            return
        cancelled_at = None
        yield row


class _RayWorker:
    """A worker in a separate process."""

    def __init__(self, job: bytes, threads: int) -> None:
        for name in _THREADS:
            os.environ[name] = str(threads)
        import ray.cloudpickle

        from nbforecast.distributed.worker import Worker

        self._worker = Worker(ray.cloudpickle.loads(job))

    def __call__(self, row: dict[str, Any]) -> dict[str, str]:
        try:
            return {"report": json.dumps(asdict(self._worker.forecast(int(row["partition"])))), "error": ""}
        except Exception as error:  # as text: Ray would report its own frames instead of the reason
            return {"report": "", "error": f"{type(error).__name__}: {error}"}


def connect(address: str | None = None) -> None:
    """Connect to a cluster, unless this process is connected to one.

    Args:
        address: `HOST:PORT`; None for the one at `RAY_ADDRESS`, else one that is started on this machine.

    Raises:
        StorageError: There is no cluster at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray

    if ray.is_initialized():
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    is_local = address == "local"
    own: dict[str, Any] = {"object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False} if is_local else {}
    try:
        _check_address(address)
    except OSError as error:
        raise StorageError(f"There is no Ray cluster at {address!r}: {error}.") from error
    attempts = START_ATTEMPTS if own else 1
    while True:
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
        except Exception as error:  # Ray has no type of its own for it
            ray.shutdown()
            attempts -= 1
            if not attempts:
                raise StorageError(f"There is no Ray cluster at {address!r}: {error}.") from error
        else:
            return


def _check_address(address: str) -> None:
    """Raise `OSError` where nothing answers at an address: Ray would try for minutes."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), TIMEOUT_SECONDS).close()


def _silence_progress() -> None:
    """Turn off the progress bars and logs of Ray Data."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)


def _pickle(job: Job) -> bytes:
    import ray.cloudpickle

    try:
        return bytes(ray.cloudpickle.dumps(job))
    except Exception as error:
        raise OptionError(
            f"The model cannot be sent to Ray's workers: {error}. Register it and pass its name."
        ) from error
