"""JAX and the devices that compute, configured once per process; other libraries may share both."""

from __future__ import annotations

import logging
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbforecast.compile_times import SUFFIX, forget_compilations
from nbforecast.errors import OptionError
from nbforecast.private_directory import make_private_directory
from nbforecast.settings import settings, user_directory
from nbforecast.shared_compiled import copy_shared
from nbforecast.text import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from contextlib import AbstractContextManager

    import jax
    import numpy as np

_log = logging.getLogger("nbforecast.device")
_lock = threading.Lock()
_MAPPINGS, _MAX_MAPPINGS = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")
_SWITCH_SECONDS = 0.001  # with Python's own 0.005 a trace delays the main thread by tens of milliseconds


def devices() -> tuple[jax.Device, ...]:
    """The devices that compute. The first call configures JAX.

    GPU memory is not preallocated unless the user chose so, since other libraries use it too. Compiled functions are
    cached on disk, in the user's own directory if JAX has one configured.

    Raises:
        OptionError: `NBFORECAST_DEVICE` names a device that JAX does not have.
    """
    with _lock:
        return _configure()


def devices_if_configured() -> tuple[jax.Device, ...] | None:
    """The devices that compute, or None while JAX is not configured: nothing is imported or waited for."""
    return _configure() if _configure.cache_info().currsize else None


def describe(devices: tuple[jax.Device, ...]) -> str:
    """Name devices for people: `CPU, 16 cores`, `NVIDIA H200`, `NVIDIA H200 x 2`."""
    if devices[0].platform == "cpu":
        cores = os.cpu_count() or 1
        return f"CPU, {plural(cores, 'core')}"
    return devices[0].device_kind + (f" x {len(devices)}" if len(devices) > 1 else "")


def host() -> jax.Device:
    """The CPU, for small computations on arrays in its memory; the default device where JAX has no CPU."""
    import jax

    first = devices()[0]
    if first.platform == "cpu":
        return first
    try:
        return jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        return first


@cache
def _configure() -> tuple[jax.Device, ...]:
    if "jax" not in sys.modules:
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    import jax

    configured = settings()
    if configured.directory is not None and jax.config.jax_compilation_cache_dir is None:  # type: ignore[attr-defined]
        directory = compiled_directory()
        if directory is not None:
            jax.config.update("jax_compilation_cache_dir", str(directory))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
            jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
            # XLA's own caches, which are of GPUs, put the directory's path into the names of what is compiled: what is
            # copied from elsewhere would not be found
            jax.config.update("jax_persistent_cache_enable_xla_caches", "none")
    return _choose(configured.device)


def has_compiled() -> bool:
    """Whether a model's function has been compiled on this machine before; JAX is not imported."""
    chosen = os.environ.get("JAX_COMPILATION_CACHE_DIR")  # JAX prefers it to our directory
    directory = Path(chosen) if chosen else compiled_directory()
    return directory is not None and any(directory.glob(f"*{SUFFIX}"))


def remove_compiled() -> tuple[int, int]:
    """Remove the compiled functions that are kept on disk, and return how many they are and their bytes."""
    files = [path for folder in _compiled_folders() if folder.is_dir() for path in folder.iterdir() if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    for path in files:
        path.unlink(missing_ok=True)
    forget_compilations()
    return sum(not path.name.endswith(("-atime", "-program", SUFFIX)) for path in files), size


def compiled_directory() -> Path | None:
    """Where compiled functions are kept: whoever writes there has their code executed by everybody who reads it."""
    configured = settings().directory
    if configured is None:
        return None
    own = make_private_directory(directory / "compiled" for directory in (configured, user_directory()))
    if own is not None:
        copy_shared(own)
    return own


def _compiled_folders() -> set[Path]:
    return {d / "compiled" for d in (settings().directory, user_directory()) if d is not None}


@cache
def quick_compile_options(level: int = 1) -> dict[str, Any]:
    """The options with which XLA compiles in less time, on CPUs.

    At level 1 it takes half the time, and the functions a quarter longer. At level 0 it takes a sixth: functions of one
    window take a tenth longer, those of many windows four times as long.

    Args:
        level: How much XLA optimises, 0 or 1.

    Returns:
        The options; none where a GPU computes, where `XLA_FLAGS` sets them, or where this XLA lacks them.
    """
    import jax

    options = {"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": level}
    if devices()[0].platform != "cpu" or any(name in os.environ.get("XLA_FLAGS", "") for name in options):
        return {}
    try:
        jax.jit(lambda x: x + 1, compiler_options=options)(0.0).block_until_ready()
    except RuntimeError:
        return {}
    return options


def _choose(name: str | None) -> tuple[jax.Device, ...]:
    """The devices named `gpu`, `gpu:1` and so on; None means all of JAX's default platform."""
    import jax

    if name is None:
        return tuple(jax.local_devices())
    platform, _, number = name.partition(":")
    try:
        local = jax.local_devices(backend=platform)
        return (local[int(number)],) if number else tuple(local)
    except (RuntimeError, ValueError, IndexError) as error:
        names = ", ".join(f"{d.platform}:{d.id}" for d in jax.local_devices())
        raise OptionError(f"NBFORECAST_DEVICE={name!r} is not a device JAX has here; there are: {names}.") from error


def full_precision() -> bool:
    """Whether matrix products are in full single precision (see `Settings.precision`)."""
    return settings().precision == "float32" or devices()[0].platform == "cpu"


def matmul_precision(*, full: bool = True) -> AbstractContextManager[Any]:
    """A context in which traced matrix products have a set precision.

    Args:
        full: Whether the precision is float32, which GPUs lower by default; otherwise bfloat16 with float32 sums.
    """
    import jax

    return jax.default_matmul_precision("highest" if full else "BF16_BF16_F32")


def shard_batch(batch: np.ndarray) -> Any:
    """Distribute an array over all devices along its first axis.

    Returns:
        A sharded JAX array; the array itself on a single device, or where its length is not divisible.
    """
    computing = devices()
    if len(computing) == 1 or len(batch) % len(computing):
        return batch
    import jax

    mesh = jax.sharding.Mesh(computing, ("batch",))
    return jax.device_put(batch, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch")))


def cores() -> int:
    """The number of cores of the CPU that computes; 1 where a GPU computes or several devices share each batch."""
    computing = devices()
    if len(computing) > 1 or computing[0].platform != "cpu":
        return 1
    return int(os.environ.get("PJRT_NPROC") or os.cpu_count() or 1)


def map_on_cores(function: Callable[[Any], None], items: Iterable[Any]) -> None:
    """Call a function with each item, in as many threads as there are cores.

    XLA uses all cores for a batch, but recursions over time keep only one busy.

    Args:
        function: What is called; it returns nothing.
        items: Its arguments, one per call.
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
    """Copy a tree of arrays to every device that computes."""
    import jax

    computing = devices()
    if len(computing) == 1:
        return jax.device_put(tree, computing[0])
    mesh = jax.sharding.Mesh(computing, ("batch",))
    return jax.device_put(tree, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec()))


def out_of_memory(error: BaseException) -> bool:
    """Whether a computation ran out of memory, so that a smaller batch may succeed."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("resource_exhausted" in text or "out of memory" in text)


def evict_compiled() -> None:
    """Evict all compiled functions from memory when they use half of the memory mappings that Linux grants a process.

    XLA maps every kernel of a function separately, a thousand for a large one. A process that exceeds the limit
    (usually 65,530) aborts. Evicted functions are read from the disk when they are needed again.
    """
    try:
        limit = int(_MAX_MAPPINGS.read_text())
        mappings = _MAPPINGS.read_bytes().count(b"\n")
    except (OSError, ValueError):  # not Linux
        return
    if mappings > limit // 2:
        import jax

        _log.info("Compiled functions use half of the %s memory mappings of a process; all are evicted.", limit)
        jax.clear_caches()


class CompileOnce:
    """Calls of compiled functions, of which several threads never compile the same one.

    The first thread that calls a function compiles it; others that need it wait. A name stands for the function and
    the shapes of its arguments.
    """

    def __init__(self) -> None:
        self._compiled: set[Hashable] = set()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def __contains__(self, name: Hashable) -> bool:
        return name in self._compiled

    def call(self, name: Hashable, function: Callable[[], Any]) -> Any:
        """Call a function, in one thread at a time until it has returned once.

        Args:
            name: Name of the function and the shapes of its arguments.
            function: What is called.

        Returns:
            What the function returns.
        """
        if name in self._compiled:
            return function()
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._compiled:
                evict_compiled()
                with _frequent_switches:
                    result = function()
                self._compiled.add(name)
                return result
        return function()

    def forget(self, name: Hashable) -> None:
        """Treat a function as not compiled."""
        self._compiled.discard(name)


class _FrequentSwitches:
    """A context in which Python switches threads often, since tracing a function keeps the interpreter busy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._interval = 0.0

    def __enter__(self) -> None:
        with self._lock:
            if not self._depth:
                self._interval = sys.getswitchinterval()
                sys.setswitchinterval(_SWITCH_SECONDS)
            self._depth += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._depth -= 1
            if not self._depth:
                sys.setswitchinterval(self._interval)


_frequent_switches = _FrequentSwitches()
