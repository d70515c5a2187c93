"""What a view of the cache may ask for. Whatever else arrives is refused: it comes from outside the kernel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from nbforecast.jupyter.validation import InvalidMessage, flag, label, number, text

VERSION = 1
_KEY = re.compile(r"[0-9a-f]{32}-[0-9a-f]{16}")
_MODEL_ID = re.compile(r"[0-9a-f-]{1,64}")


@dataclass(frozen=True)
class Hello:
    """A view has been opened, or knows nothing any more."""

    client: str


@dataclass(frozen=True)
class Bye:
    """A view is not seen any more."""

    client: str


@dataclass(frozen=True)
class Closed:
    """An explorer that was opened from a view is not seen any more."""

    model_id: str


@dataclass(frozen=True)
class Open:
    """Look at an entry; with `widget` in an explorer made for it."""

    key: str
    widget: bool


@dataclass(frozen=True)
class Recompute:
    """Infer all of an entry's origins anew."""

    key: str


@dataclass(frozen=True)
class Drop:
    """Remove an entry."""

    key: str


@dataclass(frozen=True)
class Save:
    """Save what is not saved yet."""


@dataclass(frozen=True)
class Load:
    """Bring saved entries into memory."""


@dataclass(frozen=True)
class Prune:
    """Remove what was used longest ago; sizes and ages as people write them."""

    max_size: str | None
    max_age: str | None


@dataclass(frozen=True)
class Flush:
    """Remove every entry."""

    memory: bool
    disk: bool


@dataclass(frozen=True)
class Cancel:
    """End a piece of work, by its number."""

    task: int


Action = Open | Recompute | Drop | Save | Load | Prune | Flush | Cancel


@dataclass(frozen=True)
class Act:
    """Something to be done; `id` comes back with the answer."""

    id: int | str
    action: Action


Request = Hello | Bye | Closed | Act


def read(content: Any) -> Request:
    """The request in a message. Raises `InvalidMessage`."""
    if not isinstance(content, dict):
        raise InvalidMessage("it is no object")
    match content.get("kind"):
        case "hello":
            number(content, "v", VERSION, VERSION)
            return Hello(text(content, "client"))
        case "bye":
            return Bye(text(content, "client"))
        case "closed":
            return Closed(_like(_MODEL_ID, content, "model_id"))
        case "act":
            name = label(content.get("id"))
            if name is None:
                raise InvalidMessage("it has no id")
            return Act(name, _action(content))
        case _:
            raise InvalidMessage("its kind is unknown")


def _action(content: dict[str, Any]) -> Action:
    match content.get("action"):
        case "open":
            return Open(_key(content), flag({"widget": True, **content}, "widget"))
        case "recompute":
            return Recompute(_key(content))
        case "drop":
            return Drop(_key(content))
        case "save":
            return Save()
        case "load":
            return Load()
        case "prune":
            return Prune(_maybe(content, "max_size"), _maybe(content, "max_age"))
        case "flush":
            return Flush(flag(content, "memory"), flag(content, "disk"))
        case "cancel":
            return Cancel(number(content, "task", 1, (1 << 53) - 1))
        case _:
            raise InvalidMessage("its action is unknown")


def _key(content: dict[str, Any]) -> str:
    return _like(_KEY, content, "key")


def _like(pattern: re.Pattern[str], content: dict[str, Any], name: str) -> str:
    value = text(content, name)
    if pattern.fullmatch(value) is None:
        raise InvalidMessage(f"{name} is none of the kernel's")
    return value


def _maybe(content: dict[str, Any], name: str) -> str | None:
    return None if content.get(name) is None else text(content, name)
