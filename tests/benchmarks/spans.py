"""Where the time goes: functions are timed in place, each without the timed functions it calls."""

from __future__ import annotations

import pkgutil
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Spans:
    """Seconds and calls by label, summed over threads."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._stack = threading.local()

    def timed(self, label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            inner = self._stack.__dict__.setdefault("inner", [])
            inner.append(0.0)
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                took = time.perf_counter() - start
                own = took - inner.pop()
                if inner:
                    inner[-1] += took
                with self._lock:
                    self.seconds[label] += own
                    self.calls[label] += 1

        return call

    @contextmanager
    def watch(self, labels: Mapping[str, str]) -> Iterator[Spans]:
        """Time the functions named `module:attribute` or `module:Class.method`, inside the `with` block."""
        with ExitStack() as stack:
            for place, label in labels.items():
                owner, _, name = place.replace(":", ".").rpartition(".")
                function = pkgutil.resolve_name(place)
                stack.enter_context(patch.object(pkgutil.resolve_name(owner), name, self.timed(label, function)))
            yield self
