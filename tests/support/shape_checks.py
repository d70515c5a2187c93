"""Checks jaxtyping's annotations of nbforecast while the tests run: a wrong shape or type of an array raises.

jaxtyping's own import hook hands all annotations of a function to beartype at each call. nbforecast imports the classes
that only annotations name under `TYPE_CHECKING`, so most of them cannot be evaluated at run time, and functions that
take microseconds are called a million times. This hook checks the annotations of arrays alone. What they name that
cannot be evaluated counts as `Any`, and arguments and results of the same shapes and types are checked once. A function
whose last calls brought no others is looked at in every sixteenth call, until one does.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import sys
from dataclasses import fields
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from typing import TYPE_CHECKING, Any

from beartype.door import is_bearable
from jaxtyping import AnnotationError, jaxtyped

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Hashable, Mapping, Sequence

_CHECK_CALLS, _CHECK_FIELDS = "__check_calls__", "__check_fields__"
_FULL, _EVERY = 5000, 16  # so many calls in a row may bring nothing new; then one of so many is looked at


class ShapeError(TypeError):
    """An array is not what its annotation says."""


def install_shape_checks(package: str = "nbforecast") -> None:
    """Checks the calls of a package's functions, from its next import on.

    Raises:
        RuntimeError: The package is imported already, so that its functions cannot be checked.
    """
    if package in sys.modules:
        raise RuntimeError(f"{package} is imported already; its calls cannot be checked.")
    sys.meta_path.insert(0, _Finder(package))


class _Finder(MetaPathFinder):
    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] != self._package:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> types.CodeType | None:
        """Compiles a module that annotates arrays anew each time; other modules come from their bytecode."""
        source = self.get_data(self.path)
        if b"jaxtyping" not in source:
            return super().get_code(fullname)
        tree = ast.parse(source, self.path)
        names = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "jaxtyping"
            for alias in node.names
        }
        decorated: ast.Module = _Decorate(names).visit(tree)
        return compile(decorated, self.path, "exec", dont_inherit=True)

    def exec_module(self, module: types.ModuleType) -> None:
        vars(module).update({_CHECK_CALLS: check_calls, _CHECK_FIELDS: check_fields})
        super().exec_module(module)


class _Decorate(ast.NodeTransformer):
    """Decorates the functions and dataclasses of a module that annotate arrays."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        arguments = node.args
        every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
        if any(self._is_array(a.annotation) for a in every if a) or self._is_array(node.returns):
            node.decorator_list.append(_name(_CHECK_CALLS, node))
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        is_dataclass = any("dataclass" in ast.unparse(d) for d in node.decorator_list)
        if is_dataclass and any(self._is_array(s.annotation) for s in node.body if isinstance(s, ast.AnnAssign)):
            node.decorator_list.insert(0, _name(_CHECK_FIELDS, node))
        return node

    def _is_array(self, annotation: ast.expr | None) -> bool:
        return annotation is not None and any(
            isinstance(node, ast.Name) and node.id in self._names for node in ast.walk(annotation)
        )


def _name(name: str, node: ast.FunctionDef | ast.ClassDef) -> ast.Name:
    return ast.Name(name, ast.Load(), lineno=node.lineno, col_offset=0, end_lineno=node.lineno, end_col_offset=0)


def check_calls(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose arguments and result are checked, the same dimension having the same size in all of them."""
    seen: set[Hashable] = set()
    signature = inspect.signature(function)
    variadic = next((n for n, p in signature.parameters.items() if p.kind is p.VAR_POSITIONAL), None)

    @functools.cache
    def hints() -> dict[str, Any]:
        return _array_hints(function.__annotations__, function.__globals__)

    @functools.cache
    def positions(count: int) -> tuple[int, ...]:
        """Which of so many positional arguments are checked."""
        names = [*signature.parameters]
        first = len(names) if variadic is None else names.index(variadic)
        return tuple(i for i in range(count) if (names[i] if i < first else variadic) in hints())

    def check(args: tuple[Any, ...], kwargs: Mapping[str, Any], **result: Any) -> None:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        values, expected = bound.arguments | result, hints()
        if variadic in expected:
            several = {f"{variadic}[{i}]": value for i, value in enumerate(values.pop(variadic))}
            values, expected = values | several, expected | dict.fromkeys(several, expected[variadic])
        _check(f"{function.__module__}.{function.__qualname__}", values, expected)

    calls = 0  # since one brought something new

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > _FULL and calls % _EVERY:
            return function(*args, **kwargs)
        given = (len(args), *[_kind(args[i]) for i in positions(len(args))])
        if kwargs:
            given = (*given, *[(name, _kind(value)) for name, value in kwargs.items() if name in hints()])
        if given not in seen:
            check(args, kwargs)
            seen.add(given)
            calls = 0
        result = function(*args, **kwargs)
        if "return" in hints():
            all_kinds = (given, _kind(result))
            if all_kinds not in seen:
                check(args, kwargs, **{"return": result})
                seen.add(all_kinds)
                calls = 0
        return result

    return call


def check_fields(cls: type) -> type:
    """A dataclass whose arrays are checked when it is made."""
    init: Callable[..., None] = cls.__init__  # type: ignore[misc]
    seen: set[Hashable] = set()

    @functools.cache
    def hints() -> dict[str, Any]:
        return _array_hints({f.name: f.type for f in fields(cls)}, vars(sys.modules[cls.__module__]))

    @functools.wraps(init)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        values = vars(self)
        kinds = tuple([_kind(values[name]) for name in hints()])
        if kinds not in seen:
            _check(f"{cls.__module__}.{cls.__qualname__}", values, hints())
            seen.add(kinds)

    cls.__init__ = checked  # type: ignore[misc]
    return cls


def _check(owner: str, values: Mapping[str, Any], hints: Mapping[str, Any]) -> None:
    with jaxtyped("context"):
        # a sum of dimensions can be checked when its parts are known, which other annotations tell
        for name in sorted(filter(values.__contains__, hints), key=lambda n: "+" in repr(hints[n])):
            try:
                is_right = is_bearable(values[name], hints[name])
            except AnnotationError:  # a part remains unknown
                continue
            if not is_right:
                raise ShapeError(f"{owner}: {name} is {_kind(values[name])}, not {hints[name]}.")


def _kind(value: Any) -> Any:
    """The type of a value; with shape and dtype if it is an array; of each item if it is a collection of several."""
    if isinstance(value, tuple):
        return tuple([_kind(item) for item in value])
    if isinstance(value, dict):
        return tuple([(name, _kind(item)) for name, item in value.items()])
    if isinstance(value, list):
        return (list, *{_kind(item) for item in value})
    shape = getattr(value, "shape", None)
    return type(value) if shape is None else (type(value), shape, getattr(value, "dtype", None))


def _array_hints(annotations: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """The annotations that name an array, evaluated."""
    scope = _Scope({**vars(builtins), **names})
    hints = {n: eval(a, {}, scope) if isinstance(a, str) else a for n, a in annotations.items()}
    return {name: hint for name, hint in hints.items() if "jaxtyping" in repr(hint)}


class _Scope(dict[str, Any]):
    """The names of a module; what it imports for annotations only is `_Anything`."""

    def __missing__(self, name: str) -> Any:
        return _Anything


class _AnythingType(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return True

    def __getitem__(cls, item: object) -> type:
        return cls

    def __getattr__(cls, name: str) -> type:
        if name.startswith("_"):
            raise AttributeError(name)
        return cls


class _Anything(metaclass=_AnythingType):
    """Stands for a class that cannot be imported; every object passes for its instance."""
