"""JAX, set up once for a process that it shares with a person's other work."""

from __future__ import annotations

import logging
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbforecast.errors import OptionError
from nbforecast.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from contextlib import AbstractContextManager

    import jax
    import numpy as np

_log = logging.getLogger("nbforecast.device")
_lock = threading.Lock()
_MAPPINGS, _MOST_MAPPINGS = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")
_QUICK_SWITCH = 0.001  # seconds; Python's own 0.005 lets a trace hold up the main thread for tens of milliseconds


def devices() -> tuple[jax.Device, ...]:
    """The devices that compute; JAX is configured on first use.

    GPU memory is not preallocated unless the user chose so, since other libraries live in the same kernel; compiled
    functions are kept on disk between kernels unless the user has set a place of their own.

    Raises `OptionError` if `NBFORECAST_DEVICE` names a device that JAX does not have.
    """
    with _lock:
        return _start()


def started() -> tuple[jax.Device, ...] | None:
    """The devices that compute, None while nothing has asked for them: JAX is neither imported nor waited for."""
    return _start() if _start.cache_info().currsize else None


def describe(there: tuple[jax.Device, ...]) -> str:
    """What people call them: `CPU, 16 cores`, `NVIDIA H200`, `NVIDIA H200 x 2`."""
    if there[0].platform == "cpu":
        cores = os.cpu_count() or 1
        return f"CPU, {cores} core{'s' if cores > 1 else ''}"
    return there[0].device_kind + (f" x {len(there)}" if len(there) > 1 else "")


def host() -> jax.Device:
    """The CPU, for small work on arrays that are in its memory anyway; JAX's default where JAX has no CPU."""
    import jax

    first = devices()[0]
    if first.platform == "cpu":
        return first
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        return first


@cache
def _start() -> tuple[jax.Device, ...]:
    if "jax" not in sys.modules:
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax

    chosen = settings()
    if chosen.directory is not None and jax.config.jax_compilation_cache_dir is None:  # type: ignore[attr-defined]
        directory = chosen.directory / "compiled"
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            _log.warning("Compiled functions are not kept: %s cannot be made (%s).", directory, error)
        else:
            jax.config.update("jax_compilation_cache_dir", str(directory))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
            jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return _choose(chosen.device)


def _choose(name: str | None) -> tuple[jax.Device, ...]:
    """The devices meant by `gpu`, `gpu:1` ..., all of JAX's default platform for None."""
    import jax

    if name is None:
        return tuple(jax.local_devices())
    platform, _, number = name.partition(":")
    try:
        there = jax.local_devices(backend=platform)
        return (there[int(number)],) if number else tuple(there)
    except (RuntimeError, ValueError, IndexError) as error:
        known = ", ".join(f"{d.platform}:{d.id}" for d in jax.local_devices())
        raise OptionError(f"NBFORECAST_DEVICE={name!r} is not a device JAX has here; there are: {known}.") from error


def full_precision() -> bool:
    """Whether matrix products are made in full single precision (see `Settings.precision`)."""
    return settings().precision == "float32" or devices()[0].platform == "cpu"


def products(*, exact: bool = True) -> AbstractContextManager[Any]:
    """Traced inside, matrix products keep single precision, which GPUs do not by themselves; or are of bfloat16."""
    import jax

    return jax.default_matmul_precision("highest" if exact else "BF16_BF16_F32")


def spread(batch: np.ndarray) -> Any:
    """An array shared out by its first axis over all devices, where there are several and it can be divided evenly."""
    there = devices()
    if len(there) == 1 or len(batch) % len(there):
        return batch
    import jax

    mesh = jax.sharding.Mesh(there, ("batch",))
    return jax.device_put(batch, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch")))


def cores() -> int:
    """The cores of the CPU that computes; 1 where something else does, or several devices share each batch."""
    there = devices()
    if len(there) > 1 or there[0].platform != "cpu":
        return 1
    return int(os.environ.get("PJRT_NPROC") or os.cpu_count() or 1)


def map_on_cores(function: Callable[[Any], None], items: Iterable[Any]) -> None:
    """Call a function with each item, with as many at once as there are cores.

    XLA works on a batch with all cores, but much of it, recursions over time above all, keeps only one busy.
    """
    items = list(items)
    if len(items) < 2 or cores() < 2:
        for item in items:
            function(item)
    else:
        with ThreadPoolExecutor(min(cores(), len(items)), thread_name_prefix="nbforecast-core") as pool:
            list(pool.map(_on_device, [function] * len(items), items))


def _on_device(function: Callable[[Any], None], item: Any) -> None:
    import jax

    with jax.default_device(devices()[0]):  # it holds for one thread only
        function(item)


def replicate(tree: Any) -> Any:
    """A tree of arrays on the device that computes, or on each of several."""
    import jax

    there = devices()
    if len(there) == 1:
        return jax.device_put(tree, there[0])
    mesh = jax.sharding.Mesh(there, ("batch",))
    return jax.device_put(tree, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec()))


def out_of_memory(error: BaseException) -> bool:
    """Whether a computation failed for want of memory, so that less of it at once may succeed."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("resource_exhausted" in text or "out of memory" in text)


def evict_compiled() -> None:
    """Forget compiled functions where they hold half of the memory mappings that Linux grants a process.

    XLA maps each kernel of a function by itself, a thousand for a large one; where no more can be had (65,530, usually)
    the process aborts. What is forgotten is read from the disk when it is needed again.
    """
    try:
        limit = int(_MOST_MAPPINGS.read_text())
        held = _MAPPINGS.read_bytes().count(b"\n")
    except (OSError, ValueError):  # not Linux
        return
    if held > limit // 2:
        import jax

        _log.info("Compiled functions hold most of %s memory mappings; all are forgotten.", limit)
        jax.clear_caches()


class CompileOnce:
    """Compilations under way and done, by a name for function and shapes.

    Threads that need the same function wait for one compilation instead of doing it twice.
    """

    def __init__(self) -> None:
        self._done: set[Hashable] = set()
        self._running: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def __contains__(self, name: Hashable) -> bool:
        return name in self._done

    def call(self, name: Hashable, function: Callable[[], Any]) -> Any:
        """`function()`, by one thread at a time until it has come back once."""
        if name in self._done:
            return function()
        with self._lock:
            lock = self._running.setdefault(name, threading.Lock())
        with lock:
            if name not in self._done:
                evict_compiled()
                with _quick_switch:
                    result = function()
                self._done.add(name)
                return result
        return function()

    def forget(self, name: Hashable) -> None:
        """Take it as never called: it cannot be (any more)."""
        self._done.discard(name)


class _QuickSwitch:
    """Has Python change threads often, since tracing a function keeps the interpreter busy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._usual = 0.0

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._usual = sys.getswitchinterval()
                sys.setswitchinterval(_QUICK_SWITCH)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                sys.setswitchinterval(self._usual)


_quick_switch = _QuickSwitch()
