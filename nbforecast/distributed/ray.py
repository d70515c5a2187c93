"""The engine of a Ray cluster: actors that load the model once and make shards, through Ray Data.

This module is imported by an actor before it says how many threads its libraries may have: it imports none of them.
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

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nbforecast.distributed.worker import Job, Report

STORE = 128 << 20  # bytes of shared memory of a cluster of our own: nothing but numbers of buckets goes through it
PATIENCE = 10.0  # seconds for a cluster to answer, or for workers to stop
LOOK = 0.5  # seconds between two looks at whether the job is called off
TRIES = 3  # of beginning one here: on a busy machine Ray gives up after half a minute
CORES = 2  # of a worker, where there are no GPUs
_THREADS = ("PJRT_NPROC", "POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def require() -> None:
    """Raise `MissingExtra` where Ray Data is not here."""
    for module in ("ray", "pandas", "fsspec"):
        if importlib.util.find_spec(module) is None:
            raise MissingExtra(f"engine='ray' needs the library {module}: pip install 'nbforecast[ray]'.")


def work(job: Job, buckets: list[int], address: str | None = None, workers: int | None = None) -> Iterator[Report]:
    """Make the shards of some buckets, and tell of each as it comes.

    Ray gives a bucket whose worker dies to another one.
    """
    import ray
    import ray.data

    from nbforecast.distributed.layout import Failure
    from nbforecast.distributed.worker import Report

    connect(address)
    cluster = ray.cluster_resources()
    cpus, gpus = int(cluster.get("CPU", 1)), int(cluster.get("GPU", 0))
    count = min(workers or gpus or max(1, cpus // CORES), len(buckets))
    largest = max((int(n["Resources"].get("CPU", 0)) for n in ray.nodes() if n["Alive"]), default=1)
    cores = max(1, min(cpus // max(count, 1), largest))  # a worker lives on one machine
    _quiet()
    rows = ray.data.from_items([{"bucket": bucket} for bucket in buckets], override_num_blocks=len(buckets))
    actor: Any = _Actor
    reports = rows.map(
        actor,
        fn_constructor_kwargs={"job": _packed(job), "threads": cores},
        compute=ray.data.ActorPoolStrategy(size=count, max_tasks_in_flight_per_actor=1),
        num_cpus=cores if not gpus else 1,
        num_gpus=min(1.0, gpus / count) if gpus else None,
    )
    for row in _while_wanted(reports.iter_rows(), job):
        if row is None:
            yield Report(buckets[0], stopped=True)
            return
        if row["error"]:
            raise StorageError(f"A worker of Ray has come to an end: {row['error']}")
        told = json.loads(row["report"])
        yield Report(**told | {"failures": tuple(Failure(**f) for f in told["failures"])})


def _while_wanted(rows: Iterable[dict[str, Any]], job: Job) -> Iterator[dict[str, Any] | None]:
    """Rows as they come; None, and no more, if none comes for a while after the job is called off.

    Workers see that by themselves, but on a busy cluster there may be none yet.
    """
    found: queue.SimpleQueue[tuple[dict[str, Any] | None, BaseException | None]] = queue.SimpleQueue()

    def pull() -> None:
        try:
            for row in rows:
                found.put((row, None))
            found.put((None, None))
        except BaseException as error:
            found.put((None, error))

    threading.Thread(target=pull, name="nbforecast-ray", daemon=True).start()
    since = None
    while True:
        try:
            row, error = found.get(timeout=LOOK)
        except queue.Empty:
            if job.stopped:
                since = since or time.monotonic()
                if time.monotonic() - since > PATIENCE:
                    yield None
                    return
            continue
        if error is not None:
            raise error
        if row is None:
            return
        since = None
        yield row


class _Actor:
    """A worker in a process of its own."""

    def __init__(self, job: bytes, threads: int) -> None:
        for name in _THREADS:
            os.environ[name] = str(threads)
        import ray.cloudpickle

        from nbforecast.distributed.worker import Worker

        self._worker = Worker(ray.cloudpickle.loads(job))

    def __call__(self, row: dict[str, Any]) -> dict[str, str]:
        try:
            return {"report": json.dumps(asdict(self._worker.work(int(row["bucket"])))), "error": ""}
        except Exception as error:  # as text: Ray would tell of its own frames, and not of the reason
            return {"report": "", "error": f"{type(error).__name__}: {error}"}


def connect(address: str | None = None) -> None:
    """Connect to a cluster, unless this process is connected; without an address, to one begun here.

    Raises `StorageError` where there is none.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray

    if ray.is_initialized():
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    own: dict[str, Any] = {"object_store_memory": STORE, "include_dashboard": False} if address == "local" else {}
    try:
        _reach(address)
    except OSError as error:
        raise StorageError(f"There is no Ray cluster to be had at {address!r}: {error}.") from error
    tries = TRIES if own else 1
    while True:
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
        except Exception as error:  # Ray has no type of its own for it
            ray.shutdown()
            tries -= 1
            if not tries:
                raise StorageError(f"There is no Ray cluster to be had at {address!r}: {error}.") from error
        else:
            return


def _reach(address: str) -> None:
    """Raise `OSError` where nobody answers at an address: Ray would try for minutes."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), PATIENCE).close()


def _quiet() -> None:
    """Have Ray Data tell of its progress by what it yields."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)


def _packed(job: Job) -> bytes:
    import ray.cloudpickle

    try:
        return bytes(ray.cloudpickle.dumps(job))
    except Exception as error:
        raise OptionError(f"The model cannot be sent to Ray's workers: {error}. Give it by a name.") from error
