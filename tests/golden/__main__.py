"""Commit a model's new forecasts after its algorithm version was raised: `python -m tests.golden [MODEL ...]`."""

from __future__ import annotations

import argparse
import sys

import numpy as np

from tests.support.golden_forecasts import CASES, DIRECTORY, dataset, forecasts, largest_difference, load, rows_of
from tests.support.isolation import use_own_directory


def record(name: str) -> str:
    """Write a model's golden forecasts; returns what was done.

    Raises `SystemExit` where the numbers changed and the key did not, or the key and not the numbers.
    """
    case = CASES[name]
    data = dataset(case.grid)
    rows, key, path = rows_of(case, data), case.model().key, DIRECTORY / f"{name}.npz"
    new = forecasts(case, data, rows)
    if path.exists():
        former_key, golden = load(name)
        comparable = new.keys() == golden.keys() and all(new[h].shape == golden[h].shape for h in new)
        moved = not comparable or largest_difference(case, data, rows, new, golden).size > 1
        if moved and key == former_key:
            sys.exit(f"{name}: the numbers changed and the key did not. Raise its algorithm_version first.")
        if not moved:
            if key != former_key:
                sys.exit(f"{name}: the key changed and the numbers did not: it would cost users their results.")
            return f"{name}: unchanged"
    np.savez_compressed(path, key=np.array(key), **new)
    return f"{name}: {path.stat().st_size / 1e3:.1f} kB"


if __name__ == "__main__":
    use_own_directory()
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(CASES)} (default: all)")
    for model in parser.parse_args().models or CASES:
        print(record(model))
