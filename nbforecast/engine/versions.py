"""What a task does when it finds its entry changed or replaced."""

from __future__ import annotations

import enum

from nbforecast.engine.tasks import Priority


class StaleAction(enum.Enum):
    """What to do with a task that a worker picks up, or a request that waits."""

    GO_ON = "its entry is as it was"
    DROP = "nobody asked for it: forget it"
    RESTART = "plan it anew, on the entry that is current"
    INFER = "no entry has its index: infer it anew, then answer"


def action_for_stale(priority: Priority, *, same: bool, there: bool = True) -> StaleAction:
    """What becomes of a task whose entry may have changed since it was given.

    same: the entry is the cache's current one, and of the version the task was given for.
    there: the cache has an entry with the task's index.

    | same | priority    | there | verdict | rule                                                              |
    |------|-------------|-------|---------|-------------------------------------------------------------------|
    | yes  | any         | -     | GO_ON   |                                                                   |
    | no   | idle        | -     | DROP    | C8b                                                               |
    | no   | batch       | -     | RESTART | a person holds the run: it still fills the entry it was given for |
    | no   | interactive | yes   | RESTART | C8b                                                               |
    | no   | interactive | no    | INFER   | C8c                                                               |
    """
    if same:
        return StaleAction.GO_ON
    if priority is Priority.IDLE:
        return StaleAction.DROP
    if priority is Priority.BATCH or there:
        return StaleAction.RESTART
    return StaleAction.INFER
