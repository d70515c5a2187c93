"""The messages of the view of the cache, both ways: the one schema, of which the front end's types are generated."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from nbforecast.jupyter.validation import Count, Label, Message, Name, Request, parse

VERSION = 2
TARGET, COMM_ID = "nbforecast.hub", "nbforecast-hub"  # of the panel's comm, which the kernel opens

Key = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}-[0-9a-f]{16}\Z", max_length=64)]
Place = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
ModelId = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f-]{1,64}\Z", max_length=64)]


class Connect(Request, frozen=True):
    """A view has been opened, or holds nothing any more.

    Attributes:
        v: The version of this schema.
        client: The view's own name.
    """

    v: Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)]
    client: Name


class Disconnect(Request, frozen=True):
    """A view is not seen any more."""

    client: Name


class CloseExplorer(Request, frozen=True):
    """An explorer that was opened from a view is not seen any more."""

    model_id: ModelId


class _Action(msgspec.Struct, frozen=True, tag_field="name", tag=str.lower):
    """Something that is done to the cache."""


class Open(_Action, frozen=True):
    """Opens an entry.

    Attributes:
        widget: Whether an explorer is made for it; otherwise the answer has only the line of code that makes one.
    """

    key: Key
    widget: bool = True


class Recompute(_Action, frozen=True):
    """Infers all origins of an entry anew."""

    key: Key


class Drop(_Action, frozen=True):
    """Removes an entry, or part of its results.

    Attributes:
        index: The origins concerned, as people write them: "-24:0"; null for all.
        only: "scores", "quantiles" or "density"; null for the forecasts and all that follows from them.
    """

    key: Key
    index: Name | None = None
    only: Name | None = None


class Save(_Action, frozen=True):
    """Saves what is not saved yet, or everything into a folder.

    Attributes:
        path: The folder.
    """

    path: Place | None = None


class Load(_Action, frozen=True):
    """Brings saved entries into memory.

    Attributes:
        path: The folder or file that they are in; null for the cache's own directory.
    """

    path: Place | None = None


class Prune(_Action, frozen=True):
    """Removes what was used longest ago.

    Attributes:
        max_size: What may stay, as people write sizes: "1GB".
        max_age: For how long it may have been unused: "30d".
    """

    max_size: Name | None = None
    max_age: Name | None = None


class Flush(_Action, frozen=True):
    """Removes every entry."""

    memory: bool
    disk: bool


class Cancel(_Action, frozen=True):
    """Ends a task.

    Attributes:
        task: Its `id`.
    """

    task: Count


Action = Open | Recompute | Drop | Save | Load | Prune | Flush | Cancel


class ActionRequest(Request, frozen=True):
    """Asks for an action.

    Attributes:
        id: Comes back with the answers.
    """

    id: Label
    action: Action


Requests = Connect | Disconnect | CloseExplorer | ActionRequest


class LoadedMessage(Message, frozen=True):
    """The extension is loaded: the first message of the panel's comm.

    Attributes:
        version: The version of nbforecast.
        v: The version of this schema.
    """

    version: str
    v: int = VERSION


class TotalsMessage(Message, frozen=True):
    """Sums over all entries; sizes and budgets are in bytes.

    Attributes:
        directory: Null where nothing is written.
    """

    entries: int
    origins: int
    inferred: int
    memory_bytes: int
    memory_budget: int
    disk_bytes: int
    disk_budget: int
    directory: str | None
    hits: int
    misses: int
    reused: int


class DeviceMessage(Message, frozen=True):
    """The device that computes.

    Attributes:
        platform: Null as long as JAX has not been started.
        memory_bytes: Memory in use, null where the device does not report it.
        memory_limit: In bytes, null where the device does not report it.
    """

    platform: str | None
    text: str
    memory_bytes: int | None
    memory_limit: int | None


class CacheTask(msgspec.Struct, frozen=True):
    """A task that runs or waits.

    Attributes:
        key: Of the entry that it fills.
        rate: Origins a second.
        eta_seconds: Null where it is not known.
        seconds: How long it has run.
    """

    id: int
    key: str
    handle: str
    name: str | None
    model: str
    priority: Literal["interactive", "batch", "idle"]
    state: Literal["running", "queued", "calculating", "ending"]
    available: int
    inferred: int
    calculated: int
    rate: float | None
    eta_seconds: float | None
    seconds: float
    cancellable: bool


class WorkMessage(Message, frozen=True):
    """All tasks, in the order in which they run."""

    tasks: list[CacheTask]


class CacheEntry(msgspec.Struct, frozen=True):
    """An entry of the cache.

    Attributes:
        view_of: The handle of the longer history in whose entry the results are.
        created: Seconds since the epoch.
        used: Seconds since the epoch.
        reason: Why it cannot be recomputed.
    """

    key: str
    handle: str
    name: str | None
    model: str
    horizon: int
    series: int
    origins: int
    available: int
    inferred: int
    calculated: int
    start: str
    end: str
    frequency: str
    memory_bytes: int
    disk_bytes: int
    hits: int
    reused: int
    view_of: str | None
    created: float
    used: float
    recomputable: bool
    reason: str


class EntriesMessage(Message, frozen=True):
    """Entries that are new or have changed.

    Attributes:
        put: These entries.
        gone: The keys of entries that are no more.
        all: Whether there are no entries but these.
    """

    put: list[CacheEntry]
    gone: list[str]
    all: bool


class QueuedMessage(Message, frozen=True):
    """The kernel has taken an action, which waits for its turn."""

    id: int | str


class DoneMessage(Message, frozen=True):
    """An action is done.

    Attributes:
        text: A sentence that says what was done.
    """

    id: int | str
    text: str


class FaultMessage(Message, frozen=True):
    """An action could not be done, or a run that was started from here has failed.

    Attributes:
        id: Null for a run that has failed.
    """

    id: int | str | None
    text: str


class OpenedMessage(Message, frozen=True):
    """An entry is opened.

    Attributes:
        model_id: The widget model of its explorer; null where only the code was requested.
        code: Shows the same in a cell.
    """

    id: int | str
    model_id: str | None
    title: str
    code: str


Messages = (
    LoadedMessage
    | TotalsMessage
    | DeviceMessage
    | WorkMessage
    | EntriesMessage
    | QueuedMessage
    | DoneMessage
    | FaultMessage
    | OpenedMessage
)


def read_request(content: Any) -> Requests:
    """Reads a request to the view of the cache.

    Raises:
        InvalidMessage: If the content is not a request.
    """
    request: Requests = parse(content, Requests)
    return request
