"""A test is skipped for a stated reason only."""

from __future__ import annotations

import pytest

from tests.support.requirements import Missing, Requirement, is_expected

pytest_plugins = ("pytester",)


@pytest.mark.parametrize(
    ("body", "passed", "skipped", "failed"),
    [
        ("pytest.skip('I do not feel like it')", 0, 0, 1),
        ("pytest.importorskip('there_is_no_such_module')", 0, 0, 1),
        ("library('there_is_no_such_module')", 0, 1, 0),
        ("pass", 1, 0, 0),
    ],
)
def test_an_unexpected_skip_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, body: str, passed: int, skipped: int, failed: int
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they take seconds to import
    pytester.makeconftest("from tests.conftest import pytest_runtest_makereport")
    pytester.makepyfile(f"import pytest\nfrom tests.support.requirements import library\ndef test_it():\n    {body}\n")
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed, skipped, failed)


def test_what_a_machine_of_continuous_integration_must_have(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = [Missing(needed, "none") for needed in (Requirement.CHROMIUM, Requirement.NODE_TOOLS)]
    monkeypatch.delenv("CI", raising=False)
    assert all(map(is_expected, errors))
    monkeypatch.setenv("CI", "true")
    assert not any(map(is_expected, errors))
    assert is_expected(Missing(Requirement.LIBRARY, "darts"))
