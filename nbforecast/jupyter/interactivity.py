"""Whether a person sees what is shown."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


# Metadata of outputs that have a widget and a still of it: JupyterLab with our extension shows the still, also of a
# trusted notebook, as long as there is no such widget.
WITH_STILL = {"nbforecast": {"still": "text/html"}}


def watched(shell: InteractiveShell) -> bool:
    """Whether a person sees the page change: not under papermill, nbconvert or in a script.

    A front end with a person says that it can answer a prompt; runners of whole notebooks say that they cannot.
    """
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", True))
    return sys.stdin is not None and sys.stdin.isatty()


def on_page(shell: InteractiveShell) -> bool:
    """Whether a person watches on a page, where widgets can be."""
    return getattr(shell, "kernel", None) is not None and watched(shell)
