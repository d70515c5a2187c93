"""W1, W3: the front end is built with the types of the messages that Python defines."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "js" / "generate_types.py"


def test_W1_W3_the_generated_types_are_current() -> None:
    spec = importlib.util.spec_from_file_location("generate_types", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    for path, text in generator.generate().items():
        assert path.read_text(encoding="utf-8") == text, "run `python js/generate_types.py`"
