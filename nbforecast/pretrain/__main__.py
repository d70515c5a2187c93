"""Train the pretrained forecaster: `python -m nbforecast.pretrain FOLDER [--steps N] [--minutes M]`.

FOLDER stores the state from which a stopped training resumes, a plot of the loss and, at the end, the weights:
`nbf.forecast(..., model="pretrained:FOLDER/pretrained.safetensors")`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import jax
import numpy as np
from safetensors.numpy import save_file

from nbforecast.forecasters.pretrained.passes import weights_by_name
from nbforecast.pretrain.plot import plot_losses
from nbforecast.pretrain.train import Recipe, train

_NAMES_0_1 = {"fresh": "new_per_step", "kept": "buffer_size"}  # in folders of nbforecast 0.1


def main(arguments: list[str] | None = None) -> None:
    """Train the forecaster, plot its losses and write its weights.

    Args:
        arguments: The command's arguments; by default those of the process.

    Raises:
        SystemExit: If an option differs from the folder's recipe.
    """
    parser = argparse.ArgumentParser(prog="python -m nbforecast.pretrain", description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder of the training, which resumes from the state in it")
    parser.add_argument("--minutes", type=float, help="stop after so many minutes, to resume later")
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
    """The recipe in the file, else that of the options, which is saved there."""
    saved = json.loads(file.read_text()) if file.exists() else {}
    saved = {_NAMES_0_1.get(name, name): value for name, value in saved.items()}
    differences = [name for name, value in options.items() if saved and value != saved[name]]
    if differences:
        raise SystemExit(
            f"{file.parent} was begun with another recipe ({', '.join(differences)}): take another folder."
        )
    recipe = Recipe(**(saved or options))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(dataclasses.asdict(recipe), indent=1))
    return recipe


if __name__ == "__main__":
    main()
