"""C14, F4: weights are read from files of two kinds, and nothing in them is ever executed."""

from __future__ import annotations

import contextlib
import os
import pickle
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from nbforecast.errors import WeightsError
from nbforecast.forecasters.checkpoint import check, digest, load
from tests.support.networks import golden
from tests.support.requirements import shared_model


@pytest.mark.parametrize("name", ["gluformer_tiny.pth", "gluformer_tiny_cuda.pth"])
def test_F3_a_pytorch_file_is_read_bit_for_bit(name: str) -> None:
    numbers = np.load(shared_model("gluformer_tiny.npz"))
    expected = {n.removeprefix("w/"): numbers[n] for n in numbers if n.startswith("w/")}
    found = load(golden(name))
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key].dtype == value.dtype
        np.testing.assert_array_equal(found[key], value)


def test_C14_a_checkpoint_that_would_execute_something_is_refused_without_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=r"gluformer_evil.pth: it asks for .*nothing of it was executed"):
        load(golden("gluformer_evil.pth"))
    assert not list(tmp_path.iterdir())


class Evil:
    """Leaves a trace when it is unpickled."""

    def __init__(self, how: str) -> None:
        self.how = how

    def __reduce__(self) -> tuple[Any, ...]:
        return (eval, ("open('EXECUTED', 'w').close()",)) if self.how == "eval" else (os.mkdir, ("EXECUTED",))


def torch_file(path: Path, content: object, protocol: int = 2, pickled: bytes | None = None) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickled if pickled is not None else pickle.dumps(content, protocol))
        archive.writestr("x/byteorder", "little")
        archive.writestr("x/data/0", np.arange(6, dtype=np.float32).tobytes())
    return path


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
@pytest.mark.parametrize("how", ["eval", "mkdir"])
def test_C14_whatever_the_protocol_nothing_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, protocol: int
) -> None:
    monkeypatch.chdir(tmp_path)
    file = torch_file(tmp_path / "evil.pth", {"w": Evil(how)}, protocol)
    with pytest.raises(WeightsError, match=r"nothing of it was executed|cannot be read"):
        load(file)
    assert [p.name for p in tmp_path.iterdir()] == ["evil.pth"]


@settings(max_examples=200, deadline=None)
@given(noise=st.binary(max_size=60))
def test_C14_noise_is_an_error_of_ours(noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = torch_file(Path(folder) / "noise.pth", None, pickled=b"\x80\x02" + noise + b".")
        with contextlib.suppress(WeightsError):
            assert isinstance(load(file), dict)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: p.write_bytes(b"no zip"), "it is no PyTorch zip file"),
        (lambda p: torch_file(p, [1, 2]), "it holds no state dictionary"),
        (lambda p: torch_file(p, {"w": 3}), "'w' is no tensor"),
        (lambda p: torch_file(p, {3: "w"}), "it holds no state dictionary"),
        (lambda p: torch_file(p, None, pickled=b""), "cut short|cannot be read"),
        (lambda p: torch_file(p, None, pickled=b"\x80\x02}q"), "cut short|cannot be read"),
        (lambda p: zipfile.ZipFile(p, "w").close(), "no data.pkl|no PyTorch"),
    ],
)
def test_F4_what_is_no_checkpoint_is_told_by_file(tmp_path: Path, make: Any, said: str) -> None:
    path = tmp_path / "it.pth"
    make(path)
    with pytest.raises(WeightsError, match=said) as caught:
        load(path)
    assert "it.pth" in str(caught.value)


def tensor(
    offset: int = 0, shape: tuple[int, ...] = (2, 3), strides: tuple[int, ...] = (3, 1), kind: str = "Float"
) -> bytes:
    """A pickle of one tensor, as PyTorch writes it."""
    numbers = b"".join(b"K" + bytes([n]) for n in shape)
    steps = b"".join(b"K" + bytes([n]) for n in strides)
    name = f"ctorch\n{kind}Storage\n".encode()
    return (
        b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storage" + name
        + b"X\x01\0\0\x000X\x03\0\0\0cpuK\x06tQK" + bytes([offset]) + b"(" + numbers + b"t(" + steps + b"t\x89N"
        + b"tR" + b"s."
    )  # fmt: skip


def test_F3_strides_and_offsets_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "t.pth"
    np.testing.assert_array_equal(load(torch_file(path, None, pickled=tensor()))["w"], [[0, 1, 2], [3, 4, 5]])
    turned = load(torch_file(path, None, pickled=tensor(0, (3, 2), (1, 3))))["w"]
    np.testing.assert_array_equal(turned, [[0, 3], [1, 4], [2, 5]])
    assert load(torch_file(path, None, pickled=tensor(4, (2,), (1,))))["w"].tolist() == [4, 5]
    assert load(torch_file(path, None, pickled=tensor(5, (), ())))["w"].tolist() == 5


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (tensor(1), "reaches beyond the numbers"),
        (tensor(0, (255, 255), (1, 255)), "reaches beyond the numbers"),
        (tensor(kind="Quantum"), "asks for torch.QuantumStorage"),
    ],
)
def test_C14_a_tensor_reads_nothing_but_its_own_numbers(tmp_path: Path, given: bytes, said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        load(torch_file(tmp_path / "t.pth", None, pickled=given))


def test_F4_every_tensor_that_does_not_fit_is_named() -> None:
    there = {"a": np.zeros(3), "b": np.zeros((2, 2)), "d": np.zeros(1)}
    check(there, {"a": (3,), "b": (2, 2), "d": (1,)})
    with pytest.raises(WeightsError, match=r"missing: c; not known: d; a has shape \(3,\), not \(4,\)"):
        check(there, {"a": (4,), "b": (2, 2), "c": (1,)})


def test_F3_the_digest_tells_weights_apart_and_not_their_files(tmp_path: Path) -> None:
    weights = {"b": np.arange(4, dtype=np.float32), "a": np.ones((2, 2), np.float32)}
    save_file(weights, tmp_path / "w.safetensors")
    assert digest(load(tmp_path / "w.safetensors")) == digest(weights)
    for other in (
        {"b": weights["b"], "a": 2 * weights["a"]},
        {"b": weights["b"], "c": weights["a"]},
        {"b": weights["b"], "a": weights["a"].reshape(4)},
    ):
        assert digest(other) != digest(weights)


def test_F4_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"There is no file '.*nothing.pth'"):
        load(tmp_path / "nothing.pth")
