"""Weights from files, and whether they are those of a network."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nbforecast.errors import WeightsError
from nbforecast.forecasters.torch_file import read_torch
from nbforecast.safe_text import shorten
from nbforecast.user_path import path_exists

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Tensors = dict[str, np.ndarray]

_COUNTERS = ("num_batches_tracked",)  # the endings of the names of integers
_LONGEST_REASON, _LONGEST_NAME = 400, 100  # characters


def load(path: str | Path) -> Tensors:
    """Returns the tensors of a file of weights, by name.

    Args:
        path: A `.safetensors` file, or a PyTorch state dictionary (`.pth`, `.pt`, `.ckpt`). Nothing in it is executed.

    Raises:
        WeightsError: If the file is missing or is no such file; the message names it and what is wrong.
    """
    file = Path(path)
    if not path_exists(file) or not file.is_file():
        raise WeightsError(f"There is no file {shorten(str(file), 2 * _LONGEST_NAME)!r}.")
    try:
        return _safetensors(file) if file.suffix == ".safetensors" else read_torch(file)
    except WeightsError as error:
        raise WeightsError(f"{file}: {error}") from error.__cause__
    except Exception as error:
        reason = shorten(str(error), _LONGEST_REASON)
        raise WeightsError(f"{file} cannot be read as weights: {type(error).__name__}: {reason}") from error


def digest(tensors: Mapping[str, np.ndarray]) -> str:
    """Returns a digest of names, shapes and values: 16 hexadecimal digits, the same whatever file they come from."""
    sha256 = hashlib.sha256()
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name])
        sha256.update(f"{name} {value.dtype.str} {value.shape}\n".encode())
        sha256.update(value.data)
    return sha256.hexdigest()[:16]


def check(tensors: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Check that tensors have exactly the expected names and shapes, and that they are finite numbers.

    Args:
        tensors: The tensors.
        shapes: The expected shape of each name.

    Raises:
        WeightsError: If tensors are missing, unknown, of another shape or no finite numbers; the message names them.
    """
    missing = [n for n in shapes if n not in tensors]
    unexpected = [n for n in tensors if n not in shapes]
    misshapen = [
        f"{n} has shape {tensors[n].shape}, not {shape}"
        for n, shape in shapes.items()
        if n in tensors and tensors[n].shape != shape
    ]
    faults = (
        [f"missing: {_list_names(missing)}"] * bool(missing)
        + [f"not known: {_list_names(unexpected)}"] * bool(unexpected)
        + misshapen[:8]
    )
    if faults:
        more = f"; {len(misshapen) - 8} more have another shape" if len(misshapen) > 8 else ""
        raise WeightsError(f"the weights do not fit the configuration: {'; '.join(faults)}{more}.")
    for name in shapes:
        kind = tensors[name].dtype.kind
        if kind != "f" and not (kind in "iu" and name.endswith(_COUNTERS)):
            raise WeightsError(f"{name} holds {tensors[name].dtype}, not floating-point numbers.")
        if kind == "f" and not np.isfinite(tensors[name]).all():
            raise WeightsError(f"{name} holds NaN or infinite numbers: the file is damaged, or training has failed.")


def _list_names(names: Sequence[str]) -> str:
    first = ", ".join(shorten(name, _LONGEST_NAME) for name in names[:8])
    return first + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _safetensors(file: Path) -> Tensors:
    from safetensors.numpy import load_file

    return load_file(file)
