"""A template's parameters, and the values given to them on a command line."""

from __future__ import annotations

import ast
import difflib
import json
from typing import TYPE_CHECKING, Any

from nbforecast.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def chosen(template: Path, given: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The values of a template's parameters that are given as text, each of the kind that its default has.

    Numbers, true, false, null and lists are written as in JSON, lists also as `a,b`; the rest is text. Raises
    `OptionError` for a name that the template does not have, and for a value of another kind than its default.
    """
    from papermill import inspect_notebook

    there = {name: _default(p["default"]) for name, p in inspect_notebook(str(template)).items()}
    if not there:
        raise OptionError(f"{template.name} has no parameters: give one of its cells the tag 'parameters'.")
    values = {}
    for name, text in given:
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise OptionError(f"{template.name} has no parameter {name!r}.{hint} It has: {', '.join(there)}.")
        values[name] = _read(name, text, there[name])
    return values


def _default(source: str) -> Any:
    try:
        return ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return None


def _read(name: str, text: str, default: Any) -> Any:
    if isinstance(default, str):
        return text
    try:
        value = json.loads({"None": "null", "True": "true", "False": "false"}.get(text, text))
    except ValueError:
        value = text
    if isinstance(default, list) and not isinstance(value, list):
        return [word.strip() for word in text.split(",") if word.strip()]
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if default is not None and type(value) is not type(default):
        raise OptionError(f"{name} is {_KINDS.get(type(default), 'another kind of value')}, not {text!r}.")
    return value


_KINDS = {int: "a whole number", float: "a number", bool: "true or false", list: "a list, such as a,b"}
