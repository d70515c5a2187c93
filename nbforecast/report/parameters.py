"""The parameters of a template, read from the text of a command line."""

from __future__ import annotations

import ast
import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from nbforecast.errors import OptionError
from nbforecast.options import ForecastOptions, steps_or_span
from nbforecast.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def parse_parameters(template: Path, texts: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Read values of a template's parameters, each of the type of its default.

    Numbers, true, false, null and lists are written as in JSON, lists also as `a,b`; the rest is text. The name of a
    column is text, `2023` too.

    Args:
        template: A notebook with a cell tagged `parameters`.
        texts: Names and values.

    Raises:
        OptionError: The template has no such parameter, or a value has another type than its default.
    """
    from papermill import inspect_notebook

    defaults = {name: _default(p["default"]) for name, p in inspect_notebook(str(template)).items()}
    if not defaults:
        raise OptionError(f"{template.name} has no parameters: tag one of its cells 'parameters'.")
    values = {}
    for name, text in texts:
        if name not in defaults:
            hint = did_you_mean(name, defaults)
            raise OptionError(f"{template.name} has no parameter {name!r}.{hint} It has: {', '.join(defaults)}.")
        values[name] = _parse(name, text, defaults[name])
    return values


def _default(source: str) -> Any:
    try:
        return ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return None


def _parse(name: str, text: str, default: Any) -> Any:
    if isinstance(default, str):
        return text
    try:
        value = json.loads({"None": "null", "True": "true", "False": "false"}.get(text, text))
    except ValueError:
        value = text
    if default is None and name in _COLUMN_OPTIONS and not (value is None or isinstance(value, list)):
        return text
    if isinstance(value, str) and name in _SPAN_OPTIONS:
        return value
    if isinstance(default, list) and not isinstance(value, list):
        return [word.strip() for word in text.split(",") if word.strip()]
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if default is not None and type(value) is not type(default):
        raise OptionError(f"{name} is {_TYPES.get(type(default), 'of another type')}, not {text!r}.")
    return value


_TYPES = {int: "a whole number", float: "a number", bool: "true or false", list: "a list, such as a,b"}
_SPAN_OPTIONS = {
    option.name for option in fields(ForecastOptions) if option.metadata["argument"].get("type") is steps_or_span
}
_COLUMN_OPTIONS = {
    option.name for option in fields(ForecastOptions) if option.metadata["argument"].get("metavar") in ("COL", "A,B")
}
