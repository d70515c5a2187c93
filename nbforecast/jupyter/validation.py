"""What the messages of both widgets have in common: the types and limits of their fields, and the refusal of all else.

The schema of a widget is the `messages` module beside it. Requests come from outside the kernel: `parse` refuses what
the schema does not allow. The types of the front end are generated from the same classes (`js/generate_types.py`).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any, NamedTuple, get_type_hints

import msgspec

_LONGEST_NAME = 64
_LARGEST = (1 << 53) - 1  # integers beyond this are not exact in JavaScript

Position = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST)]
Count = Annotated[int, msgspec.Meta(ge=1, le=_LARGEST)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=_LONGEST_NAME)]
# What comes back with an answer, so that a page knows its own requests.
Label = Annotated[int, msgspec.Meta(ge=-_LARGEST, le=_LARGEST)] | Annotated[str, msgspec.Meta(max_length=_LONGEST_NAME)]


class InvalidMessage(ValueError):
    """A message is not one that a page may send; the text says why."""


class Buffer(NamedTuple):
    """Marks a field of a message that travels as raw bytes beside the JSON.

    Attributes:
        dtype: The NumPy name of the little-endian numbers in it, such as "<f4".
    """

    dtype: str


def kind_of(name: str) -> str:
    """Returns the `kind` of a message from the name of its class: `RowsRequest` is a "rows_request".

    Args:
        name: The name of a class; the ending `Message` is dropped.
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name.removesuffix("Message")).lower()


class Request(msgspec.Struct, frozen=True, tag_field="kind", tag=kind_of):
    """A message from a page to the kernel."""


class Message(msgspec.Struct, frozen=True, tag_field="kind", tag=kind_of):
    """A message from the kernel to pages: JSON, and arrays beside it."""

    @property
    def content(self) -> dict[str, Any]:
        """The JSON-safe fields, and the `kind`."""
        if not buffers_of(type(self)):
            return msgspec.to_builtins(self)
        plain = [name for name in self.__struct_fields__ if name not in buffers_of(type(self))]
        kind = self.__struct_config__.tag
        return {"kind": kind, **{name: msgspec.to_builtins(getattr(self, name)) for name in plain}}

    @property
    def buffers(self) -> tuple[bytes, ...]:
        """The raw bytes of the array fields, in the order of the fields."""
        arrays = buffers_of(type(self)).items()
        return tuple(getattr(self, name).astype(dtype, order="C", copy=False).tobytes() for name, dtype in arrays)


@cache
def buffers_of(message: type[Message]) -> dict[str, str]:
    """Returns the dtype of each array field of a class of messages, in the order of the fields."""
    hints = get_type_hints(message, include_extras=True)
    marks = {name: getattr(hints[name], "__metadata__", ()) for name in message.__struct_fields__}
    return {name: mark.dtype for name, metadata in marks.items() for mark in metadata if isinstance(mark, Buffer)}


def is_label(value: Any) -> bool:
    """Returns whether a value may come back with an answer."""
    try:
        msgspec.convert(value, Label)
    except msgspec.ValidationError:
        return False
    return True


def parse(content: Any, requests: Any) -> Any:
    """Reads a request.

    Args:
        content: What a page has sent.
        requests: The classes of the requests that are allowed there, as a union.

    Returns:
        One of the requests.

    Raises:
        InvalidMessage: If the content is none of them.
    """
    try:
        return msgspec.convert(_with_integers(content), requests)
    except msgspec.ValidationError as error:
        raise InvalidMessage(f"{error!s:.200}") from None


def _with_integers(content: Any, depth: int = 1) -> Any:
    """The content with whole floats as integers: JavaScript does not tell them apart."""
    if isinstance(content, float) and content.is_integer():
        return int(content)
    if isinstance(content, dict) and depth >= 0:
        return {name: _with_integers(value, depth - 1) for name, value in content.items()}
    return content
