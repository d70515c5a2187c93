"""F4, C14: whatever a configuration or a file of weights says, it is read or refused, in bounded time and memory."""

from __future__ import annotations

import json
import pickle
import time
import tracemalloc
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from nbforecast.errors import WeightsError
from nbforecast.forecasters.checkpoint import load
from nbforecast.forecasters.chronos_bolt.forecaster import ChronosBolt
from nbforecast.forecasters.gluformer.forecaster import Gluformer
from nbforecast.forecasters.pretrained.forecaster import Pretrained
from tests.support.examples import examples
from tests.support.networks import bolt, bolt_config, gluformer, save_bolt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECONDS, MEGABYTES = 5.0, 32
SHARED_FOLDER = examples(15, suppress_health_check=[HealthCheck.function_scoped_fixture])
DEEP: Any = json.loads("[" * 500 + "]" * 500)
ODD = st.one_of(
    st.sampled_from([None, True, 0, -1, 1, 2, 10**9, 10**18, 1e9, 0.5, 2.0, float("nan"), float("inf"), "", "x" * 5000,
                     "swish", [], [1e9], [None], ["a"], {}, {"a": 1}, [[0.1]], DEEP, "\x1b[2J\u202e"]),
    st.integers(), st.floats(), st.text(max_size=5), st.lists(st.floats(), max_size=4),
)  # fmt: skip
GLUFORMER_CONFIG = {
    "n_heads": 2, "label_len": 8, "len_pred": 6, "r_drop": 0.2, "activ": "gelu",
    "scaler": {"target": [40, 400], "lows": [1, 1, 0, 0, 0, 0], "highs": [31, 12, 0, 23, 59, 0]},
}  # fmt: skip


@contextmanager
def refused_or_read() -> Iterator[None]:
    """Allows no error but `WeightsError`, whose message is short, and little time and memory."""
    message = ""
    tracemalloc.start()
    start = time.thread_time()
    try:
        yield
    except WeightsError as error:
        message = str(error)
    finally:
        seconds, peak = time.thread_time() - start, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert len(message) <= 1_200
    assert "\x1b" not in message
    assert seconds < SECONDS
    assert peak < MEGABYTES * 1e6


def fields_of(config: dict[str, Any]) -> list[tuple[str, ...]]:
    """The paths of all fields, also of those inside other ones."""
    inner = [(name, *rest) for name, value in config.items() if isinstance(value, dict) for rest in fields_of(value)]
    return [*((name,) for name in config), *inner]


def replaced(config: dict[str, Any], path: tuple[str, ...], value: object) -> dict[str, Any]:
    if len(path) == 1:
        return config | {path[0]: value}
    return config | {path[0]: replaced(config[path[0]], path[1:], value)}


@SHARED_FOLDER
@given(data=st.data())
def test_F4_any_field_of_a_chronos_bolt_configuration_is_read_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    config: dict[str, Any] = bolt_config()
    folder = save_bolt(tmp_path / "bolt", bolt())
    for _ in range(data.draw(st.integers(1, 3))):
        config = replaced(config, data.draw(st.sampled_from(fields_of(config))), data.draw(ODD))
        (folder / "config.json").write_text(json.dumps(config))
        with refused_or_read():
            model = ChronosBolt.load(folder)
            assert 0 < len(model.levels) < 100
            assert model.context <= 1 << 16


@SHARED_FOLDER
@given(data=st.data())
def test_F4_any_field_of_a_gluformer_configuration_is_read_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    save_file(dict(gluformer().weights), tmp_path / "weights.safetensors")
    config: dict[str, Any] = GLUFORMER_CONFIG
    for _ in range(data.draw(st.integers(1, 3))):
        config = replaced(config, data.draw(st.sampled_from(fields_of(config))), data.draw(ODD))
        (tmp_path / "config.json").write_text(json.dumps(config))
        with refused_or_read():
            model = Gluformer.load(tmp_path)
            assert 0 <= model.sizes.dropout < 1
            assert model.scaler.target[0] < model.scaler.target[1]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"r_drop": 2.0}, "'r_drop' is 2.0, not a float from 0 to below 1"),
        ({"activ": "swish"}, "'activ' is 'swish', not one of 'gelu', 'relu'"),
        ({"len_pred": 10**9}, "'len_pred' is 1000000000, not a positive int up to 24"),
        ({"n_heads": "two"}, "'n_heads' is 'two', not a positive int"),
        ({"label_len": 0}, "'label_len' is 0, not a positive int up to 24"),
        ({"scaler": {"target": [400, 40]}}, "'target' is .400, 40., not a low end and a higher one"),
        ({"scaler": {"lows": [1]}}, "'lows' is .1., not a list of 6 numbers"),
        ({"scaler": {"low": 1}}, "'low' is not known, only 'target'"),
        ({"scaler": 7}, "'scaler' is 7, not an object"),
    ],
)
def test_F4_a_senseless_field_of_gluformer_is_named(fields: dict[str, Any], said: str, tmp_path: Path) -> None:
    save_file(dict(gluformer().weights), tmp_path / "weights.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(GLUFORMER_CONFIG | fields))
    with pytest.raises(WeightsError, match=said):
        Gluformer.load(tmp_path)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"num_layers": 10**9}, "'num_layers' is 1000000000, not a positive int up to 256"),
        ({"chronos_config": bolt_config()["chronos_config"] | {"context_length": 10**9}},  # type: ignore[operator]
         "'context_length' is 1000000000, not an int from 8 to 65,536"),
        ({"layer_norm_epsilon": float("nan")}, "'layer_norm_epsilon' is nan, not a float"),
        ({"relative_attention_max_distance": 1}, "'relative_attention_max_distance' is 1"),
        ({"is_gated_act": "no"}, "'is_gated_act' is 'no', not true or false"),
    ],
)  # fmt: skip
def test_F4_a_senseless_field_of_chronos_bolt_is_named(fields: dict[str, Any], said: str, tmp_path: Path) -> None:
    folder = save_bolt(tmp_path / "bolt", bolt())
    (folder / "config.json").write_text(json.dumps(bolt_config() | fields))
    with pytest.raises(WeightsError, match=said):
        ChronosBolt.load(folder)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "7" * 10_000, " " * (2 << 20), "\ud800"])
@pytest.mark.parametrize("load_model", [ChronosBolt.load, Gluformer.load])
def test_F4_a_configuration_of_any_text_is_refused(
    text: str, load_model: Callable[..., object], tmp_path: Path
) -> None:
    model = bolt() if load_model == ChronosBolt.load else gluformer()
    save_file(dict(model.weights), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(text, errors="surrogatepass")
    with refused_or_read(), pytest.raises(WeightsError, match="configuration"):
        load_model(tmp_path)


@pytest.mark.parametrize("load_model", [ChronosBolt.load, Gluformer.load, Pretrained.load])
@pytest.mark.parametrize("place", ["x" * 5_000, "~nosuchuser/x", 7, "a\0b", ""])
def test_F4_what_is_no_path_is_refused(load_model: Callable[..., object], place: Any) -> None:
    with refused_or_read(), pytest.raises(WeightsError):
        load_model(place)


@SHARED_FOLDER
@given(data=st.data())
def test_F4_tensors_of_any_shape_and_kind_are_read_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    kind = data.draw(st.sampled_from(["bolt", "gluformer", "pretrained"]))
    load_model: Callable[..., object] = {
        "bolt": ChronosBolt.load, "gluformer": Gluformer.load, "pretrained": Pretrained.load
    }[kind]  # fmt: skip
    model = {"bolt": bolt(), "gluformer": gluformer()}.get(kind)
    weights = {"enter.bias": np.zeros(3, np.float32)} if model is None else dict(model.weights)
    name = data.draw(st.sampled_from([*weights, "blocks.x"]))
    shape = data.draw(st.sampled_from([(), (0,), (1,), (2, 3), (1, 1, 1), (1, 5000, 2)]))
    dtype = data.draw(st.sampled_from(["float32", "int64", "bool", "float16"]))
    weights[name] = np.full(shape, data.draw(st.sampled_from([0.0, 1.0])), dtype)
    if data.draw(st.booleans()):
        del weights[data.draw(st.sampled_from(list(weights)))]
    folder = save_bolt(tmp_path / "it", bolt())
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(bolt_config() | GLUFORMER_CONFIG))
    with refused_or_read():
        load_model(folder if kind != "pretrained" else folder / "model.safetensors")


def test_F4_weights_that_are_no_finite_numbers_are_refused(tmp_path: Path) -> None:
    name, value = next(iter(bolt().weights.items()))
    for odd, said in ((np.full_like(value, np.nan), "NaN"), (value.astype(np.int32), "holds int32")):
        save_file(dict(bolt().weights) | {name: odd}, save_bolt(tmp_path, bolt()) / "model.safetensors")
        with pytest.raises(WeightsError, match=said):
            ChronosBolt.load(tmp_path)


def tensor_pickle(shape: tuple[int, ...], strides: tuple[int, ...], names: int = 1, count: int = 6) -> bytes:
    """A state dictionary of tensors that share a storage."""

    def integers(numbers: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(pickle.dumps(n, 2)[2:-1] for n in numbers) + b"t"

    storage = (
        b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu" + integers((count,))[1:-1] + b"tQ"
    )
    body = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\0" + integers(shape) + integers(strides) + b"\x89NtR"
    entries = (b"X" + len(str(n)).to_bytes(4, "little") + str(n).encode() + body for n in range(names))
    return b"\x80\x02}(" + b"".join(entries) + b"u."


def torch_file(path: Path, pickled: bytes, *, compression: int = zipfile.ZIP_STORED, numbers: int = 6) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("x/data.pkl", pickled)
        archive.writestr("x/data/0", np.zeros(numbers, np.float32).tobytes())
    return path


def explosion(depth: int, ending: bytes) -> bytes:
    """A tuple that holds the one before it twice, and so on: its text would fill any memory."""
    return b"\x80\x02)q\0" + b"h\0h\0\x86q\0" * depth + ending


@pytest.mark.slow
@pytest.mark.parametrize(
    "pickled",
    [
        explosion(200, b"Q."), explosion(200, b")R."), explosion(200, b"}h\0Ns."), explosion(200, b"h\0\x86R."),
        explosion(200, b"."), b"\x80\x02" + b"(" * 20_000 + b"t" * 20_000 + b".", b"\x80\x02" + b")" * 50_000 + b"t.",
        b"\x80\x02" + b")(" * 20_000 + b"t" * 20_000 + b".", b"\x80\x02]q\0" + b"h\0a" * 10_000 + b"h\0Q.",
        b"\x80\x02cos\n" + b"s" * 100_000 + b"\n.", tensor_pickle((10**9, 10**9), (0, 0)),
        tensor_pickle((2,), (0,), 2_000),
        tensor_pickle((7,), (0,)), tensor_pickle((2**70,), (1,)), tensor_pickle((2, 3), (3,)),
        tensor_pickle((0, 2**61), (1, 1)), tensor_pickle((6,), (1,), 2_000), tensor_pickle((6,), (1,), count=10**12),
        tensor_pickle((1,) * 100, (1,) * 100),
    ],
    ids=range(19),
)  # fmt: skip
def test_C14_a_hostile_pickle_is_refused_in_bounded_time_and_memory(pickled: bytes, tmp_path: Path) -> None:
    with refused_or_read(), pytest.raises(WeightsError):
        load(torch_file(tmp_path / "x.pth", pickled))


def test_C14_members_that_expand_are_refused(tmp_path: Path) -> None:
    file = torch_file(tmp_path / "x.pth", tensor_pickle((2,), (1,), count=10**8), compression=zipfile.ZIP_DEFLATED,
                      numbers=10**7)  # fmt: skip
    with refused_or_read(), pytest.raises(WeightsError, match="members are compressed"):
        load(file)
    whole = torch_file(tmp_path / "y.pth", tensor_pickle((2,), (1,))).read_bytes()
    header = whole.rindex(b"PK\x01\x02")
    forged = bytearray(whole)
    forged[header + 20 : header + 28] = (2**31).to_bytes(4, "little") * 2  # both sizes of the last member
    (tmp_path / "y.pth").write_bytes(forged)
    with refused_or_read(), pytest.raises(WeightsError, match="longer than the file"):
        load(tmp_path / "y.pth")


@examples(15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_C14_a_file_with_any_bytes_changed_is_read_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    if data.draw(st.booleans()):
        file = torch_file(tmp_path / "x.pth", tensor_pickle((2, 3), (3, 1), 3))
    else:
        file = tmp_path / "x.safetensors"
        save_file({"a": np.zeros((2, 3), np.float32), "b": np.ones(2, np.float16)}, file)
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content) - 3]))])
    with refused_or_read():
        load(file)


def test_F3_tensors_that_share_numbers_are_read(tmp_path: Path) -> None:
    tensors = load(torch_file(tmp_path / "x.pth", tensor_pickle((2, 3), (3, 1), 3)))
    assert [t.shape for t in tensors.values()] == [(2, 3)] * 3
    assert np.shares_memory(tensors["0"], tensors["1"])
