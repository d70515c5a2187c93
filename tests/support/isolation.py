"""The environment of tests and benchmarks: an empty cache directory, compiled functions shared, quick compilation."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

_SHARING = (
    "JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES",
)  # fmt: skip
QUICK_COMPILATION = (
    "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
)


def use_own_directory() -> None:
    """Have this process and those it starts store results in an empty directory, which is removed at the end.

    Compiled functions are read from and written to the directory that the environment names: all processes of a run
    of the tests share them.
    """
    compiled = Path(os.environ.get("NBFORECAST_CACHE_DIR") or "build/cache").resolve() / "compiled"
    compiled.mkdir(parents=True, exist_ok=True)
    (
        compiled / "tests-seconds"
    ).touch()  # as where something was compiled before: no cell says that it prepares a model
    own = Path(tempfile.mkdtemp(prefix="nbforecast-"))
    (own / "compiled").symlink_to(compiled)
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    os.environ["NBFORECAST_CACHE_DIR"] = str(own)


def share_compiled() -> None:
    """Have this process and those it starts share compiled functions, whatever their directory for results.

    To be called after `use_own_directory`, before JAX is imported.
    """
    compiled = Path(os.environ["NBFORECAST_CACHE_DIR"], "compiled").resolve()
    os.environ |= dict(zip(_SHARING, (str(compiled), "0", "-1"), strict=True))


def unshared_environment() -> dict[str, str]:
    """The environment of a process that keeps compiled functions as users' processes do."""
    return {name: value for name, value in os.environ.items() if name not in _SHARING}


def import_lightly() -> None:
    """Have this process and those it starts import jsonschema in an eighth of its time.

    Papermill, JupyterLab and every process of Ray import it. It checks a format that no test has by grammars which it
    reads at each import, for 1.3 s, unless they are missing.
    """
    folder = str(Path(__file__).with_name("light_imports"))
    sys.path.insert(0, folder)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))


def compile_quickly() -> None:
    """Have XLA compile in a sixth of its time, here and in the processes that are started from here.

    The functions run several times slower, which small tests do not notice, and differ by rounding. With
    `NBFORECAST_TEST_COMPILATION=production` functions are compiled as users have them, for numbers to be pinned.
    """
    if compiles_quickly():
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {QUICK_COMPILATION}".strip()


def compiles_quickly() -> bool:
    return os.environ.get("NBFORECAST_TEST_COMPILATION") != "production"
