"""What a notebook calls the objects in it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MAX_ITEMS = 64  # of a list that are looked at


def find_expression(value: object, default: str) -> str:
    """Find the Python expression that stands for an object in the notebook: a variable, or an item of one.

    Args:
        value: The object.
        default: What is returned where no variable holds the object.

    Returns:
        The expression, such as `run`, `runs["naive"]` or `runs[1]`.

    Example:
        >>> find_expression(run, "run")
        'run'
    """
    # Cells and scripts run in the module of this name.
    return expression_in(vars(sys.modules["__main__"]), value) or default


def expression_in(namespace: Mapping[str, Any], value: object) -> str | None:
    """Find the expression that stands for an object in a namespace; variables come before items of dicts and lists."""
    # A copy: other threads may set variables meanwhile.
    variables = {name: item for name, item in list(namespace.items()) if not name.startswith("_")}
    for name, item in variables.items():
        if item is value:
            return name
    for name, item in variables.items():
        entries: Iterable[tuple[Any, Any]] = ()
        if type(item) is dict:
            entries = [(key, entry) for key, entry in list(item.items()) if isinstance(key, (str, int))]
        elif type(item) in (list, tuple):
            entries = enumerate(item[:_MAX_ITEMS])
        for key, entry in entries:
            if entry is value:
                return f"{name}[{json.dumps(key, ensure_ascii=False)}]"
    return None
