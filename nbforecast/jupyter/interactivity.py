"""Whether a person sees the output of a cell, and whether widgets can be shown."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


# Output metadata of a widget that has a static picture beside it: JupyterLab with our extension shows the picture while
# the widget does not exist, also in a trusted notebook.
WITH_STILL = {"nbforecast": {"still": "text/html"}}


def is_interactive(shell: InteractiveShell) -> bool:
    """Whether a person sees the output change: not under papermill, nbconvert or in a script.

    A front end with a person announces that it can answer a prompt; tools that run whole notebooks announce that they
    cannot.
    """
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", True))
    return sys.stdin is not None and sys.stdin.isatty()


def can_show_widgets(shell: InteractiveShell) -> bool:
    """Whether the session is interactive and has a kernel, so that a front end can show widgets."""
    return getattr(shell, "kernel", None) is not None and is_interactive(shell)
