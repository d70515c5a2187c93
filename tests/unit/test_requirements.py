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
def test_an_unexpected_skip_fails(pytester: pytest.Pytester, body: str, passed: int, skipped: int, failed: int) -> None:
    pytester.makeconftest("from tests.conftest import pytest_runtest_makereport")
    pytester.makepyfile(f"import pytest\nfrom tests.support.requirements import library\ndef test_it():\n    {body}\n")
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed, skipped, failed)


def test_what_a_machine_of_continuous_integration_must_have(monkeypatch: pytest.MonkeyPatch) -> None:
    error = Missing(Requirement.CHROMIUM, "none")
    monkeypatch.delenv("CI", raising=False)
    assert is_expected(error)
    monkeypatch.setenv("CI", "true")
    assert not is_expected(error)
    assert is_expected(Missing(Requirement.LIBRARY, "darts"))
