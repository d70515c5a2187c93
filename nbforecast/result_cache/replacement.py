"""Entries that take the place of smaller ones: of parts of their history (C7a), and of what they were before (V2)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

import numpy as np

from nbforecast.result_cache.appended_rows import holds
from nbforecast.result_cache.collisions import should_replace
from nbforecast.result_cache.entry_slice import EntrySlice
from nbforecast.result_cache.fingerprints import Fingerprints, is_beginning
from nbforecast.result_cache.removable_results import RemovableResults
from nbforecast.result_cache.snapshot import has_forecast

if TYPE_CHECKING:
    from nbforecast.result_cache.entry import Entry


class ReplaceableResults(RemovableResults):
    """Serves smaller histories from the entry that contains them, and drops what an entry was before it grew."""

    def _adopt_forced(self, present: EntrySlice, new: EntrySlice) -> bool:
        """Keep what was forced later than the results that replace it (C7a); false if these cannot hold it."""
        rows = np.flatnonzero(has_forecast(present.status) & (present.forced_times > new.forced_times))
        if len(rows) and new.key != new.entry.key:
            return False
        new.entry.adopt(rows, present.entry.read(present.entry_rows(rows)))
        return True

    def _replace_parts(self, entry: Entry) -> None:
        """Serve the histories that an entry contains from it, instead of from smaller entries of their own (C7a)."""
        for present in self.slices():
            smaller = present.entry
            is_alike = smaller.spec == entry.spec and smaller.data.frequency == entry.data.frequency
            if smaller is entry or present.key != smaller.key or not is_alike:
                continue
            part = EntrySlice.newest_part(entry, present.data, smaller.fingerprints, smaller.reasons)
            replaces = should_replace(len(smaller), len(entry), agree=part is not None, force=False)
            if part is None or not self._belongs(part):
                continue
            is_needed = smaller.is_exact and part.longer_contexts().any()
            if is_needed or (has_forecast(present.status) & (present.forced_times > part.forced_times)).any():
                continue
            if replaces and part.inferred >= present.inferred:
                with self._lock:
                    self._slices[present.key] = part
                    self._repoint(smaller, entry)
                file = None if self.directory is None else self.directory.find(present.key)
                if file is not None and entry.saved == entry.state:
                    self.save_view(part, smaller.reasons, file)

    def _evict_former(self, entry: Entry) -> None:
        """Remove from memory what an entry was before rows were appended, unless it has more than the entry (V2)."""
        for present in self.slices():
            former = present.entry
            is_other = former is not entry and present.key == former.key and former.spec == entry.spec
            if not is_other or id(former) in self._pins:
                continue
            is_unchanged = entry.grown_from is not None and entry.grown_from == (ref(former), former.state)
            if is_unchanged or (is_beginning(former.fingerprints, entry.fingerprints) and holds(entry, former)):
                self.evict(former.key)

    def _repoint(self, old: Entry, new: Entry) -> None:
        """Read parts of an entry from the one that has replaced it (`_lock` is held)."""
        for key, part in list(self._slices.items()):
            if part.entry is old and key != old.key:
                new_part = EntrySlice.newest_part(new, part.data, Fingerprints(part.data), part.reasons)
                if new_part is None or not self._belongs(new_part):
                    del self._slices[key]
                else:
                    self._slices[key] = new_part
