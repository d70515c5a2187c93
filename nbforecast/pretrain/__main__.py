"""Train the pretrained forecaster: `python -m nbforecast.pretrain FOLDER [--steps N] [--minutes M]`.

FOLDER keeps what a stopped training goes on from, a plot of the loss and, at the end, `pretrained.safetensors`, which
`nbf.forecast(..., model="pretrained:FOLDER/pretrained.safetensors")` uses.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import jax
import numpy as np
from safetensors.numpy import save_file

from nbforecast.forecasters.pretrained.forecaster import weights_by_name
from nbforecast.pretrain.plot import plot_losses
from nbforecast.pretrain.train import Recipe, train

_FORMER_NAMES = {"fresh": "new_per_step", "kept": "buffer_size"}  # in folders of nbforecast 0.1


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m nbforecast.pretrain", description=__doc__)
    parser.add_argument("folder", type=Path, help="where training is kept; goes on from what is there")
    parser.add_argument("--minutes", type=float, help="stop after so many, to go on later")
    for field in dataclasses.fields(Recipe):
        kind = type(field.default)
        parser.add_argument(f"--{field.name}", type=kind, metavar=kind.__name__, help=f"(default: {field.default})")
    options = vars(parser.parse_args(arguments))
    folder, minutes = options.pop("folder"), options.pop("minutes")
    recipe = _recipe(folder / "recipe.json", {n: v for n, v in options.items() if v is not None})
    state = train(recipe, folder, minutes=minutes)
    plot_losses(state.losses, folder / "loss.png")
    weights = {n: np.asarray(w, np.float16) for n, w in weights_by_name(jax.device_get(state.trained[1])).items()}
    save_file(weights, folder / "pretrained.safetensors", {"recipe": json.dumps(dataclasses.asdict(recipe))})


def _recipe(file: Path, options: dict[str, int | float]) -> Recipe:
    """The recipe that the folder was begun with, else that of the options, which is saved there."""
    saved = json.loads(file.read_text()) if file.exists() else {}
    saved = {_FORMER_NAMES.get(name, name): value for name, value in saved.items()}
    changed = [name for name, value in options.items() if saved and value != saved[name]]
    if changed:
        raise SystemExit(f"{file.parent} was begun with another recipe ({', '.join(changed)}): take another folder.")
    recipe = Recipe(**(saved or options))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(dataclasses.asdict(recipe), indent=1))
    return recipe


if __name__ == "__main__":
    main()
