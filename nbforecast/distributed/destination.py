"""The files of a destination: shards of whole series, under names that state their contents.

`DESTINATION/model=NAME/horizon=H/shard=BBBB-of-NNNN-HANDLE.parquet` is partition BBBB of NNNN: the series whose ids
hash to this number, and no others. HANDLE is the content hash of their data, so that a shard of equal data is not
computed again. A shard is an entry of the result cache, in its format, and appears whole under its name or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import filelock
import polars as pl

from nbforecast.atomic_write import PART_SUFFIX, atomic_write
from nbforecast.errors import ForecasterError, NbForecastError, StorageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

FAILURES_FILE = "_failures.parquet"
STAGING_PREFIX = ".staging-"
POINTS_PER_SHARD = 100_000  # some 70 MB of forecasts, some 300 MB of memory while they are computed
MAX_SERIES_PER_SHARD = 1024
_NAME = re.compile(r"shard=(\d{4,})-of-(\d{4,})-([0-9a-f]{32})\.parquet")
_FAILURE_SCHEMA = {"unique_id": pl.String, "shard": pl.Int64, "kind": pl.String, "message": pl.String}


@dataclass(frozen=True)
class Shard:
    """A file of a destination.

    Attributes:
        path: The file.
        partition: Number of the partition, from 0.
        partition_count: Number of partitions of the panel.
        handle: Content hash of the data.
        modified: Modification time in nanoseconds.
        size: In bytes.
    """

    path: Path
    partition: int
    partition_count: int
    handle: str
    modified: int
    size: int


@dataclass(frozen=True)
class Failure:
    """A series without forecasts.

    Attributes:
        unique_id: Id of the series; None for rows without an id.
        shard: Number of its partition.
        kind: `id`, `values`, `data`, `model` or `worker`, whichever is at fault.
        message: The reason.
    """

    unique_id: str | None
    shard: int | None
    kind: str
    message: str


def partition_of(series: str, count: int) -> int:
    """Return the partition of a series, the same on every machine and in every version: BLAKE2b of its id, modulo."""
    return int.from_bytes(hashlib.blake2b(series.encode(), digest_size=8).digest(), "little") % count


def choose_partition_count(series: int, points: int, series_per_shard: int | None) -> int:
    """Choose the number of partitions of a panel.

    Args:
        series: Number of series.
        points: Number of rows.
        series_per_shard: Average number of series in a shard; None for about `POINTS_PER_SHARD` points.
    """
    per_shard = series_per_shard or max(1, min(MAX_SERIES_PER_SHARD, POINTS_PER_SHARD * series // max(points, 1)))
    return max(1, -(-series // per_shard))


def shard_folder(destination: Path, model: str, horizon: int) -> Path:
    """Return the folder of the shards of a model and horizon; characters unfit for a folder are percent-encoded."""
    return destination / f"model={quote(model, safe=' ')}" / f"horizon={horizon}"


def shard_path(folder: Path, partition: int, count: int, handle: str) -> Path:
    """Return the path of a shard."""
    return folder / f"shard={partition:04}-of-{count:04}-{handle}.parquet"


def shards_in(folder: Path) -> list[Shard]:
    """List the shards of one folder, the oldest first."""
    shards = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            match = _NAME.fullmatch(entry.name)
            if match is None:
                continue
            with contextlib.suppress(FileNotFoundError):
                facts = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(facts.st_mode):
                    numbers = int(match[1]), int(match[2])
                    shards.append(Shard(Path(entry.path), *numbers, match[3], facts.st_mtime_ns, facts.st_size))
    return sorted(shards, key=lambda shard: (shard.modified, shard.path))


def newest_shards(shards: Iterable[Shard]) -> dict[int, Shard]:
    """Return the valid shard of each partition, the one written last, by partition."""
    return {s.partition: s for s in sorted(shards, key=lambda s: (s.modified, s.path))}


def shards_below(folder: Path) -> list[Shard]:
    """List the valid shards in a folder, or in a destination's folders of models and horizons."""
    folders = [folder, *sorted(folder.glob("horizon=*")), *sorted(folder.glob("model=*/horizon=*"))]
    return [shard for f in folders for _, shard in sorted(newest_shards(shards_in(f)).items())]


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Create a folder and hold its lock, so that one run at a time writes into it.

    Raises:
        StorageError: Another run holds the lock.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / ".lock", timeout=0):
            yield
    except filelock.Timeout as error:
        raise StorageError(f"Another run is writing into {str(folder)!r}; wait for it, or cancel it.") from error


def delete_unfinished(folder: Path) -> None:
    """Delete the unfinished files of runs that were killed; the folder is locked."""
    for path in folder.glob(f"{STAGING_PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob(f".*{PART_SUFFIX}"):
        path.unlink(missing_ok=True)


def delete_other_shards(folder: Path, partitions: Collection[int]) -> None:
    """Delete the newest shards of partitions that the source no longer has.

    Args:
        folder: The folder of the shards.
        partitions: The partitions whose shards stay.
    """
    newest = newest_shards(shards_in(folder))
    for partition in newest.keys() - set(partitions):
        newest[partition].path.unlink(missing_ok=True)


def failures_frame(failures: Iterable[Failure]) -> pl.DataFrame:
    """Tabulate failures in order of ids: unique_id, shard (the partition), kind, message."""
    return pl.DataFrame([asdict(f) for f in failures], schema=_FAILURE_SCHEMA).sort("unique_id", "shard")


def read_failures(folder: Path) -> list[Failure]:
    """Read the failures of a folder; none where the file is missing or of another kind."""
    try:
        frame = pl.read_parquet(folder / FAILURES_FILE, glob=False).select(f.name for f in fields(Failure))
    except (OSError, pl.exceptions.PolarsError):
        return []
    return [Failure(**row) for row in frame.iter_rows(named=True)]


def write_failures(folder: Path, failures: list[Failure]) -> None:
    """Replace the failures of a folder; without failures the file is deleted."""
    target = folder / FAILURES_FILE
    if not failures:
        target.unlink(missing_ok=True)
        return
    with atomic_write(target) as file:
        failures_frame(failures).write_parquet(file)


def wrap_error(error: BaseException, folder: Path) -> NbForecastError:
    """What ended the writing of shards, as an error of nbforecast.

    Args:
        error: An error of nbforecast, which is returned as it is, or one of the system or of other code.
        folder: Where the shards are.
    """
    if isinstance(error, NbForecastError):
        return error
    wrapped: NbForecastError
    if isinstance(error, OSError):
        wrapped = StorageError(f"Forecasts cannot be written to {str(folder)!r}: {error}. Finished shards stay.")
    else:
        wrapped = ForecasterError(f"The panel was not finished: {type(error).__name__}: {error}")
    wrapped.__cause__ = error
    return wrapped
