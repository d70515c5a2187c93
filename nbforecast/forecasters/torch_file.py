"""PyTorch's files of weights, read without executing anything in them.

A file is a zip archive of numbers and of a pickle that names them. The pickle is interpreted here, as far as a state
dictionary needs it: calls are recorded, and none is made. Every size that the file states is compared with the size of
the file before memory is allocated.
"""

from __future__ import annotations

import math
import pickletools
import zipfile
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbforecast.errors import WeightsError
from nbforecast.safe_text import brief_repr, shorten

if TYPE_CHECKING:
    from pathlib import Path

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
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_SCALARS = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE")
_MOST_USES = 8  # of each number, by tensors that share a storage
_LONGEST_NAME = 200  # characters


def read_torch(file: Path) -> dict[str, np.ndarray]:
    """Returns the tensors of a state dictionary by name; those that share numbers in the file share them here.

    Args:
        file: A file that `torch.save` has written.

    Raises:
        WeightsError: If it is no such file, or states sizes that it cannot hold. The message does not name the file.
    """
    if not zipfile.is_zipfile(file):
        raise WeightsError("it is no PyTorch zip file; save it with a current torch.save, or as .safetensors")
    with zipfile.ZipFile(file) as zip_file:
        archive = _Archive(zip_file, file.stat().st_size)
        if archive.read("byteorder", b"little") != b"little":
            raise WeightsError("its numbers are big-endian, which is not supported")
        content = _interpret(archive.read("data.pkl"))
        if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
            content = content["state_dict"]
        if not isinstance(content, dict) or not all(isinstance(n, str) for n in content):
            raise WeightsError("it holds no state dictionary (names and tensors)")
        return _tensors(content, archive)


class _Archive:
    """The members of a PyTorch file, none of which is longer than the file.

    Args:
        zip_file: The open file.
        size: The size of the file in bytes.
    """

    def __init__(self, zip_file: zipfile.ZipFile, size: int) -> None:
        members = zip_file.infolist()
        if any(m.compress_type != zipfile.ZIP_STORED or m.compress_size != m.file_size for m in members):
            raise WeightsError("its members are compressed, which torch.save never does")
        if sum(m.file_size for m in members) > size:
            raise WeightsError("its members are longer than the file")
        self._zip_file = zip_file
        self._names = {m.filename for m in members}
        roots = [name.removesuffix("/data.pkl") for name in self._names if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise WeightsError(f"it is no PyTorch file: there {'is no' if not roots else 'are several'} data.pkl in it")
        self._root = roots[0]
        self._contents: dict[str, bytes] = {}

    def read(self, name: str, default: bytes | None = None) -> bytes:
        """Returns a member, which is read once.

        Args:
            name: Its name below the archive's own folder.
            default: What is returned if there is no such member.
        """
        member = f"{self._root}/{name}"
        if default is not None and member not in self._names:
            return default
        if name not in self._contents:
            self._contents[name] = self._zip_file.read(member)
        return self._contents[name]


class _Storage(NamedTuple):
    """Numbers of one kind in one member of the zip file."""

    dtype: type[np.generic]
    key: str
    length: int


class _Call(NamedTuple):
    """A call that is written in the file, and is not made."""

    function: object
    arguments: tuple[Any, ...]


class _Layout(NamedTuple):
    """Which numbers of a storage make a tensor."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _tensors(content: dict[str, Any], archive: _Archive) -> dict[str, np.ndarray]:
    layouts = {name: _layout(name, value) for name, value in content.items()}
    storages = {layout.storage: _numbers(layout.storage, archive) for layout in layouts.values()}
    tensors = {name: _tensor(name, layout, storages[layout.storage]) for name, layout in layouts.items()}
    stored = sum(numbers.size for numbers in storages.values())
    if sum(tensor.size for tensor in tensors.values()) > _MOST_USES * stored + len(tensors):
        raise WeightsError(f"its tensors state many more numbers than the {stored:,} that are there")
    return tensors


def _layout(name: str, value: object) -> _Layout:
    if isinstance(value, _Call) and value.function == _PARAMETER:
        value = value.arguments[0]
    if isinstance(value, _Call) and value.function == _TENSOR:
        match value.arguments[:4]:
            case (_Storage() as storage, int(offset), tuple(shape), tuple(strides)) if len(shape) == len(strides):
                if all(isinstance(n, int) and 0 <= n < 1 << 62 for n in (offset, *shape, *strides)):
                    return _Layout(storage, offset, shape, strides)
    raise WeightsError(f"{shorten(name, _LONGEST_NAME)!r} is no tensor")


def _numbers(storage: _Storage, archive: _Archive) -> np.ndarray:
    numbers = np.frombuffer(archive.read(f"data/{storage.key}"), storage.dtype)
    if storage.length != numbers.size:
        raise WeightsError(f"the storage {storage.key!r} has {numbers.size:,} numbers, not {storage.length:,}")
    return numbers


def _tensor(name: str, layout: _Layout, numbers: np.ndarray) -> np.ndarray:
    offset, shape, strides = layout.offset, layout.shape, layout.strides
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) if all(shape) else offset - 1
    if last >= numbers.size or math.prod(shape) > numbers.size:
        raise WeightsError(f"{shorten(name, _LONGEST_NAME)!r} reaches beyond the numbers that are there")
    width = numbers.itemsize
    return np.lib.stride_tricks.as_strided(numbers[offset:], shape, [s * width for s in strides], writeable=False)


class _Stack:
    """The stack of a pickle: items, in groups that begin at marks."""

    def __init__(self) -> None:
        self._groups: list[list[Any]] = [[]]

    @property
    def top(self) -> Any:
        """The last item."""
        return self._groups[-1][-1]

    def push(self, item: object) -> None:
        self._groups[-1].append(item)

    def pop(self, count: int = 1) -> list[Any]:
        """Removes the last items of the group, and returns them."""
        group = self._groups[-1]
        if len(group) < count:
            raise WeightsError("it is damaged: items are missing")
        items = group[len(group) - count :]
        del group[len(group) - count :]
        return items

    def mark(self) -> None:
        self._groups.append([])

    def pop_to_mark(self) -> list[Any]:
        """Removes the items since the last mark, and returns them."""
        if len(self._groups) < 2:
            raise WeightsError("it is damaged: items are missing")
        return self._groups.pop()


def _interpret(code: bytes) -> Any:
    """The value that a pickle describes, of plain containers, with calls recorded and none made.

    Refuses whatever a state dictionary does not need, so no name in the file is ever looked up or called. Each
    instruction takes a time that the items on the stack bound; values may be shared, so none is written out or hashed.
    """
    stack, memo = _Stack(), dict[int, Any]()
    for operation, value, _ in pickletools.genops(code):
        argument: Any = value
        match operation.name:
            case "PROTO" | "FRAME":
                pass
            case "STOP":
                return stack.top
            case "MARK":
                stack.mark()
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.push(_CONSTANTS[operation.name])
            case name if name in _SCALARS:
                stack.push(argument)
            case "EMPTY_DICT" | "EMPTY_LIST" | "EMPTY_TUPLE":
                stack.push({"EMPTY_DICT": {}, "EMPTY_LIST": [], "EMPTY_TUPLE": ()}[operation.name])
            case "TUPLE":
                stack.push(tuple(stack.pop_to_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.push(tuple(stack.pop(int(operation.name[-1]))))
            case "APPEND" | "APPENDS":
                items = stack.pop() if operation.name == "APPEND" else stack.pop_to_mark()
                stack.top.extend(items)
            case "SETITEM" | "SETITEMS":
                items = stack.pop(2) if operation.name == "SETITEM" else stack.pop_to_mark()
                stack.top.update(zip(map(_check_name, items[::2]), items[1::2], strict=True))
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack.top
            case "MEMOIZE":
                memo[len(memo)] = stack.top
            case "BINGET" | "LONG_BINGET":
                stack.push(memo[argument])
            case "GLOBAL":
                stack.push(_check_reference(tuple(argument.split(" ", 1))))
            case "BINPERSID":
                stack.push(_storage(stack.pop()[0]))
            case "REDUCE":
                function, arguments = stack.pop(2)
                stack.push({} if function == _ORDERED and not arguments else _record_call(function, arguments))
            case "BUILD":  # the attributes of a dictionary, which are not needed
                stack.pop()
            case name:
                raise WeightsError(f"it holds more than weights (the instruction {name}); nothing of it was executed")
    raise WeightsError("it is cut short")


def _check_name(name: object) -> object:
    if not isinstance(name, (str, int, float, bool, type(None))):
        raise WeightsError("it is no state dictionary: a name is no text")
    return name


def _check_reference(name: tuple[str, ...]) -> tuple[str, ...]:
    if name in (_TENSOR, _PARAMETER, _ORDERED) or (name[0] == "torch" and name[1] in _STORAGES):
        return name
    raise WeightsError(f"it asks for {_written(name)}, which weights do not need; nothing of it was executed")


def _record_call(function: object, arguments: object) -> _Call:
    if function not in (_TENSOR, _PARAMETER) or not isinstance(arguments, tuple):
        raise WeightsError(
            f"it asks to call {brief_repr(function)}, which weights do not need; nothing of it was executed"
        )
    return _Call(function, arguments)


def _storage(name: object) -> _Storage:
    match name:
        case ("storage", ("torch", str(kind)), str(key), str(), int(count)) if kind in _STORAGES and key.isalnum():
            return _Storage(_STORAGES[kind], key, count)
    raise WeightsError(f"it refers to {brief_repr(name)}, which is no storage of numbers")


def _written(name: tuple[str, ...]) -> str:
    return shorten(".".join(name), _LONGEST_NAME)
