"""What a destination holds: shards of whole series, under names that say what is in them.

`DESTINATION/model=NAME/horizon=H/shard=BBBB-of-NNNN-HANDLE.parquet` is bucket BBBB of NNNN: the series whose ids hash
to it, and nothing else. HANDLE is the content hash of their data, so a shard that is there need not be made again. A
shard is an entry of the result cache, in its format, and appears whole under its name or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

FAILURES = "_failures.parquet"
STAGING = ".staging-"
PART = ".part"
POINTS = 100_000  # of a shard: some 70 MB of forecasts, some 300 MB of memory while it is made
SERIES = 1024  # of a shard, at most
_NAME = re.compile(r"shard=(\d{4,})-of-(\d{4,})-([0-9a-f]{32})\.parquet")


@dataclass(frozen=True)
class Shard:
    """A file of a destination. `written`: its modification time in nanoseconds."""

    path: Path
    bucket: int
    of: int
    handle: str
    written: int
    size: int


@dataclass(frozen=True)
class Failure:
    """A series without forecasts. kind: `id`, `values`, `data`, `model` or `worker`, whichever was at fault."""

    unique_id: str | None
    shard: int | None
    kind: str
    message: str


def bucket_of(series: str, of: int) -> int:
    """The bucket of a series, the same on every machine and in every version: BLAKE2b of its id, modulo `of`."""
    return int.from_bytes(hashlib.blake2b(series.encode(), digest_size=8).digest(), "little") % of


def bucket_count(series: int, points: int, series_per_shard: int | None) -> int:
    """How many buckets a panel is divided into: shards of so many series, or of about `POINTS` points."""
    per_shard = series_per_shard or max(1, min(SERIES, POINTS * series // max(points, 1)))
    return max(1, -(-series // per_shard))


def folder_of(destination: Path, model: str, horizon: int) -> Path:
    """Where the shards of a model and horizon lie; signs that no folder should have are percent-encoded."""
    return destination / f"model={quote(model, safe=' ')}" / f"horizon={horizon}"


def shard_path(folder: Path, bucket: int, of: int, handle: str) -> Path:
    """Where a shard belongs."""
    return folder / f"shard={bucket:04}-of-{of:04}-{handle}.parquet"


def shards_in(folder: Path) -> list[Shard]:
    """The shards of one folder, the oldest first."""
    found = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            match = _NAME.fullmatch(entry.name)
            if match is None:
                continue
            with contextlib.suppress(FileNotFoundError):
                facts = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(facts.st_mode):
                    numbers = int(match[1]), int(match[2])
                    found.append(Shard(Path(entry.path), *numbers, match[3], facts.st_mtime_ns, facts.st_size))
    return sorted(found, key=lambda shard: (shard.written, shard.path))


def newest(shards: Iterable[Shard]) -> dict[int, Shard]:
    """Of every bucket the shard written last, which is the one that counts; by bucket."""
    return {s.bucket: s for s in sorted(shards, key=lambda s: (s.written, s.path))}


def shards_below(folder: Path) -> list[Shard]:
    """The shards that count in a folder, or in a destination's folders of models and horizons."""
    folders = [folder, *sorted(folder.glob("horizon=*")), *sorted(folder.glob("model=*/horizon=*"))]
    return [shard for place in folders for _, shard in sorted(newest(shards_in(place)).items())]
