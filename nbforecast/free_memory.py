"""How much memory this process may still take."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_UNLIMITED = 1 << 60


def free_memory() -> int:
    """Bytes of memory that are free, within the limit of a container where there is one."""
    return min(_machine(), *_containers())


def _machine() -> int:
    with contextlib.suppress(OSError, StopIteration, ValueError):  # Linux
        lines = Path("/proc/meminfo").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) * 1024
    with contextlib.suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return _UNLIMITED


def _containers() -> list[int]:
    """What the control groups of this process leave, version 2 and 1."""
    root, own = Path("/sys/fs/cgroup"), ""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        own = next(line for line in lines if line.startswith("0::")).removeprefix("0::").strip("/")
    folders = {root, root / own}
    pairs = [(folder / "memory.max", folder / "memory.current") for folder in folders]
    pairs.append((root / "memory/memory.limit_in_bytes", root / "memory/memory.usage_in_bytes"))
    free = [_UNLIMITED]
    for limit, usage in pairs:
        with contextlib.suppress(OSError, ValueError):  # "max" is no limit
            free.append(max(int(limit.read_text()) - int(usage.read_text()), 0))
    return free
