"""`nbforecast watch`: live data in a terminal until somebody interrupts it."""

from __future__ import annotations

import contextlib
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from nbforecast.errors import OptionError
from nbforecast.live.actions import open_action
from nbforecast.live.conditions import Condition
from nbforecast.live.monitor import Monitor, hold_microseconds
from nbforecast.live.terminal import Terminal
from nbforecast.live.watch import watch
from nbforecast.text import option

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator


def watch_in_terminal(
    source: str,
    keywords: dict[str, Any],
    options: argparse.Namespace,
    stream: TextIO,
    is_over: Callable[[], bool] = lambda: False,
) -> None:
    """Write live data to a terminal until an interrupt, which is the usual end.

    Args:
        source: A file, a folder or a query.
        keywords: Those of `nbforecast.watch`, from its options.
        options: Those of `add_watch_options`.
        stream: Where to write.
        is_over: Ends it earlier.

    Raises:
        NbForecastError: An option or the source makes no sense.
    """
    conditions = _conditions(options)
    hold = hold_microseconds(options.hold)
    if options.call_command is not None:
        open_action(None, options.call_command)
    keywords.setdefault("name", None)
    if not keywords["name"] and not source.lstrip()[:6].lower().startswith(("select", "from ", "with ")):
        keywords["name"] = Path(source).name.split(".")[0]
    with _ended_by_terminate(), contextlib.suppress(KeyboardInterrupt):
        with watch(source, poll=options.poll, **keywords) as live:
            terminal = Terminal(live, conditions, stream)
            for condition in conditions:
                live.add_monitor(Monitor(condition, hold, open_action(terminal.mark, None), live.name))
                if options.call_command is not None:
                    names = {condition.kind: condition.limit, "within": condition.within}
                    odds = condition.probability or None
                    live.when(**names, probability=odds, hold=options.hold, run=options.call_command)  # type: ignore[arg-type]
            terminal.follow(is_over)
        return
    stream.write("\n")


@contextlib.contextmanager
def _ended_by_terminate() -> Iterator[None]:
    """Have the signal by which systemd ends a service interrupt the command."""
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler) if is_main else None
    try:
        yield
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before)


def _conditions(options: argparse.Namespace) -> list[Condition]:
    """The conditions that options state, one for each limit and for a rate of surprises."""
    limits = {name: getattr(options, name) for name in ("above", "below") if getattr(options, name) is not None}
    conditions = [
        Condition.from_options(
            limit if name == "above" else None,
            limit if name == "below" else None,
            None,
            options.within,
            options.probability,
        )
        for name, limit in limits.items()
    ]
    if options.surprise is not None:
        conditions.append(Condition.from_options(None, None, options.surprise, None, None))
    for name, value in (("run", options.call_command), ("hold", options.hold)):
        if value is not None and not conditions:
            raise OptionError(f"{option(name)} needs {option('above')}, {option('below')} or {option('surprise')}.")
    for name in ("within", "probability"):
        if getattr(options, name) is not None and not limits:
            raise OptionError(f"{option(name)} needs {option('above')} or {option('below')}.")
    return conditions
