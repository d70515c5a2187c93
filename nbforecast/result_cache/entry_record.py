"""What the cache knows of an entry besides its results: what it is of, and how it is used."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, UInt8, UInt64

from nbforecast.result_cache.covariate_prints import context_fingerprints, covariate_digest
from nbforecast.result_cache.fingerprints import Fingerprints
from nbforecast.result_cache.snapshot import MAX_FORMER

if TYPE_CHECKING:
    from weakref import ref

    from nbforecast.data import Dataset
    from nbforecast.result_cache.key import CacheKey, ForecastSpec

Version = str
State = tuple[Version, int]


class EntryRecord:
    """The data and the specification of an entry, and notes of the cache.

    Attributes:
        data: The dataset.
        spec: How the forecasts are made.
        covariates: The digest of the covariates that the forecasts depend on; empty if on none.
        key: The key of all three.
        reasons: (N,) uint8, an `UnavailableReason` each; 0 where the origin can be forecast.
        forced: When forecasts were last requested with `force`, in seconds since the epoch; 0 if never (C6).
        forced_times: (N,) the same for every row.
        created, used: When the entry was created and last requested, in seconds since the epoch.
        cleared: Removals up to this time are applied, in seconds since the epoch (C16).
        hits: How often it was requested.
        reused: Origins whose forecasts came from other entries.
        saved: The `state` that was last saved, None if none was.
        is_exact: Somebody has asked for forecasts that no longer history has a part in (C5).
        is_published: The cache has held the entry.
        unsearched: (N,) the rows for which other entries have not been searched, None if there is none (E10).
        former: The handles that the entry had before rows were appended, the newest last; not more than `MAX_FORMER`.
        grown_from: The entry before rows were appended, and its `state` then; None if that was none in memory.
        is_released: The memory was emptied while the cache held the entry; it is not held again (C16).
    """

    def __init__(
        self,
        data: Dataset,
        spec: ForecastSpec,
        reasons: UInt8[np.ndarray, " N"],
        forced: float = 0.0,
        fingerprints: Fingerprints | None = None,
        covariates: str | None = None,
    ) -> None:
        """Note what an entry is of.

        Args:
            data: The dataset.
            spec: How the forecasts are made.
            reasons: (N,) for every row why it cannot be forecast, 0 where it can.
            forced: See the attributes.
            fingerprints: Those of the data, if they are known.
            covariates: See the attributes; None to take it from the data.
        """
        self.data = data
        self.spec = spec
        self.covariates = covariate_digest(data, spec) if covariates is None else covariates
        self.key: CacheKey = spec.key(data.handle, self.covariates)
        self.reasons = reasons
        self.forced = forced
        self.forced_times = np.full(len(data), forced)
        self.created = self.used = self.cleared = time.time()
        self.hits = self.reused = 0
        self.saved: State | None = None
        self.former: tuple[str, ...] = ()
        self.grown_from: tuple[ref[EntryRecord], State] | None = None
        self.unsearched: Bool[np.ndarray, " N"] | None = None
        self.is_exact = self.is_published = self.is_released = False
        if fingerprints is not None:
            self.fingerprints = fingerprints

    @property
    def next_former(self) -> tuple[str, ...]:
        """The `former` of an entry that begins with this one."""
        return (*self.former, self.key.handle)[-MAX_FORMER:]

    @property
    def has_grown(self) -> bool:
        """Whether rows were appended to an earlier entry, which it has replaced (V2)."""
        return bool(self.former)

    @cached_property
    def fingerprints(self) -> Fingerprints:
        """Those of the data."""
        return Fingerprints(self.data)

    @cached_property
    def contexts(self) -> UInt64[np.ndarray, " N"]:
        """(N,) the fingerprint of the context that each row's forecast is made from."""
        return context_fingerprints(self.fingerprints, self.data, self.spec)
