"""Public names that have changed: the old name works for one release and warns."""

from __future__ import annotations

import warnings
from typing import Any


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
        warnings.warn(
            f"{kind}.{self.old} is now called {kind}.{self.new}; the old name works until nbforecast 0.3.",
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(instance, self.new)
