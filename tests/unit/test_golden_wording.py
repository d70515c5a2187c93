"""The wording of numbers is that of the golden table, which the front end's tests read as well."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nbforecast import text

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "wording.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("function", GOLDEN)
def test_numbers_are_worded_as_in_the_front_end(function: str) -> None:
    cases: list[list[Any]] = GOLDEN[function]
    expected = [case[-1] for case in cases]
    arguments = [[float("nan") if x is None else x for x in case[:-1]] for case in cases]
    assert [getattr(text, function)(*a) for a in arguments] == expected
