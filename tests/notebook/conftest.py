"""One kernel for the modules that ask nothing special of it: a kernel takes two seconds to start and to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from jupyter_client.manager import start_new_kernel

from tests.support.kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def shared_kernel() -> Iterator[Kernel]:
    """A kernel in which the extension may be loaded already, and which holds the variables of other tests."""
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        yield Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
