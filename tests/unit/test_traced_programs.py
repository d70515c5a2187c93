"""E2, C14: what JAX has traced is kept beside the compiled functions, and is read instead of being traced again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
import pytest

from nbforecast import compile_times
from nbforecast.forecasters import traced_programs
from nbforecast.forecasters.registry import resolve
from nbforecast.forecasters.traced_programs import SUFFIX, TracedProgram
from nbforecast.forecasters.window_forecaster import jit_once

if TYPE_CHECKING:
    from pathlib import Path


class Counter:
    """A function that counts how often it is traced."""

    def __init__(self, factor: float = 2.0) -> None:
        self.traces = 0
        self._factor = factor

    def __call__(self, weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
        self.traces += 1
        return self._factor * jnp.asarray(x) + weights["w"]


ARGUMENTS = {"w": np.float32([1.0])}, np.arange(3, dtype=np.float32)
EXPECTED = [1.0, 3.0, 5.0]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(traced_programs, "compiled_path", lambda name, suffix: tmp_path / f"{abs(hash(name))}{suffix}")
    return tmp_path


def test_E2_a_function_is_traced_once_on_a_machine(folder: Path) -> None:
    first, later = Counter(), Counter()
    for counter in (first, later):
        program = TracedProgram(counter, "f")
        for _ in range(2):
            np.testing.assert_array_equal(program(*ARGUMENTS), EXPECTED)
    assert (first.traces, later.traces) == (1, 0)
    assert len(list(folder.glob(f"*{SUFFIX}"))) == 1
    assert program(ARGUMENTS[0], np.zeros(4, np.float32)).shape == (4,), "another shape is another program"
    assert later.traces == 1


@pytest.mark.parametrize("change", ["name", "source", "damaged", "not kept"])
def test_E2_nothing_but_the_same_function_is_read(change: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    TracedProgram(Counter(), "f")(*ARGUMENTS)
    if change == "source":
        monkeypatch.setattr(traced_programs, "_source_digest", lambda: "another")
    elif change == "damaged":
        next(folder.glob(f"*{SUFFIX}")).write_bytes(b"not a program")
    elif change == "not kept":
        monkeypatch.setattr(traced_programs, "compiled_path", lambda *_: None)
    counter = Counter(3.0)
    program = TracedProgram(counter, "g" if change == "name" else "f")
    np.testing.assert_array_equal(program(*ARGUMENTS), [1.0, 4.0, 7.0])
    assert counter.traces == 1


def test_E2_functions_of_users_are_traced_in_every_process() -> None:
    function = Counter()
    own = type("Own", (SimpleNamespace,), {"__module__": "my_models"})(key="own")
    assert not isinstance(jit_once(own, function, 12, None), TracedProgram)
    assert isinstance(jit_once(resolve("naive"), function, 12, None), TracedProgram)


def test_E2_what_is_kept_has_the_name_of_this_version_of_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    names = set()
    for platform in ("jax 1", "jax 2"):
        monkeypatch.setattr(compile_times, "_platform", lambda platform=platform: platform)
        path = compile_times.compiled_path("f", SUFFIX)
        names.add(None if path is None else path.name)
    assert len(names) == 2 or names == {None}
