"""Public names that have changed: the old name works for one release and warns."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REMOVED_IN = "0.3"


class RenamedAttribute:
    """The old name of a property or method: it warns and forwards to the new name.

    Args:
        new: The name that replaces the old one.

    Example:
        >>> class Run:
        ...     eta_seconds = 3.0
        ...     left = RenamedAttribute("eta_seconds")
    """

    def __init__(self, new: str) -> None:
        self.new = new

    def __set_name__(self, owner: type, name: str) -> None:
        self.old = name

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        kind = type(instance).__name__
        _warn(f"{kind}.{self.old}", f"{kind}.{self.new}", stacklevel=3)
        return getattr(instance, self.new)


def renamed_functions(module: str, functions: Mapping[str, Callable[..., Any]]) -> Callable[[str], Any]:
    """Make the `__getattr__` of a module whose functions have changed their names.

    Args:
        module: Name of the module.
        functions: The functions by their old names.

    Returns:
        A function that warns and returns the function of an old name.

    Example:
        >>> __getattr__ = renamed_functions(__name__, {"places": breakdown})
    """

    def get(name: str) -> Any:
        if name not in functions:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        short = module.rpartition(".")[2]
        _warn(f"{short}.{name}", f"{short}.{functions[name].__name__}", stacklevel=3)
        return functions[name]

    return get


def _warn(old: str, new: str, stacklevel: int) -> None:
    warnings.warn(
        f"{old} is now called {new}; the old name works until nbforecast {REMOVED_IN}.",
        DeprecationWarning,
        stacklevel=stacklevel,
    )
