"""Runs the examples of the documents: blocks of Python and of commands in pages, and examples in docstrings.

A page is run from top to bottom in one namespace. A comment of HTML before a block, which readers do not see, may hold

- `<!-- set up ... -->`: Python that runs before the blocks after it, for what a page takes for granted;
- `<!-- not run: REASON -->`: the next block only has to be Python.

Commands of nbforecast are run in the same process, other commands are not; a report is parsed and not made.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.inputtransformer2 import TransformerManager

from nbforecast import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.interactiveshell import InteractiveShell

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(
    r"^<!-- set up\n(?P<setup>.*?)^-->$|^<!-- not run: (?P<reason>.*?) -->$|"
    r"^(?P<indent> *)```(?P<language>python|console|text)\n(?P<code>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
_INSTALLS = re.compile(r"^%pip .*$", re.MULTILINE)
_PARSED = {"report", "watch"}
_MAGIC = re.compile(r"^\s*(\w+ = )?%", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A piece of a page that runs.

    Attributes:
        code: Its text, without indentation.
        language: `python` or `console`.
        line: Its first line in the page.
        reason: Why it does not run; empty where it does.
    """

    code: str
    language: str
    line: int
    reason: str = ""


def pages() -> list[Path]:
    """The pages with examples: README and those of `docs/` that are not written by a build."""
    written = ("reference/generated/", "tutorials/notebooks/", "project/")
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    names = {page: page.relative_to(ROOT / "docs").as_posix() for page in found[1:]}
    return [page for page in found if not names.get(page, "").startswith(written) and list(blocks(page))]


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page that run, in order."""
    text, reason = page.read_text(encoding="utf-8"), ""
    for match in _BLOCK.finditer(text):
        if match["reason"]:
            reason = match["reason"]
            continue
        line = text.count("\n", 0, match.start()) + 2
        code = match["setup"] or match["code"] or ""
        code = "\n".join(row.removeprefix(match["indent"] or "") for row in code.split("\n"))
        language = match["language"] or "python"
        if language != "text":
            yield Block(code, language, line, reason)
        reason = ""


def run_page(page: Path, shell: InteractiveShell) -> None:
    """Runs the blocks of a page; an error names the page and the line."""
    for block in blocks(page):
        place = f"{page.relative_to(ROOT)}:{block.line}"
        if block.language == "console":
            run_commands(block, place)
        elif block.reason:
            ast.parse(TransformerManager().transform_cell(block.code))
        else:
            with contextlib.redirect_stdout(io.StringIO()):
                result = shell.run_cell(_INSTALLS.sub("", block.code))
            assert result.success, f"{place}: {result.error_in_exec or result.error_before_exec!r}"


def run_commands(block: Block, place: str) -> None:
    """Runs the commands of nbforecast in a block."""
    commands = re.findall(r"^\$ nbforecast (.*)$", block.code.replace("\\\n", " "), re.MULTILINE)
    for command in commands:
        words = shlex.split(command.partition(" #")[0])
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as errors:
            if block.reason or words[0] in _PARSED or "--compiled" in words:  # other tests share compiled functions
                cli._parser().parse_args(words)
                continue
            status = cli.main(words)
        assert status == 0, f"{place}: nbforecast {command}: {errors.getvalue()}"


def run_docstring(name: str, text: str, names: dict[str, Any], shell: InteractiveShell) -> int:
    """Runs the examples of a docstring, and compares what they return where the docstring says so.

    Args:
        name: What it documents.
        text: The docstring.
        names: What the examples take for granted.
        shell: Runs those with magics.

    Returns:
        How many examples there are.
    """
    examples = doctest.DocTestParser().get_examples(text)
    names = {**names, "__name__": __name__}
    for example in examples:
        if _MAGIC.match(example.source):
            assert shell.run_cell(example.source).success, f"{name}: {example.source}"
            continue
        try:
            value = _evaluate(example.source, name, names)
        except Exception as error:
            if example.exc_msg and example.exc_msg.strip().startswith(type(error).__name__):
                continue
            raise AssertionError(f"{name}: {example.source.strip()}: {error!r}") from error
        options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        if example.want and not doctest.OutputChecker().check_output(example.want, f"{value!r}\n", options):
            raise AssertionError(f"{name}: {example.source.strip()} is {value!r}, not {example.want.strip()}")
    return len(examples)


def _evaluate(source: str, name: str, names: dict[str, Any]) -> Any:
    """The value of an expression; None for a statement, which is executed."""
    try:
        code = compile(source.strip(), name, "eval")
    except SyntaxError:
        exec(compile(source, name, "exec"), names)
        return None
    return eval(code, names)
