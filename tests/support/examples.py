"""How many examples hypothesis tries."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import settings


def examples(count: int, **options: Any) -> settings:
    """Settings of a property test: so many examples in `make test`, ten times as many in `make test-long`."""
    return settings(max_examples=count * int(os.environ.get("NBFORECAST_TEST_EXAMPLES", "1")), deadline=None, **options)
