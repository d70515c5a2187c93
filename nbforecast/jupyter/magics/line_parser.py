"""The line after a magic's name: parsing its options and finding the objects that it names."""

from __future__ import annotations

import argparse
import ast
import re
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core.error import UsageError

from nbforecast.options import index_or_time, steps_or_span

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATH = re.compile(r"[^()\[\]{}\"'<>|*?]+")
_VARIABLE = re.compile(r"\{([^{}]+)\}|\$([A-Za-z_]\w*)")
_OPENING, _CLOSING, _QUOTES = "([{", ")]}", "\"'"
_FRAME_TYPES = {"DataFrame", "LazyFrame", "Table", "DuckDBPyRelation", "Series"}


class LineParser(argparse.ArgumentParser):
    """An argument parser that raises IPython's `UsageError` and never exits."""

    def __init__(self, prog: str, description: str | None = None, **_: object) -> None:
        super().__init__(prog=prog, description=description, add_help=False, exit_on_error=False)

    def error(self, message: str) -> NoReturn:
        """Raise an error that has the usage of the magic, where argparse would end the process."""
        raise UsageError(f"{self.prog}: {message}. {self.format_usage().strip()}. {self.prog.split()[0]}? explains it.")

    def format_all(self) -> str:
        """The help text, that of every command included."""
        actions = [a for a in self._actions if isinstance(a, argparse._SubParsersAction)]
        return "\n".join([self.format_help(), *(p.format_help() for a in actions for p in a.choices.values())])

    def parse_line(
        self, line: str, defaults: Mapping[str, Any] | None = None, variables: Mapping[str, Any] | None = None
    ) -> argparse.Namespace:
        """Parse the line of a magic, up to a comment.

        Args:
            line: The text after the magic's name.
            defaults: Values that replace the options' own defaults.
            variables: Variables of the notebook. Values of options may use them: `{steps}`, `$steps`, and a bare
                `steps` where the option takes a number.

        Returns:
            The options.
        """
        try:
            words = list(takewhile(lambda word: not word.startswith("#"), split(line.strip().removesuffix(";"))))
            words = [_unquote(word) for word in words]
            words = self._fill_in(words, variables or {})
            return self.parse_args(words, argparse.Namespace(**(defaults or {})))
        except (argparse.ArgumentError, ValueError) as error:
            self.error(str(error))

    def _fill_in(self, words: list[str], variables: Mapping[str, Any]) -> list[str]:
        """Replace variables in the values of options; other words, such as FRAME, stay as they are."""
        filled, action = [], None
        for word in words:
            flag, equals, value = word.partition("=")
            own = self._option_string_actions.get(flag)
            if action is not None:
                filled.append(_expand(word, variables, is_number=_takes_number(action)))
            elif own is not None and equals:
                filled.append(f"{flag}={_expand(value, variables, is_number=_takes_number(own))}")
            else:
                filled.append(word)
            action = own if own is not None and own.nargs != 0 and not equals and action is None else None
        return filled


def _takes_number(action: argparse.Action) -> bool:
    return action.type in (int, index_or_time, steps_or_span)


def _expand(word: str, variables: Mapping[str, Any], is_number: bool) -> str:
    """Replace `{expression}` and `$name` in the value of an option, and a bare name where it takes a number."""

    def text(match: re.Match[str]) -> str:
        source = match[1] or match[2]
        try:
            names = {n.id for n in ast.walk(ast.parse(source, mode="eval")) if isinstance(n, ast.Name)}
        except SyntaxError:
            return match[0]
        if not names or not names <= {*variables, *dir(__builtins__)}:
            return match[0]
        try:
            value = eval(source, dict(variables))
        except Exception as error:
            raise UsageError(f"{match[0]} failed: {type(error).__name__}: {error}") from error
        return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)

    if is_number and word in variables:
        return str(variables[word])
    return _VARIABLE.sub(text, word)


def split(line: str) -> list[str]:
    """Split a line at blanks outside quotes and brackets, so that `data["a b"]` is one word."""
    words: list[str] = []
    word, depth, quote = "", 0, ""
    for letter in line:
        if letter.isspace() and not quote and depth == 0:
            words, word = [*words, word] if word else words, ""
            continue
        word += letter
        if quote:
            quote = "" if letter == quote else quote
        elif letter in _QUOTES:
            quote = letter
        else:
            depth += (letter in _OPENING) - (letter in _CLOSING)
    if quote:
        raise ValueError(f"a quotation mark ({quote}) is not closed")
    return [*words, word] if word else words


def _unquote(word: str) -> str:
    if len(word) >= 2 and word[0] in _QUOTES and word[0] == word[-1] and word[0] not in word[1:-1]:
        return word[1:-1]
    return word


def resolve(word: str, namespace: Mapping[str, Any]) -> tuple[Any, str]:
    """Find what FRAME names: a variable or an expression of the notebook, else a file.

    Args:
        word: FRAME as it was typed.
        namespace: Variables of the notebook.

    Returns:
        The object or the path, and what to call it in titles.
    """
    try:
        tree = ast.parse(word, mode="eval")
    except SyntaxError:
        return word, Path(word).stem
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    missing = sorted(n for n in names if n not in namespace and n not in dir(__builtins__))
    if missing:
        if Path(word).is_file() or (_PATH.fullmatch(word) and (Path(word).suffix or Path(word).exists())):
            return word, Path(word).stem
        if not _PATH.fullmatch(word):
            raise UsageError(f"There is no variable {missing[0]!r} in this notebook, in {word}.")
        frames = [n for n, v in namespace.items() if not n.startswith("_") and is_frame(v)]
        hint = f" Tables here: {', '.join(sorted(frames)[:8])}." if frames else ""
        raise UsageError(f"There is no variable {missing[0]!r} in this notebook, nor a file {word!r}.{hint}")
    try:
        return eval(compile(tree, "<magic>", "eval"), dict(namespace)), word if len(word) <= 40 else ""
    except Exception as error:
        raise UsageError(f"{word} failed: {type(error).__name__}: {error}") from error


def is_frame(value: object) -> bool:
    """Whether a value is a table, by the name of its type alone: nothing is imported or computed."""
    return type(value).__name__ in _FRAME_TYPES
