"""E2, E5, E7: JAX in a process shared with other work; devices, several of them; compilations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import pytest

from nbforecast import device
from nbforecast.device import CompileOnce, out_of_memory
from tests.support.isolation import QUICK_COMPILATION, unshared_environment
from tests.support.requirements import Requirement, skip_without

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def fresh(code: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    base = unshared_environment() if "NBFORECAST_CACHE_DIR" in environment else dict(os.environ)
    base.pop("XLA_PYTHON_CLIENT_PREALLOCATE", None)  # this process has set it
    done = subprocess.run(
        [sys.executable, "-c", code], env=base | environment, check=False, capture_output=True, text=True,
        timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


FOUR = "--xla_force_host_platform_device_count=4"
SHARDED = """
import json, os, numpy as np, nbforecast as nbf
from nbforecast import device
device.devices()  # before JAX is imported
import jax
from nbforecast.forecasters.registry import resolve
from nbforecast.engine.inference import run_inference
from nbforecast.data import prepare
data = prepare(nbf.sample("taxi").tail(590))
rows = np.arange(540, 590)
draws = run_inference(resolve("theta"), data, rows, 6)
sharded = device.shard_batch(np.zeros((32, 8), np.float32))
shards = len(sharded.sharding.device_set) if isinstance(sharded, jax.Array) else 0
odd = isinstance(device.shard_batch(np.zeros((33, 8), np.float32)), np.ndarray)
run = nbf.forecast(nbf.sample("taxi").tail(60), "theta", 6, wait=True)
preallocates = os.environ.get("XLA_PYTHON_CLIENT_PREALLOCATE")
print(json.dumps([[d.id for d in device.devices()], shards, odd, preallocates, draws.tolist(), run.progress]))
"""


def test_E2_several_devices_share_a_batch_and_find_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """And GPU memory is not taken beforehand unless the user chose so."""
    if len(jax.devices()) > 1:
        skip_without(Requirement.NO_GPU, "this process is the one with one device")
    four = f"{QUICK_COMPILATION} {FOUR}"
    devices, shards, odd, preallocates, many, progress = json.loads(fresh(SHARDED, XLA_FLAGS=four))
    assert (devices, shards, odd, preallocates, progress) == ([0, 1, 2, 3], 4, True, "false", 1.0)
    exec(SHARDED, {})
    alone, unsharded, _, _, one, _ = json.loads(capsys.readouterr().out)
    assert (alone, unsharded) == ([0], 0)
    assert jnp.allclose(jnp.array(many), jnp.array(one), rtol=1e-5, atol=0.1)


def test_E2_E7_a_device_is_chosen_by_name_and_one_that_is_not_there_is_an_error_that_names_those_that_are() -> None:
    """And the user's choice about GPU memory stays."""
    names = ["tpu", "cpu:7", "cpu:x", "nonsense", "gpu:0"]
    if any(d.platform == "gpu" for d in jax.devices()):
        skip_without(Requirement.NO_GPU, "gpu:0")
    code = f"""
import os, numpy as np, nbforecast as nbf
from nbforecast import device
for name in {names}:
    os.environ["NBFORECAST_DEVICE"] = name
    try: nbf.quickdraw(np.arange(100.0), model="naive")
    except nbf.NbForecastError as error: print(error)
os.environ["NBFORECAST_DEVICE"] = "cpu:2"
print([d.id for d in device.devices()], device.host().platform, os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"])
"""
    *errors, chosen = fresh(
        code, NBFORECAST_CACHE="memory", XLA_FLAGS=FOUR, XLA_PYTHON_CLIENT_PREALLOCATE="true"
    ).splitlines()
    there = "cpu:0, cpu:1, cpu:2, cpu:3"
    assert errors == [f"NBFORECAST_DEVICE={n!r} is not a device JAX has here; there are: {there}." for n in names]
    assert chosen == "[2] cpu true"


def test_E2_compiled_functions_are_kept_between_kernels(tmp_path: object) -> None:
    code = (
        "import numpy as np, nbforecast as nbf, jax\n"
        "events = []\n"
        "jax.monitoring.register_event_listener(lambda name, **_: events.append(name))\n"
        "nbf.quickdraw(np.sin(np.arange(300.0)), model='naive', force=True)\n"
        "print(events.count('/jax/compilation_cache/cache_hits'), events.count('/jax/compilation_cache/cache_misses'))"
    )
    hits, misses = fresh(code, NBFORECAST_CACHE_DIR=str(tmp_path)).split()
    assert int(hits) == 0
    assert int(misses) > 0
    again, missed = fresh(code, NBFORECAST_CACHE_DIR=str(tmp_path)).split()
    assert int(missed) == 0
    assert int(again) == int(misses)


def test_E2_two_threads_that_need_a_function_compile_it_once() -> None:
    first, calls, inside = CompileOnce(), [], threading.Event()
    go = threading.Event()

    def compile_slowly() -> str:
        calls.append(threading.get_ident())
        if len(calls) == 1:
            inside.set()
            assert go.wait(30)
        return "compiled"

    with ThreadPoolExecutor(2) as two:
        a = two.submit(first.call, "name", compile_slowly)
        assert inside.wait(30)
        b = two.submit(first.call, "name", compile_slowly)
        assert "name" not in first
        assert len(calls) == 1
        go.set()
        assert a.result(30) == b.result(30) == "compiled"
    assert "name" in first
    first.forget("name")
    assert "name" not in first


def test_E5_threads_change_often_while_something_is_compiled_and_as_before_afterwards() -> None:
    before = sys.getswitchinterval()
    first, intervals = CompileOnce(), []

    def nested() -> None:
        intervals.append(sys.getswitchinterval())
        first.call("inner", lambda: intervals.append(sys.getswitchinterval()))
        intervals.append(sys.getswitchinterval())

    first.call("outer", nested)
    assert max(intervals) < before == sys.getswitchinterval()
    with pytest.raises(ZeroDivisionError):
        first.call("failing", lambda: 1 // 0)
    assert sys.getswitchinterval() == before
    assert "failing" not in first


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 3 bytes."), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (MemoryError(), True),
        (ValueError("out of memory"), False),
        (jax.errors.JaxRuntimeError("INTERNAL: something else"), False),
    ],
)
def test_E7_errors_that_mean_too_little_memory(error: Exception, expected: bool) -> None:
    assert out_of_memory(error) is expected


def test_E9_compiled_functions_are_evicted_before_a_process_runs_out_of_mappings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the number of mappings that Linux grants a process, it would abort."""
    traced = []

    @jax.jit
    def double(x: jax.Array) -> jax.Array:
        traced.append(x)
        return 2 * x

    def call(limit: int) -> int:
        (tmp_path / "limit").write_text(f"{limit}\n")
        monkeypatch.setattr(device, "_MAX_MAPPINGS", tmp_path / "limit")
        assert CompileOnce().call("double", lambda: double(1.0)) == 2.0
        return len(traced)

    assert [call(1_000_000_000), call(1_000_000_000), call(10)] == [1, 1, 2]
    monkeypatch.setattr(device, "_MAPPINGS", tmp_path / "none")
    assert call(10) == 2


def test_E2_cores_work_at_once_and_errors_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "cores", lambda: 3)
    barrier, calls = threading.Barrier(3), []

    def meet(item: int) -> None:
        barrier.wait(30)  # passes only if three threads run at once
        calls.append((item, threading.current_thread()))

    device.map_on_cores(meet, range(3))
    assert sorted(item for item, _ in calls) == [0, 1, 2]
    assert not any(thread.is_alive() for _, thread in calls)
    with pytest.raises(ZeroDivisionError):
        device.map_on_cores(lambda item: 1 // item, range(3))
    monkeypatch.setattr(device, "cores", lambda: 1)
    calls.clear()
    device.map_on_cores(lambda item: calls.append((item, threading.current_thread())), range(3))
    assert calls == [(item, threading.current_thread()) for item in range(3)]
