"""Fixtures of several modules of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import nbforecast as nbf
from nbforecast import session
from nbforecast.engine import calculation
from nbforecast.engine import engine as engines
from nbforecast.jupyter.sender import comm_sender
from nbforecast.jupyter.widgets.cache import feed as cache_feed
from nbforecast.jupyter.widgets.cache.feed import CacheFeed
from nbforecast.result_cache.directory import CacheDirectory
from nbforecast.settings import settings
from tests.support import engine_fixture, panels
from tests.support.cache_feed import Clock, action_request
from tests.support.deterministic_engine import CHUNK, EngineUnderTest
from tests.support.explorers import DRIFT, panel, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from nbforecast.jupyter.widgets.explorer.widget import Explorer
    from nbforecast.result_cache.cache import Cache
    from nbforecast.run import Run
    from tests.support.cache_feed import Answer, Look


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cache]:
    """The cache of this process, empty, with a directory of its own."""
    session.engine().shutdown()  # what other tests have left to follow by itself puts its entries here
    results = session.results()
    results.clear()
    monkeypatch.setattr(results, "directory", CacheDirectory(tmp_path / "results"))
    monkeypatch.setattr(results, "memory", 1 << 30)
    monkeypatch.setattr(results, "disk", 1 << 30)
    yield results
    session.engine().shutdown()
    results.clear()


@pytest.fixture
def new_engine(monkeypatch: pytest.MonkeyPatch) -> Callable[[], EngineUnderTest]:
    """Makes engines without threads, one after the other."""
    monkeypatch.setenv("NBFORECAST_CHUNK", str(CHUNK))
    chosen = settings()  # reading the environment for every chunk takes a tenth of the time
    for module in (engines, calculation):
        monkeypatch.setattr(module, "settings", lambda: chosen)

    def make() -> EngineUnderTest:
        engine = EngineUnderTest()
        monkeypatch.setattr(calculation, "calculate", engine.calculate)
        monkeypatch.setattr(calculation, "densities", engine.densities)
        return engine

    return make


@pytest.fixture
def fixture(monkeypatch: pytest.MonkeyPatch) -> Iterator[engine_fixture.EngineFixture]:
    """Chunks are of four origins."""
    session.engine().shutdown()  # what other tests have left to follow by itself starts threads at any time
    monkeypatch.setenv("NBFORECAST_CHUNK", str(engine_fixture.CHUNK))
    fixture = engine_fixture.EngineFixture()
    yield fixture
    fixture.close()
    assert not fixture.threads()


@pytest.fixture(scope="module")
def done() -> Run:
    return nbf.forecast(panel(), "naive", wait=True)


@pytest.fixture(scope="module")
def other() -> Run:
    return nbf.forecast(panel(), DRIFT, wait=True)


@pytest.fixture
def explorer(done: Run, other: Run) -> Iterator[Explorer]:
    made = nbf.explore([done, other])
    yield made
    made.close()


@pytest.fixture
def idle_sender() -> Iterator[None]:
    """No explorer of another test is served, and none of this one once it has failed."""
    comm_sender.close()
    yield
    comm_sender.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(cache_feed, "time", clock)
    return clock


@pytest.fixture
def feed(cache: Cache, clock: Clock) -> Iterator[CacheFeed]:
    yield CacheFeed(lambda: None)
    comm_sender.close()


@pytest.fixture
def look(feed: CacheFeed, clock: Clock) -> Look:
    """Sends requests to the feed, and returns the messages that it sends a second later."""

    def look(*requests: Any) -> list[dict[str, Any]]:
        clock.now += 1
        for content in requests:
            feed.receive(content)
        return [message.content for message in feed.messages()]

    return look


@pytest.fixture
def answer(feed: CacheFeed) -> Answer:
    """Requests an action and returns its answer."""

    def answer(name: str, **fields: Any) -> dict[str, Any]:
        feed.receive(action_request("a-1", name, **fields))
        answers: list[dict[str, Any]] = []

        def is_answered() -> bool:
            contents = [message.content for message in feed.messages()]
            answers.extend(content for content in contents if content.get("id") == "a-1")
            return bool(answers) and answers[-1]["kind"] != "queued"

        wait_for(is_answered)
        return answers[-1]

    return answer


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A panel in Parquet."""
    target = tmp_path / "panel.parquet"
    panels.panel().write_parquet(target)
    return target
