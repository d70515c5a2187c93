"""What holds for all tests: a cache directory of their own, quick compilation, skips for stated reasons only."""

import gc
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.support.isolation import compile_quickly, import_lightly, share_compiled, use_own_directory
from tests.support.requirements import Requirement, check_requirements, is_expected, requires
from tests.support.shape_checks import install_shape_checks

use_own_directory()
share_compiled()
compile_quickly()
import_lightly()
install_shape_checks()

# a shell that runs the tests in the background has interrupts ignored, by all that they start too
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

TESTS = Path(__file__).parent
MARKERS = {"notebook": "kernel", "browser": "browser", "benchmarks": "benchmark"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in MARKERS:
            item.add_marker(MARKERS[folder])
        if folder == "browser":
            item.add_marker(requires(Requirement.CHROMIUM))


def pytest_collection_finish() -> None:
    """What is imported is no garbage: to look for some in it takes a tenth of the time."""
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    check_requirements(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that is skipped for a reason that is not expected fails."""
    report = yield
    error = call.excinfo.value if call.excinfo else None
    if report.skipped and error is not None and not hasattr(report, "wasxfail") and not is_expected(error):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} must not be skipped: {error}"
    return report


@pytest.fixture(scope="module", autouse=True)
def room() -> Iterator[None]:
    """Tests compile more functions than a process can hold."""
    from nbforecast.device import evict_compiled

    yield
    evict_compiled()
