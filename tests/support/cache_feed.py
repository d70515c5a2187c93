"""Views of the cache as tests have them: their requests, the messages they receive, and entries for them to show."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nbforecast import session
from nbforecast.data import prepare
from nbforecast.forecasters.adapters.function import FunctionForecaster
from nbforecast.options import ForecastOptions
from nbforecast.result_cache.entry import Entry
from tests.support.explorers import drift, series

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.blocking_model import Gate

    Look = Callable[..., list[dict[str, Any]]]
    Answer = Callable[..., dict[str, Any]]

CONNECT = {"kind": "connect", "v": 2, "client": "a"}


def action_request(id: Any, name: str, **fields: Any) -> dict[str, Any]:
    """The request for an action."""
    return {"kind": "action_request", "id": id, "action": {"name": name, **fields}}


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def kinds(contents: list[dict[str, Any]]) -> list[str]:
    return [content["kind"] for content in contents]


def only(contents: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The one message of a kind."""
    (content,) = [content for content in contents if content["kind"] == kind]
    return content


def held_up(gate: Gate) -> FunctionForecaster:
    def function(contexts: np.ndarray, horizon: int) -> np.ndarray:
        gate.pass_through()
        return drift(contexts, horizon)

    return FunctionForecaster(function, "held up", context=8, least=4, draws=10, batch=4, key="held up")


def made_up(count: int) -> list[Entry]:
    """Small entries of different data."""
    base = prepare(series(20))
    model = FunctionForecaster(drift, "made up", context=8, draws=10, key="made up")
    spec = session.current_session().find(base, model, ForecastOptions(horizon=2, force=True)).spec
    return [Entry(replace(base, values=base.values + n), spec, np.zeros(20, np.uint8)) for n in range(count)]


def filled(entry: Entry) -> Entry:
    entry.write_forecasts(np.arange(len(entry)), np.zeros((len(entry), 2, 10), np.float32))
    return entry
