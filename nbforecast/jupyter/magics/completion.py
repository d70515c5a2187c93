"""Tab completion of the magics: options, models, tables, commands of the cache, handles."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.getipython import get_ipython

from nbforecast.forecasters.registry import registered_models
from nbforecast.jupyter.magics.line_parser import is_frame
from nbforecast.jupyter.magics.magics import PARSERS

if TYPE_CHECKING:
    from collections.abc import Iterable

_LINE = re.compile(rf"(?:^|=\s*)%({'|'.join(sorted(PARSERS, key=len, reverse=True))})\s+(.*)$")


@context_matcher(priority=100)  # type: ignore[untyped-decorator]
def complete_magic(context: CompletionContext) -> SimpleMatcherResult:
    """Completions inside a line of one of our magics; none anywhere else."""
    line = context.full_text.splitlines()[context.cursor_line][: context.cursor_position] if context.full_text else ""
    match = _LINE.search(line)
    if match is None:
        return SimpleMatcherResult(completions=[])
    parser, words = PARSERS[match[1]], match[2].split(" ")
    *before, word = words
    completions = [SimpleCompletion(c) for c in _candidates(parser, before, word) if c.startswith(word)]
    return SimpleMatcherResult(completions=completions, suppress=bool(completions), matched_fragment=word)


def _candidates(parser: argparse.ArgumentParser, before: list[str], word: str) -> Iterable[str]:
    """What can follow the words `before`, whatever the first letters of `word` are."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            if not before:
                return action.choices
            return _candidates(action.choices[before[0]], before[1:], word) if before[0] in action.choices else []
    last = before[-1] if before else ""
    if last in ("-m", "--model"):
        return [m.name for m in registered_models()]
    flags_with_value = {o for a in parser._actions if a.nargs != 0 for o in a.option_strings}
    if last in flags_with_value:
        return []
    if word.startswith("-"):
        return [max(a.option_strings, key=len) for a in parser._actions if a.option_strings]
    positionals = {a.dest for a in parser._actions if not a.option_strings}
    if "handle" in positionals:
        from nbforecast.cache_manager.manager import cache

        return [handle[:8] for handle in cache.entries()["handle"].unique(maintain_order=True)]
    if "frame" not in positionals:
        return []
    shell = get_ipython()
    return [n for n, v in shell.user_ns.items() if is_frame(v) and not n.startswith("_")] if shell else []
