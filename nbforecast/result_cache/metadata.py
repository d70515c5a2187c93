"""The metadata in the footer of an entry's file: enough to find the entry and to rebuild the grid of its data (C4)."""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from jaxtyping import Float64

from nbforecast.data import Dataset
from nbforecast.data.calendar_text import parse_calendar
from nbforecast.data.dataset import Names
from nbforecast.data.frequency import Frequency
from nbforecast.errors import OptionError
from nbforecast.forecasters.covariate_use import CovariateUse
from nbforecast.result_cache import format_1
from nbforecast.result_cache.key import ForecastSpec, ModelSpec
from nbforecast.result_cache.snapshot import ViewRecord
from nbforecast.result_cache.status import Status
from nbforecast.scoring.origin_scores import SCORE_VERSION
from nbforecast.time_units import DAY, SECOND

if TYPE_CHECKING:
    from nbforecast.result_cache.key import CacheKey
    from nbforecast.result_cache.snapshot import DeltaRecord, Snapshot

# a sparse file has results of some rows only, null elsewhere
FORMAT, SPARSE_FORMAT = 4, 5
_EARLIER_FORMATS = (
    2,
    3,
)  # dense and sparse, with the index of each row instead of its step; `format_1` has the first one
_GROWING = (
    "handle",
    "content_signature",
    "version",
    "index_len",
    "end_time",
    "available",
    "inferred",
    "calculated",
    "created",
    "forced",
    "forced_rows",
    "cleared",
    "is_exact",
    "former",
)  # what differs once rows are appended
_HANDLE, _DIGEST = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{16}")
_KEY = re.compile(r"[0-9a-f]{32}-[0-9a-f]{16}")
_KINDS = ("fixed", "month", "business", "integer", "calendar")
_MAX_TIME = 1e11  # seconds since the epoch: some three thousand years
_MAX_COUNT = 1 << 40  # rows and steps; larger numbers are damage


class Unreadable(Exception):
    """A file that cannot be read on this machine now, though it may be whole; the message says why."""


class Damaged(Unreadable):
    """A file that is not an entry, or no longer; the message says why."""


@dataclass(frozen=True)
class Metadata:
    """The metadata of a file, checked.

    Attributes:
        facts: Plain values as JSON has them, under the names that `pack` gives them.
    """

    facts: dict[str, Any]

    @cached_property
    def spec(self) -> ForecastSpec:
        """How the forecasts are made."""
        f = self.facts
        is_seeded = not format_1.names_unused_seed(f["model_key"])
        model = ModelSpec.of(f["model_name"], f["model_key"], f["seed"], f["max_gap"], is_seeded=is_seeded)
        use = f.get("covariates")
        if use is not None:
            use = CovariateUse(**use | {"names": None if use["names"] is None else tuple(use["names"])})
        return ForecastSpec(model, f["horizon"], tuple(f["levels"]), f["context"], use)

    @cached_property
    def key(self) -> CacheKey:
        """The entry's key."""
        return self.spec.key(self.facts["handle"])

    @property
    def has_current_scores(self) -> bool:
        """Whether the scores were calculated as they are today; otherwise they are calculated anew (C10)."""
        return bool(self.facts["score_version"] == SCORE_VERSION)

    @cached_property
    def frequency(self) -> Frequency:
        """The grid's step."""
        return Frequency(**self.facts["frequency"])

    @property
    def is_sparse(self) -> bool:
        """Whether the file has results of the rows with a forecast only, and nulls elsewhere (E10)."""
        return self.facts["format"] in (SPARSE_FORMAT, _EARLIER_FORMATS[1])

    @property
    def can_grow(self) -> bool:
        """Whether rows can be appended in files beside this one, which have the same columns."""
        return self.facts["format"] in (FORMAT, SPARSE_FORMAT) and self.view is None and "delta" not in self.facts

    def grown(self, last: Metadata) -> Metadata:
        """The metadata of the entry with rows that files beside its first one hold.

        Args:
            last: The metadata of the last one of these files.

        Returns:
            The metadata of all rows; the digests, and whether results are sparse, are those of the first file.

        Raises:
            Damaged: The two do not belong together.
        """
        facts = self.facts | last.facts["delta"]["entry"] | {"saved": last.facts["saved"]}
        if "covariate_digest" in facts:  # that of all rows, the second half of the handle
            facts["covariate_digest"] = last.facts["covariate_digest"]
        lengths = zip(self.facts["index_len"], facts["index_len"], strict=False)
        try:
            if not all(before <= after for before, after in lengths):
                raise ValueError("it has fewer rows than its first file")
            _check(facts)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise Damaged(f"its metadata make no sense ({type(error).__name__}: {error})") from error
        return Metadata(facts)

    @property
    def view(self) -> ViewRecord | None:
        """The longer history whose entry has the results, if the file says so."""
        view = self.facts.get("view")
        return None if view is None else ViewRecord(**view)

    @property
    def rows(self) -> int:
        """N, the rows of all series."""
        return sum(self.facts["index_len"])

    @property
    def forced_times(self) -> Float64[np.ndarray, " N"]:
        """(N,) when each origin was last requested with `force`, in seconds since the epoch; 0 if never (C6)."""
        counts, times = zip(*self.facts["forced_rows"], strict=True)
        return np.repeat(np.array(times, np.float64), counts)

    @cached_property
    def spans(self) -> dict[str, tuple[int, int]]:
        """The first and last grid step of each series."""
        f = self.facts
        ends = zip(f["ids"], f["first_step"], f["index_len"], strict=True)
        return {name: (first, first + steps - 1) for name, first, steps in ends}

    def dataset(self, values: Float64[np.ndarray, " N"]) -> Dataset:
        """The dataset of the entry.

        Args:
            values: (N,) its values.

        Returns:
            The dataset.
        """
        f = self.facts
        lengths = np.array(f["index_len"], np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        steps = np.arange(offsets[-1]) + np.repeat(np.array(f["first_step"], np.int64) - offsets[:-1], lengths)
        times = self.frequency.to_time(steps)
        time_type = _text_to_type(f["time_type"])
        return Dataset(
            tuple(f["ids"]), offsets, times, values, self.frequency, f["max_gap"], time_type, Names(f["name"])
        )


def pack(snapshot: Snapshot, digests: dict[str, str], delta: DeltaRecord | None = None) -> bytes:
    """Metadata as bytes, with a digest of their own.

    Args:
        snapshot: The entry, or rows that were appended to one.
        digests: A digest of each column, by name.
        delta: What the rows were appended to, if they were.

    Returns:
        The bytes, for `unpack`.
    """
    facts = _describe(snapshot) | {"saved": time.time(), "digests": digests}
    if delta is not None:
        entry = _describe(delta.entry)
        facts["delta"] = {"of": delta.of, "number": delta.number, "entry": {name: entry[name] for name in _GROWING}}
    return json.dumps(facts | {"signature": _signature(facts)}, ensure_ascii=False).encode()


def _describe(snapshot: Snapshot) -> dict[str, Any]:
    """An entry's metadata as plain values."""
    data, spec = snapshot.data, snapshot.spec
    facts = {
        "format": FORMAT if snapshot.rows is None else SPARSE_FORMAT,
        "name": data.names.frame,
        "handle": snapshot.key.handle,
        "content_signature": snapshot.key.handle,
        "version": snapshot.version,
        "model_name": spec.model.name,
        "model_key": spec.model.key,
        "seed": spec.model.seed,
        "horizon": spec.horizon,
        "levels": list(spec.levels),
        "context": spec.context,
        "frequency": {name: value for name, value in asdict(data.frequency).items() if name != "calendar" or value},
        "max_gap": data.max_gap,
        "time_type": _type_to_text(data.time_type),
        "ids": list(data.ids),
        "first_step": data.frequency.to_step(data.time[data.offsets[:-1]]).tolist(),
        "index_len": data.lengths.tolist(),
        "start_time": str(data.time.min()),
        "end_time": str(data.time.max()),
        "available": int((snapshot.reasons == 0).sum()),
        "inferred": snapshot.inferred,
        "calculated": int((snapshot.status == Status.SCORED).sum()),
        "score_version": SCORE_VERSION,
        "created": snapshot.created,
        "forced": snapshot.forced,
        "forced_rows": _encode_runs(snapshot.forced_times),
        "cleared": snapshot.cleared,
        "is_exact": snapshot.is_exact,
        "former": list(snapshot.former),
    }
    if snapshot.view is not None:
        facts["view"] = snapshot.view._asdict()
    if spec.covariates is not None:
        facts |= {"covariates": spec.covariates.facts, "covariate_digest": snapshot.covariates}
    return facts


def unpack(packed: bytes) -> Metadata:
    """Metadata from bytes.

    Args:
        packed: What `pack` has made.

    Returns:
        The metadata, checked.

    Raises:
        Damaged: The bytes are something else.
        Unreadable: A later version of nbforecast has made them.
    """
    try:
        facts = json.loads(packed)
        if facts.pop("signature") != _signature(facts):
            raise Damaged("its metadata are damaged")
        version = facts["format"]
        if version > SPARSE_FORMAT:
            raise Unreadable(f"a newer nbforecast has written it (format {version})")
        if version == 1:
            facts = format_1.upgrade(facts)
        elif version not in (*_EARLIER_FORMATS, FORMAT, SPARSE_FORMAT):
            raise Damaged(f"an older nbforecast has written it (format {version})")
        if facts.setdefault("score_version", 1) != SCORE_VERSION:
            facts["calculated"] = 0
        facts.setdefault("is_exact", False)
        facts.setdefault("former", [])
        facts.setdefault("cleared", facts["created"])  # files of earlier versions do not say
        facts.setdefault("forced_rows", [[sum(facts["index_len"]), facts["forced"]]])
        _check(facts)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise Damaged(f"its metadata make no sense ({type(error).__name__}: {error})") from error
    return Metadata(facts)


def _check(facts: dict[str, Any]) -> None:
    """Raise an error for values that `pack` does not write, even if they are signed."""
    ids, lengths, first, levels = facts["ids"], facts["index_len"], facts["first_step"], facts["levels"]
    frequency = Frequency(**facts["frequency"])
    numbers = [
        *lengths,
        *first,
        facts["horizon"],
        facts["context"],
        facts["max_gap"],
        frequency.every,
        frequency.anchor,
    ]
    name = "" if facts["name"] is None else facts["name"]
    texts = [*ids, name, *(facts[n] for n in ("model_name", "model_key", "version", "start_time", "end_time"))]
    is_sound = (
        _HANDLE.fullmatch(facts["handle"]) is not None
        and all(isinstance(text, str) for text in texts)
        and len(set(ids)) == len(ids) == len(lengths) == len(first) > 0
        and all(type(n) is int and abs(n) < 1 << 62 for n in numbers)
        and type(facts["seed"]) is int
        and abs(facts["seed"]) <= 1 << 63
        and all(n > 0 for n in (*lengths, facts["horizon"], facts["context"], frequency.every))
        and max(sum(lengths), facts["horizon"], facts["context"]) < _MAX_COUNT
        and frequency.kind in _KINDS
        and (frequency.kind == "calendar") == bool(frequency.calendar)
        and len(levels) > 0
        and all(0 < a < 1 for a in levels)
        and all(0 <= facts[n] < _MAX_TIME for n in ("created", "forced", "cleared", "saved"))
        and isinstance(facts["is_exact"], bool)
        and _are_runs(facts["forced_rows"], sum(lengths))
        and all(0 <= facts[n] <= sum(lengths) for n in ("available", "inferred", "calculated"))
        and isinstance(facts["digests"], dict)
        and isinstance(facts["former"], list)
        and all(_HANDLE.fullmatch(handle) for handle in facts["former"])
    )
    if not is_sound:
        raise ValueError("a value is impossible")
    "".join(texts).encode()  # fails for surrogates, which no text has
    _text_to_type(facts["time_type"])
    if frequency.calendar:
        _check_calendar(frequency)
    if facts.get("covariates") is not None:
        _check_covariates(facts)
    if facts.get("delta") is not None:
        delta = facts["delta"]
        if not (_KEY.fullmatch(delta["of"]) and type(delta["number"]) is int and set(delta["entry"]) == {*_GROWING}):
            raise ValueError("what its rows were appended to is impossible")
    if facts.get("view") is not None:
        view, most = ViewRecord(**facts["view"]), sum(lengths)
        counts = view.calculated, view.inferred, most
        if not (
            _KEY.fullmatch(view.of) and all(type(n) is int for n in counts) and 0 <= counts[0] <= counts[1] <= most
        ):
            raise ValueError("its view is impossible")


def _check_calendar(frequency: Frequency) -> None:
    """Raise an error for a calendar that no grid has."""
    try:
        text = parse_calendar(frequency.calendar).text
    except OptionError as error:
        raise ValueError(str(error)) from error
    is_grid = SECOND <= frequency.every <= DAY and DAY % frequency.every == 0 and 0 <= frequency.anchor < DAY
    if text != frequency.calendar or not is_grid:
        raise ValueError("its calendar is impossible")
    _ = frequency.slots


def _check_covariates(facts: dict[str, Any]) -> None:
    """Raise an error for a declaration or a digest of covariates that `pack` does not write."""
    use, digest = facts["covariates"], facts["covariate_digest"]
    names = use["names"] or []
    is_sound = (
        use.keys() | {"siblings"} == {f.name for f in fields(CovariateUse)}
        and all(isinstance(use[name], bool) for name in use if name != "names")
        and isinstance(names, list)
        and all(isinstance(name, str) for name in names)
        and _DIGEST.fullmatch(digest) is not None
        and facts["handle"].endswith(digest)
    )
    if not is_sound:
        raise ValueError("its covariates are impossible")


def _encode_runs(times: Float64[np.ndarray, " N"]) -> list[list[Any]]:
    """Times of rows as counts of neighbours that share one, and the time that they share."""
    starts = np.flatnonzero(np.append(True, np.diff(times) != 0))
    counts = np.diff(np.append(starts, len(times)))
    return [[count, time] for count, time in zip(counts.tolist(), times[starts].tolist(), strict=True)]


def _are_runs(runs: list[list[Any]], rows: int) -> bool:
    """Whether these are counts and times of so many rows."""
    return (
        all(type(count) is int and count > 0 and type(time) in (int, float) for count, time in runs)
        and all(0 <= time < _MAX_TIME for _, time in runs)
        and sum(count for count, _ in runs) == rows
    )


def _signature(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _type_to_text(kind: pl.DataType) -> str:
    if isinstance(kind, pl.Datetime):
        return f"datetime:{kind.time_zone or ''}"
    return "date" if kind == pl.Date else "integer"


def _text_to_type(text: str) -> pl.DataType:
    if text.startswith("datetime:"):
        zone = text.removeprefix("datetime:") or None
        if zone is not None:
            ZoneInfo(zone)
        return pl.Datetime("us", zone)
    return {"date": pl.Date(), "integer": pl.Int64()}[text]
