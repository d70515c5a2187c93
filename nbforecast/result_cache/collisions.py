"""What happens when a result meets another one in the cache."""

from __future__ import annotations

import enum


class Verdict(enum.Enum):
    """What to do with a result that is offered to the cache."""

    STORE = "nothing is there: keep it"
    REPLACE = "keep it instead of what is there"
    RETURN = "hand it to whoever asked for it, keep what is there"
    SEPARATE = "it is of other data: keep both, merge nothing"


def settle(held: int | None, offered: int, *, agree: bool, force: bool) -> Verdict:
    """What becomes of a result with `offered` origins where one with `held` origins is in the cache (None: nothing).

    agree: both end at the same time and hold the same values wherever they overlap.

    | held        | agree | force | verdict  | rule |
    |-------------|-------|-------|----------|------|
    | nothing     | -     | -     | STORE    |      |
    | any         | no    | -     | SEPARATE | C7c  |
    | smaller     | yes   | -     | REPLACE  | C7a  |
    | as big      | yes   | no    | RETURN   | C7b  |
    | bigger      | yes   | no    | RETURN   | C7b  |
    | as big      | yes   | yes   | REPLACE  | C7b  |
    | bigger      | yes   | yes   | REPLACE  | C7b  |
    """
    if held is None:
        return Verdict.STORE
    if not agree:
        return Verdict.SEPARATE
    return Verdict.REPLACE if force or offered > held else Verdict.RETURN
