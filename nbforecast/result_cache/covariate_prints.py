"""Fingerprints of what forecasts depend on beside a series' own values: covariates and other series (C5, H2)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt64

from nbforecast.data.covariate_grid import covariate_grid
from nbforecast.result_cache.fingerprints import hash_numbers

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.result_cache.fingerprints import Fingerprints
    from nbforecast.result_cache.key import CacheKey, ForecastSpec


def covariate_digest(data: Dataset, spec: ForecastSpec) -> str:
    """16 hexadecimal digits of the covariates and groups that forecasts of some data depend on; empty if on none.

    Args:
        data: The dataset.
        spec: How the forecasts are made.
    """
    if spec.covariates is None:
        return ""
    grid = covariate_grid(data, spec.horizon)
    columns = spec.covariates.columns(data, spec.horizon, spec.model.name)
    digest = hashlib.sha256(repr(([grid.names[c] for c in columns], grid.is_future[columns].tolist())).encode())
    digest.update(grid.offsets.data)
    for column in columns:
        values = grid.values[column] + 0.0  # -0.0 and 0.0 are the same value
        values[np.isnan(values)] = np.nan  # one bit pattern for every NaN
        digest.update(values.data)
    if spec.covariates.siblings:
        digest.update(np.ascontiguousarray(data.groups, "<i8").data)
    return digest.hexdigest()[:16]


def entry_key(data: Dataset, spec: ForecastSpec) -> CacheKey:
    """The key of the entry of some data.

    Args:
        data: The dataset.
        spec: How the forecasts are made.
    """
    return spec.key(data.handle, covariate_digest(data, spec))


def context_fingerprints(fingerprints: Fingerprints, data: Dataset, spec: ForecastSpec) -> UInt64[np.ndarray, " N"]:
    """The fingerprint of everything that the forecast of each row depends on.

    Args:
        fingerprints: Those of the data.
        data: The dataset of N rows.
        spec: How the forecasts are made.

    Returns:
        (N,) fingerprints: of the observations of the context; if the model reads covariates, of their values in the
        context up to the origin, and of those known ahead within the horizon; if it reads groups, of the observations
        of all series of the group at the times of the context.
    """
    contexts = fingerprints.contexts(spec.context)
    use = spec.covariates
    if use is None:
        return contexts
    grid = covariate_grid(data, spec.horizon)
    columns = use.columns(data, spec.horizon, spec.model.name)
    place = grid.places(data.offsets)
    start = np.maximum(place - spec.context + 1, np.repeat(grid.offsets[:-1], data.lengths))
    steps = np.arange(grid.offsets[-1]) - np.repeat(grid.offsets[:-1] - fingerprints.first, np.diff(grid.offsets))
    for number, column in enumerate(columns.tolist()):
        salt = _salt(f"{number} {grid.names[column]} {grid.is_future[column]}")
        hashes = hash_numbers(steps.view("u8") + salt, grid.values[column])
        sums = np.append(np.uint64(0), np.cumsum(hashes, dtype=np.uint64))
        contexts += salt  # data without this covariate are other data, also where all its values are missing
        if use.past:
            contexts += sums[place + 1] - sums[start]
        if use.future and grid.is_future[column]:
            contexts += sums[place + 1 + spec.horizon] - sums[place + 1]
    return contexts + _group_contexts(fingerprints, data, spec.context) if use.siblings else contexts


def _group_contexts(fingerprints: Fingerprints, data: Dataset, context: int) -> UInt64[np.ndarray, " N"]:
    """The fingerprint of what the series of each row's group have at the times of the row's context.

    Observations are hashed with the names of their series and added up, step by step of a group.
    """
    groups = np.arange(len(data.ids)) if data.groups is None else data.groups
    first, last = np.full(groups.max() + 1, np.iinfo(np.int64).max), np.full(groups.max() + 1, np.iinfo(np.int64).min)
    np.minimum.at(first, groups, fingerprints.first)
    np.maximum.at(last, groups, fingerprints.last)
    starts = np.append(0, np.cumsum(last - first + 1))  # where the steps of each group begin
    step = np.arange(len(data)) + np.repeat(fingerprints.first - data.offsets[:-1], data.lengths)
    group = np.repeat(groups, data.lengths)
    place = starts[group] + step - first[group]
    salts = np.repeat(np.array([_salt(f"series {name}") for name in data.ids]), data.lengths)
    sums = np.zeros(starts[-1] + 1, np.uint64)
    np.add.at(sums, place + 1, hash_numbers(step.view("u8") + salts, data.values))
    np.cumsum(sums, out=sums)
    return sums[place + 1] - sums[np.maximum(place - context + 1, starts[group])]


def _salt(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little"))
