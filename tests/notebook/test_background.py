"""E4, E5, E9, M2: a kernel that stays usable while work runs: progress, errors, interrupts, restarts, unloading."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import pexpect
import pytest
from jupyter_client.manager import start_new_kernel

from tests.support.kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = """
import nbforecast as nbf, numpy as np, polars as pl, threading, time
from nbforecast.forecasters.adapters.function import FunctionForecaster
def spread(contexts, horizon):
    time.sleep(0.05)
    return contexts[:, -1, None, None] + np.linspace(-9, 9, 10) + np.zeros((1, horizon, 1))
nbf.register('slow', FunctionForecaster(spread, 'slow', context=8, least=8, draws=10, batch=64, key='slow'))
"""
SETUP = f"""
{MODEL}
from nbforecast import session
%load_ext nbforecast
taxi = nbf.sample('taxi')
small = taxi.tail(300)
big = pl.concat([taxi.with_columns(unique_id=pl.lit(str(i))) for i in range(20)])
nbf.forecast(small, 'slow', wait=True)
def threads():
    return sorted(t.name for t in threading.enumerate() if t.name.startswith('nbforecast-'))
"""


@pytest.fixture(scope="module")
def started() -> Iterator[Any]:
    manager, client = start_new_kernel(kernel_name="python3")
    manager.kernel = Kernel(client)
    try:
        assert manager.kernel.run(SETUP)[1] == ""
        yield manager
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture
def manager(started: Any) -> Iterator[Any]:
    """One kernel for all tests, in which no work goes on before and after each."""
    yield started
    cancel = "runs = [x for x in globals().values() if isinstance(x, nbf.Run)]\nfor x in runs: x.cancel()"
    assert started.kernel.run(f"{cancel}\nfor x in runs: x.wait_for_end(20)")[1] == ""


def inferred(messages: list[dict[str, Any]]) -> list[int]:
    """The numbers of inferred origins that updates of the card have shown."""
    texts = [m["content"]["data"]["text/plain"] for m in messages if m["msg_type"] == "update_display_data"]
    states = [text.splitlines()[1] for text in texts]
    return [int(s.split(" of ")[0].replace(",", "")) for s in states if " of 103,060 origins inferred" in s]


def test_E5_progress_moves_in_its_own_display_and_nothing_is_printed_elsewhere(manager: Any) -> None:
    kernel: Kernel = manager.kernel
    (card,), error = kernel.run("run = %forecast big -m slow")
    assert not error
    assert "slow forecasts 12 steps of 1 hour ahead from 103,060 origins of 20 series" in card["text/plain"]
    assert kernel.run("print('other')")[0] == [{"text": "other\n"}]
    kernel.await_text(" a second · ")
    kernel.start("time.sleep(3); print('slept')")
    messages, deadline = kernel.receive(5), time.monotonic() + 60
    while len(set(counts := inferred(messages))) < 2 and time.monotonic() < deadline:
        messages += kernel.receive(1)  # a model may be compiled meanwhile
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]
    updates = [m["content"] for m in messages if m["msg_type"] == "update_display_data"]
    assert len(updates) >= 5, "while a cell runs, and after it"
    assert len({u["transient"]["display_id"] for u in updates}) == 1
    states = [u["data"]["text/plain"].splitlines()[1] for u in updates]
    assert " calculated · " in states[-1]
    assert " a second · " in states[-1]
    assert states[-1].endswith(" left")
    printed = [m["content"]["text"] for m in messages if m["msg_type"] == "stream"]
    assert "".join(printed) == "slept\n"
    assert not [m for m in messages if m["msg_type"] in ("display_data", "execute_result")]

    queued, _ = kernel.run("next = %forecast taxi -m slow -H 3")
    assert queued[0]["text/plain"].endswith("Waiting until another forecast has ended")
    began = time.monotonic()
    assert kernel.value("[run.at(-40, '7').index, run.done]") == [-40, False]
    assert time.monotonic() - began < 5
    assert kernel.value("[run.cancel(), run.wait_for_end(20), run.cancelled][1:]") == [True, True]
    assert kernel.value("next.wait(60).progress") == 1.0
    (output,), _ = kernel.run("run")
    assert output["text/plain"].splitlines()[1].startswith("Cancelled: ")
    assert kernel.value("run.inferred == run.calculated > 0") is True


def test_E9_interrupting_a_cell_that_waits_for_its_own_run_cancels_it(manager: Any) -> None:
    kernel: Kernel = manager.kernel
    cell = kernel.start("mine = %forecast big -m slow --wait -o stored")
    kernel.await_text(" a second · ")
    manager.interrupt_kernel()
    kernel.await_end(cell)
    assert kernel.value(
        "[stored.wait_for_end(20), stored.cancelled, stored.inferred > 0, stored.inferred + stored.reused"
        " == stored.calculated]"
    ) == [
        True,
        True,
        True,
        True,
    ]
    assert kernel.value("nbf.forecast(small, 'slow', wait=True).progress") == 1.0
    cell = kernel.start("nbf.forecast(big, 'slow', wait=True)")
    time.sleep(1)
    manager.interrupt_kernel()
    kernel.await_end(cell)
    assert kernel.value("any(time.sleep(0.05) or not session.engine()._tasks for _ in range(600))")


def test_E9_interrupting_a_wait_for_a_run_one_holds_lets_it_go_on(manager: Any) -> None:
    kernel: Kernel = manager.kernel
    kernel.run("run = nbf.forecast(big, 'slow')")
    cell = kernel.start("run.wait()")
    time.sleep(0.5)
    manager.interrupt_kernel()
    kernel.await_end(cell)
    assert kernel.value("[run.done, run.cancelled]") == [False, False]
    before, until = kernel.value("run.inferred"), time.monotonic() + 30
    while kernel.value("run.inferred") <= before:
        assert time.monotonic() < until


def test_E9_unloading_ends_the_threads_and_saves_what_is_finished(manager: Any) -> None:
    kernel: Kernel = manager.kernel
    kernel.run("run = nbf.forecast(big, 'slow', horizon=5)\nwhile not run.calculated: time.sleep(0.01)")
    assert kernel.value("threads()") != []
    began = time.monotonic()
    assert kernel.run("%unload_ext nbforecast")[1] == ""
    assert time.monotonic() - began < 20
    assert kernel.value("threads()") == []
    assert kernel.value("[run.done, run.cancelled, run.inferred == run.calculated > 0]") == [True, True, True]
    assert "RunCancelled" in kernel.run("run.wait()")[1]
    kernel.run("nbf.cache.flush(disk=False)")
    assert kernel.run("%load_ext nbforecast\nagain = %forecast big -m slow -H 5")[1] == ""
    assert kernel.value("[again.reused == run.inferred, again.done]") == [True, False]


def test_E9_a_restart_while_work_runs_is_quick_and_keeps_what_is_finished(manager: Any) -> None:
    kernel: Kernel = manager.kernel
    kernel.run("run = nbf.forecast(big, 'slow', horizon=7)\nwhile not run.calculated: time.sleep(0.01)")
    done = kernel.value("run.calculated")
    began = time.monotonic()
    manager.restart_kernel()
    kernel._client.wait_for_ready(timeout=60)
    assert time.monotonic() - began < 30
    assert kernel.run(SETUP)[1] == ""
    kernel.run("run = nbf.forecast(big, 'slow', horizon=7)")
    assert kernel.value("run.reused") >= done


def test_E5_the_card_of_a_failed_run_shows_where_it_failed(manager: Any) -> None:
    kernel: Kernel = manager.kernel
    kernel.run("""
class Broken:
    name, context, levels, draws, key = 'broken', 1, None, 10, 'broken'
    def availability(self, data): return (data.values != data.values).astype('uint8')
    def forecast(self, data, rows, horizon, seed=0): return self.helper()
    def helper(self): raise OverflowError('too <much>')
nbf.register('broken', Broken())
bad = nbf.forecast(small, 'broken')
bad.wait_for_end(20)
""")
    (output,), _ = kernel.run("bad")
    assert "Failed: The model 'broken' failed: OverflowError: too <much>" in output["text/plain"]
    assert "<summary>Where it failed</summary>" in output["text/html"]
    assert "in helper" in output["text/html"]
    assert "too &lt;much&gt;" in output["text/html"]


def test_E5_M2_in_a_terminal_there_is_a_bar_for_those_who_wait_and_nothing_else(tmp_path: Path) -> None:
    shell = pexpect.spawn(
        sys.executable,
        ["-m", "IPython", "--simple-prompt", "--no-banner", "--colors=NoColor", "--profile-dir", str(tmp_path)],
        encoding="utf-8",
        timeout=60,
        dimensions=(40, 160),
    )
    prompt = r"In \[\d+\]: "

    def output_of(line: str) -> str:
        shell.sendline(line)
        shell.expect(prompt)
        return str(shell.before).replace("\r\n", "\n")

    shell.expect(prompt)
    output_of("%load_ext nbforecast")
    (tmp_path / "model.py").write_text(MODEL)
    output_of(f"%run {tmp_path / 'model.py'}")
    output_of("taxi = nbf.sample('taxi').tail(900)")
    output_of("big = pl.concat([taxi.with_columns(unique_id=pl.lit(str(i))) for i in range(3)])")
    started = output_of("run = %forecast big -m slow -f")
    assert started.count("slow forecasts 12 steps") == 1
    waited = output_of("run.wait();")
    assert "slow forecasts" not in waited, "nothing comes from the background"
    assert "slow: 100%|" in waited.split("\r")[-1]
    assert "2679/2679" in waited
    at_once = output_of("%forecast big -m slow -f --wait")
    assert "slow: 100%|" in at_once
    assert at_once.count("slow forecasts 12 steps") == 1
    assert "Done: 2,679 origins inferred" in at_once
    shell.sendline("exit")
    shell.expect(pexpect.EOF)
    shell.close()
    assert shell.exitstatus == 0
