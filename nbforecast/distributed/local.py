"""The engine of this process: one worker, one shard after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nbforecast.distributed.worker import Report, Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbforecast.distributed.worker import Job


def work(job: Job, buckets: list[int]) -> Iterator[Report]:
    """Make the shards of some buckets, and tell of each."""
    worker = Worker(job)
    try:
        for bucket in buckets:
            yield worker.work(bucket)
    finally:
        worker.close()
