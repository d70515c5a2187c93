"""A digest of a user's own function or fitted model, and of everything it refers to."""

from __future__ import annotations

import hashlib
import inspect
import secrets
import sys
import types
from pickle import Pickler, PicklingError
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def code_digest(function: object) -> str:
    """Returns a digest that is equal for functions or callable objects that compute the same.

    That is: of the same code and defaults, and referring to equal values, functions and classes. Those of installed
    libraries count by name and version. Values are pickled into the digest, and never unpickled.

    Args:
        function: A function, a callable object or a fitted model.

    Returns:
        16 hexadecimal digits. What cannot be pickled (an open file, say) has no digest: each call then returns another
        text.
    """
    digest = hashlib.sha256()
    try:
        _Reader(digest).dump(function)
    except (PicklingError, TypeError, AttributeError, ValueError, RecursionError):
        return f"kernel {secrets.token_hex(8)}"
    return digest.hexdigest()[:16]


class _Hash:
    """A file that is only hashed."""

    def __init__(self, digest: Any) -> None:
        self.write = digest.update


class _Reader(Pickler):
    """Pickles a user's own functions and classes as what they consist of, and all else as usual."""

    def __init__(self, digest: Any) -> None:
        super().__init__(_Hash(digest), protocol=5)
        self._numbers: dict[int, int] = {}

    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, types.ModuleType):
            return value.__name__, getattr(value, "__version__", "")
        if isinstance(value, types.CodeType):
            return value.co_code, value.co_names, value.co_varnames, value.co_consts
        if not isinstance(value, (type, types.FunctionType)):
            return None
        version = _version(value)
        if version:
            return value.__module__, value.__qualname__, version
        number = self._numbers.get(id(value))
        if number is not None:
            return number
        self._numbers[id(value)] = len(self._numbers)
        return (value.__bases__, _members(value)) if isinstance(value, type) else _function(value)


def _version(value: type | types.FunctionType) -> str:
    """Of the library that a function or class comes from; empty for what is a user's own."""
    package = (value.__module__ or "builtins").partition(".")[0]
    if package in sys.stdlib_module_names and package != "__main__":
        return sys.version
    return str(getattr(sys.modules.get(package), "__version__", ""))


def _function(value: types.FunctionType) -> tuple[Any, ...]:
    cells = [c.cell_contents for c in value.__closure__ or ()]
    names = sorted(set(_names(value.__code__)) & value.__globals__.keys())
    named = [(n, value.__globals__[n]) for n in names]
    return value.__code__, value.__defaults__, value.__kwdefaults__, cells, named


def _names(code: types.CodeType) -> Iterator[str]:
    """Of globals and attributes, also in the functions and comprehensions inside."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _members(value: type) -> list[tuple[str, Any]]:
    """A class's own methods and plain attributes."""
    members: list[tuple[str, Any]] = []
    for name, member in vars(value).items():
        if isinstance(member, (staticmethod, classmethod)):
            members.append((name, member.__func__))
        elif isinstance(member, property):
            members.append((name, (member.fget, member.fset)))
        elif inspect.isfunction(member) or (isinstance(member, (bool, int, float, str, bytes)) and name[:2] != "__"):
            members.append((name, member))
    return members
