"""Fields of the explorer's messages that travel as raw bytes.

The messages of the cache's view have none: loading the extension imports those, and no NumPy.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from nbforecast.jupyter.validation import Buffer

Bytes = Annotated[np.ndarray, Buffer("u1")]
Shorts = Annotated[np.ndarray, Buffer("<u2")]
Floats = Annotated[np.ndarray, Buffer("<f4")]
Doubles = Annotated[np.ndarray, Buffer("<f8")]
Integers = Annotated[np.ndarray, Buffer("<i4")]
