"""Weights from files: safetensors, and PyTorch's zip files read without executing anything in them."""

from __future__ import annotations

import hashlib
import json
import pickletools
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbforecast.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Mapping

Tensors = dict[str, np.ndarray]

_STORAGES = {
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "HalfStorage": np.float16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "BoolStorage": np.bool_,
}
_TENSOR = ("torch._utils", "_rebuild_tensor_v2")
_PARAMETER = ("torch._utils", "_rebuild_parameter")
_ORDERED = ("collections", "OrderedDict")


def load(path: str | Path) -> Tensors:
    """Returns the tensors of a file of weights, by name.

    Args:
        path: A `.safetensors` file, or a PyTorch state dictionary (`.pth`, `.pt`, `.ckpt`). Nothing in it is executed.

    Raises:
        WeightsError: If the file is missing or is no such file; the message names it and what is wrong.
    """
    file = Path(path)
    if not file.is_file():
        raise WeightsError(f"There is no file {str(file)!r}.")
    try:
        return _safetensors(file) if file.suffix == ".safetensors" else _torch(file)
    except WeightsError as error:
        raise WeightsError(f"{file}: {error}") from error.__cause__
    except Exception as error:
        raise WeightsError(f"{file} cannot be read as weights: {type(error).__name__}: {error}") from error


def digest(tensors: Mapping[str, np.ndarray]) -> str:
    """Returns a digest of names, shapes and values: 16 hexadecimal digits, the same whatever file they come from."""
    sha256 = hashlib.sha256()
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name])
        sha256.update(f"{name} {value.dtype.str} {value.shape}\n".encode())
        sha256.update(value.data)
    return sha256.hexdigest()[:16]


def check(tensors: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Check that tensors have exactly the expected names and shapes.

    Args:
        tensors: The tensors.
        shapes: The expected shape of each name.

    Raises:
        WeightsError: If tensors are missing, unknown or of another shape; the message names them.
    """
    missing = [n for n in shapes if n not in tensors]
    unexpected = [n for n in tensors if n not in shapes]
    misshapen = [
        f"{n} has shape {tensors[n].shape}, not {shape}"
        for n, shape in shapes.items()
        if n in tensors and tensors[n].shape != shape
    ]
    faults = (
        [f"missing: {_list_names(missing)}"] * bool(missing)
        + [f"not known: {_list_names(unexpected)}"] * bool(unexpected)
        + misshapen[:8]
    )
    if faults:
        more = f"; {len(misshapen) - 8} more have another shape" if len(misshapen) > 8 else ""
        raise WeightsError(f"the weights do not fit the configuration: {'; '.join(faults)}{more}.")


def read_json(path: Path) -> dict[str, Any]:
    """Returns a configuration.

    Args:
        path: A JSON file that holds an object.

    Raises:
        WeightsError: If it holds none.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read as a configuration: {error}.") from error
    if not isinstance(config, dict):
        raise WeightsError(f"{path} is no configuration: it holds a {type(config).__name__}, not an object.")
    return config


def _list_names(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _safetensors(file: Path) -> Tensors:
    from safetensors.numpy import load_file

    return load_file(file)


class _Storage(NamedTuple):
    """Numbers of one kind in one member of the zip file."""

    dtype: type[np.generic]
    key: str
    numbers: int


class _Call(NamedTuple):
    """A call that is written in the file, and is not made."""

    function: object
    arguments: tuple[Any, ...]


_MARK = object()


def _torch(file: Path) -> Tensors:
    if not zipfile.is_zipfile(file):
        raise WeightsError("it is no PyTorch zip file; save it with a current torch.save, or as .safetensors")
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        root = next((n.removesuffix("/data.pkl") for n in names if n.endswith("/data.pkl")), None)
        if root is None:
            raise WeightsError("it is no PyTorch file: there is no data.pkl in it")
        if f"{root}/byteorder" in names and archive.read(f"{root}/byteorder") != b"little":
            raise WeightsError("its numbers are big-endian, which is not supported")
        content = _interpret(archive.read(f"{root}/data.pkl"))
        if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
            content = content["state_dict"]
        if not isinstance(content, dict) or not all(isinstance(n, str) for n in content):
            raise WeightsError("it holds no state dictionary (names and tensors)")
        return {name: _tensor(name, value, archive, root) for name, value in content.items()}


def _tensor(name: str, value: object, archive: zipfile.ZipFile, root: str) -> np.ndarray:
    if isinstance(value, _Call) and value.function == _PARAMETER:
        value = value.arguments[0]
    if not isinstance(value, _Call) or value.function != _TENSOR:
        raise WeightsError(f"{name!r} is no tensor")
    storage, offset, shape, strides = value.arguments[:4]
    if not isinstance(storage, _Storage) or not all(isinstance(n, int) and n >= 0 for n in (offset, *shape, *strides)):
        raise WeightsError(f"{name!r} is no tensor")
    numbers = np.frombuffer(archive.read(f"{root}/data/{storage.key}"), storage.dtype)
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) if all(shape) else offset - 1
    if last >= len(numbers):
        raise WeightsError(f"{name!r} reaches beyond the numbers that are there")
    width = numbers.itemsize
    view = np.lib.stride_tricks.as_strided(numbers[offset:], shape, [s * width for s in strides], writeable=False)
    return np.array(view)


def _interpret(code: bytes) -> Any:
    """The value that a pickle describes, of plain containers, with calls written down and none made.

    Refuses whatever a state dictionary does not need, so no name in the file is ever looked up or called.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}

    def pop_to_mark() -> list[Any]:
        mark = max(i for i, item in enumerate(stack) if item is _MARK)
        items = stack[mark + 1 :]
        del stack[mark:]
        return items

    for operation, value, _ in pickletools.genops(code):
        argument: Any = value
        match operation.name:
            case "PROTO" | "FRAME":
                pass
            case "STOP":
                return stack[-1]
            case "MARK":
                stack.append(_MARK)
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[operation.name])
            case "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT" | "BINUNICODE" | "SHORT_BINUNICODE":
                stack.append(argument)
            case "EMPTY_DICT" | "EMPTY_LIST" | "EMPTY_TUPLE":
                stack.append({"EMPTY_DICT": {}, "EMPTY_LIST": [], "EMPTY_TUPLE": ()}[operation.name])
            case "TUPLE":
                stack.append(tuple(pop_to_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(operation.name[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "APPEND" | "APPENDS":
                items = [stack.pop()] if operation.name == "APPEND" else pop_to_mark()
                stack[-1].extend(items)
            case "SETITEM" | "SETITEMS":
                items = [stack.pop(-2), stack.pop()] if operation.name == "SETITEM" else pop_to_mark()
                stack[-1].update(zip(items[::2], items[1::2], strict=True))
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "GLOBAL":
                stack.append(_check_reference(tuple(argument.split(" ", 1))))
            case "BINPERSID":
                stack.append(_storage(stack.pop()))
            case "REDUCE":
                arguments, function = stack.pop(), stack.pop()
                stack.append({} if function == _ORDERED and not arguments else _record_call(function, arguments))
            case "BUILD":  # the attributes of a dictionary, which are not needed
                stack.pop()
            case name:
                raise WeightsError(f"it holds more than weights (the instruction {name}); nothing of it was executed")
    raise WeightsError("it is cut short")


def _check_reference(name: tuple[str, ...]) -> tuple[str, ...]:
    if name in (_TENSOR, _PARAMETER, _ORDERED) or (name[0] == "torch" and name[1] in _STORAGES):
        return name
    raise WeightsError(f"it asks for {'.'.join(name)}, which weights do not need; nothing of it was executed")


def _record_call(function: object, arguments: object) -> _Call:
    if function not in (_TENSOR, _PARAMETER) or not isinstance(arguments, tuple):
        raise WeightsError(f"it asks to call {function!r}, which weights do not need; nothing of it was executed")
    return _Call(function, arguments)


def _storage(name: object) -> _Storage:
    match name:
        case ("storage", ("torch", str(kind)), str(key), str(), int(count)) if kind in _STORAGES and key.isalnum():
            return _Storage(_STORAGES[kind], key, count)
    raise WeightsError(f"it refers to {name!r}, which is no storage of numbers")
