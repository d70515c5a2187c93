"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "nbforecast", "jax", "numpy", "polars", "scipy", "matplotlib", "statsforecast", "utilsforecast", "u8darts",
)  # fmt: skip
QUIET = {"OMP_WAIT_POLICY": "passive", "KMP_BLOCKTIME": "0"}


def be_fair() -> None:
    """Peers' thread pools must not spin while somebody else is measured; call this before they are imported."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


def describe(quick: bool) -> str:
    """The head of the report."""
    cores = os.process_cpu_count() if hasattr(os, "process_cpu_count") else len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = ", ".join(f"{v:.1f}" for v in os.getloadavg())
    lines = [
        f"{_cpu()}, {cores} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}",
        "  ".join(f"{name} {_version(name)}" for name in PACKAGES),
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; load average before: {load}"
        + ("; small sizes (--quick): not to be quoted" if quick else ""),
        "Every figure is a median of repeats; a ratio compares figures of this one run.",
    ]
    return "# Benchmarks\n\n" + "\n".join(f"- {line}" for line in lines)


def describe_briefly() -> str:
    """The processor and its cores, in a few words."""
    return f"{_cpu()}, {os.cpu_count()} cores"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown processor"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
