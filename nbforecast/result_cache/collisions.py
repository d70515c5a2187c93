"""What becomes of a result that meets another one under the same key (C7)."""

from __future__ import annotations


def should_replace(present: int | None, new: int, *, agree: bool, force: bool) -> bool:
    """Whether a new result takes the place of the one that the cache holds (C7).

    | present     | agree | force | replaced | rule                                    |
    |-------------|-------|-------|----------|-----------------------------------------|
    | nothing     | -     | -     | yes      |                                         |
    | any         | no    | -     | no       | C7c: other data, the two are not merged |
    | smaller     | yes   | -     | yes      | C7a                                     |
    | not smaller | yes   | no    | no       | C7b                                     |
    | not smaller | yes   | yes   | yes      | C7b                                     |

    Args:
        present: How many origins the present result has; None if there is none.
        new: How many origins the new result has.
        agree: Whether both end at the same time and hold the same values wherever they overlap.
        force: Whether the new result was requested with `force`.

    Returns:
        Whether it does.
    """
    return present is None or (agree and (force or new > present))
