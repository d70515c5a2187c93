"""Results of the tests go to a directory of their own; interrupts reach those they are meant for."""

import signal
from collections.abc import Iterator

import pytest

from tests.support.isolation import compile_quickly, use_own_directory

use_own_directory()
compile_quickly()

# a shell that runs the tests in the background has interrupts ignored, by all that they start too
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module", autouse=True)
def room() -> Iterator[None]:
    """Tests compile more functions than a process can hold."""
    from nbforecast.device import evict_compiled

    yield
    evict_compiled()
