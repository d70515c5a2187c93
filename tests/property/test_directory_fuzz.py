"""C9, C13, C14: a file that has been changed in any way is read as it was written, or set aside."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nbforecast.result_cache.directory import ASIDE, CacheDirectory
from nbforecast.result_cache.snapshot import Snapshot
from tests.support.cache_files import assert_same, complete_snapshot, random_snapshot

pytestmark = pytest.mark.slow

KINDS = (
    "bit",
    "bits",
    "run",
    "zeros",
    "cut",
    "insert",
    "remove",
    "swap",
    "footer bit",
    "footer number",
    "footer length",
)
PROCESSES, EACH = 2, 220
MEMORY = 4 << 30


def mutated(content: bytes, kind: str, rng: np.random.Generator) -> bytes:
    """The same file after an accident."""
    data, size = bytearray(content), len(content)
    footer = size - 8 - int.from_bytes(content[-8:-4], "little")
    start, length = int(rng.integers(size)), int(rng.integers(1, 65))
    if kind == "bit":
        data[start] ^= 1 << int(rng.integers(8))
    elif kind == "bits":
        for at in rng.integers(0, size, int(rng.integers(2, 40))):
            data[at] ^= 1 << int(rng.integers(8))
    elif kind == "run":
        data[start : start + length] = rng.bytes(len(data[start : start + length]))
    elif kind == "zeros":
        data[start : start + 512] = bytes(len(data[start : start + 512]))
    elif kind == "cut":
        del data[start:]
    elif kind == "insert":
        data[start:start] = rng.bytes(length)
    elif kind == "remove":
        del data[start : start + length]
    elif kind == "swap":
        other = int(rng.integers(size))
        one, two = data[start : start + length], data[other : other + length]
        data[start : start + len(two)], data[other : other + len(one)] = two, one
    elif kind == "footer bit":
        data[int(rng.integers(footer, size))] ^= 1 << int(rng.integers(8))
    elif kind == "footer number":
        data[int(rng.integers(footer, size))] = int(rng.choice([0x00, 0x7F, 0x80, 0xFF]))
    else:
        data[-8:-4] = int(rng.choice([0, 1, footer, size, (1 << 31) - 1, (1 << 32) - 1])).to_bytes(4, "little")
    return bytes(data)


class Heard(logging.Handler):
    """What was warned of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def entries() -> list[Snapshot]:
    grids = ("15 minutes in a zone", "month ends", "integers")
    return [random_snapshot(n, grid, rows=30) for n, grid in enumerate(grids)]


def fuzz(folder: str, first: int, count: int) -> None:
    """Change files and read them, saying before each what is to come: a crash can say nothing any more."""
    heard = Heard()
    logging.getLogger("nbforecast.result_cache").addHandler(heard)
    fixed = CacheDirectory(Path(folder) / "fixed")
    written = [(s, found := fixed.write(s), found.path.read_bytes()) for s in entries()]
    for number in range(first, first + count):
        rng = np.random.default_rng(number)
        snapshot, found, content = written[number % len(written)]
        kind = KINDS[number // len(written) % len(KINDS)]
        os.write(1, f"{number} {kind}\n".encode())
        damaged = mutated(content, kind, rng)
        found.path.write_bytes(damaged)
        heard.said.clear()
        try:
            outcome = examine(CacheDirectory(fixed.path), snapshot, damaged, rng)
            assert len(heard.said) == (not outcome), heard.said
            for other, file, whole in written:
                if other is not snapshot:
                    assert file.path.read_bytes() == whole
        except AssertionError as error:
            raise AssertionError(f"{number}: {kind}") from error
        found.path.write_bytes(content)
    assert_same(fixed.read(fixed.find(written[0][0].key)), written[0][0])  # type: ignore[arg-type]


def examine(directory: CacheDirectory, snapshot: Snapshot, damaged: bytes, rng: np.random.Generator) -> bool:
    """Read a changed file in every way; whether it could be read."""
    found = directory.find(snapshot.key)
    assert found is not None
    for way in rng.permutation(["metadata", "outline", "nothing"]):
        if way == "metadata":
            directory.metadata(found)
        elif way == "outline" and (outline := directory.outline(found)) is not None:
            assert outline.data.handle == snapshot.data.handle
            np.testing.assert_array_equal(outline.contexts, snapshot.contexts)
            np.testing.assert_array_equal(outline.status, snapshot.status)
    read = directory.read(found)
    aside = directory.path / ASIDE
    if read is not None:
        assert_same(read, snapshot)
        assert found.path.read_bytes() == damaged
        assert not aside.exists()
        return True
    assert not found.path.exists()
    (kept,) = aside.iterdir()
    assert kept.read_bytes() == damaged
    kept.unlink()
    aside.rmdir()
    return False


def run(code: str, *arguments: object) -> "subprocess.Popen[bytes]":
    """A process that may take so much memory and no more."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))\n" * (os.name == "posix")
    call = f"from tests.property.test_directory_fuzz import {code}; {code}({', '.join(map(repr, arguments))})"
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", limit + call],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
    )


def test_C13_C14_any_change_to_a_file_is_noticed_and_harms_nothing_else(tmp_path: Path) -> None:
    running = [run("fuzz", str(tmp_path / str(n)), n * EACH, EACH) for n in range(PROCESSES)]
    try:
        for process in running:
            out, errors = process.communicate(timeout=120)
            last = out.decode().splitlines()[-1:]
            assert process.returncode == 0, f"ended with {process.returncode} at {last}:\n{errors.decode()[-4000:]}"
            assert len(out.splitlines()) == EACH
    finally:
        for process in running:
            process.kill()
            process.wait()


@pytest.mark.parametrize("kind", KINDS)
def test_C13_every_kind_of_change_changes_something(kind: str, tmp_path: Path) -> None:
    content = CacheDirectory(tmp_path).write(complete_snapshot()).path.read_bytes()
    changed = [mutated(content, kind, np.random.default_rng(n)) != content for n in range(20)]
    assert sum(changed) >= 15
