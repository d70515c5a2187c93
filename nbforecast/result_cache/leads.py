"""Where reusable results may be found: among the entries in memory, and in the files of a directory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from nbforecast.result_cache.fingerprints import Fingerprints

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from nbforecast.data import Dataset
    from nbforecast.result_cache.directory import CacheDirectory, CacheFile
    from nbforecast.result_cache.entry import Entry
    from nbforecast.result_cache.metadata import Metadata


@dataclass(frozen=True)
class MemoryCandidate:
    """An entry in memory."""

    entry: Entry

    @property
    def spans(self) -> dict[str, tuple[int, int]]:
        prints = self.entry.fingerprints
        return dict(zip(prints.ids, zip(prints.first.tolist(), prints.last.tolist(), strict=True), strict=True))

    def outline(self) -> Entry:
        return self.entry

    def load(self) -> Entry:
        return self.entry


@dataclass(frozen=True)
class FileCandidate:
    """An entry in a file, of which no more is read than is asked for."""

    store: CacheDirectory
    found: CacheFile
    header: Metadata
    read: Callable[[CacheFile], Entry | None]

    @property
    def spans(self) -> dict[str, tuple[int, int]]:
        return self.header.spans

    def outline(self) -> SavedOutline | None:
        read = self.store.outline(self.found)
        return None if read is None else SavedOutline(*read)

    def load(self) -> Entry | None:
        return self.read(self.found)


@dataclass(frozen=True)
class SavedOutline:
    """What a file says of its contexts."""

    data: Dataset
    contexts: np.ndarray
    status: np.ndarray

    @cached_property
    def fingerprints(self) -> Fingerprints:
        return Fingerprints(self.data)
