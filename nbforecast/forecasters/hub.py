"""Where a model's files lie: in a local folder, or in the local copy of a Hugging Face Hub repository."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

from nbforecast.errors import MissingExtra, WeightsError
from nbforecast.safe_text import brief_repr
from nbforecast.user_path import path_exists, user_path

FILES = ("config.json", "model.safetensors")
_ID = re.compile(r"[\w.-]+/[\w.-]+")


def find_folder(place: str | Path, files: tuple[str, ...]) -> Path:
    """Returns a folder that holds some files.

    Args:
        place: The folder, or a Hub id, whose files are downloaded if they are not on this machine yet.
        files: The names of the files.

    Raises:
        WeightsError: If a file is missing or cannot be downloaded; the message says how to get it.
        MissingExtra: If `place` is a Hub id and huggingface_hub is not installed.
    """
    folder = user_path(place, WeightsError)
    if path_exists(folder) and folder.is_dir():
        missing = [name for name in files if not (folder / name).is_file()]
        if missing:
            raise WeightsError(f"The folder {str(folder)!r} lacks {', '.join(missing)}.")
        return folder
    if not _ID.fullmatch(str(place)):
        raise WeightsError(
            f"There is no folder {brief_repr(str(place))}, nor is it a Hub id such as 'amazon/chronos-bolt-tiny'."
        )
    return _download(str(place), files)


def is_cached(name: str, files: tuple[str, ...] = FILES) -> bool:
    """Returns whether the files of a Hub id are on this machine, without asking the network.

    Args:
        name: The Hub id.
        files: The names of the files.
    """
    hub = _hub()
    return hub is not None and all(isinstance(hub.try_to_load_from_cache(name, file), str) for file in files)


def _download(name: str, files: tuple[str, ...]) -> Path:
    hub = _hub()
    if hub is None:
        raise MissingExtra(
            f"{name!r} is loaded by huggingface_hub, which is not installed: pip install 'nbforecast[hub]'. Or "
            f"download {', '.join(files)} into a folder, and give the folder."
        )
    try:
        return Path(hub.snapshot_download(name, allow_patterns=list(files)))
    except Exception as error:
        raise WeightsError(
            f"{name!r} cannot be loaded from the Hugging Face Hub ({type(error).__name__}: {error}). Without a "
            f"network, download {', '.join(files)} elsewhere and give the folder."
        ) from error


def _hub() -> Any:
    """huggingface_hub, if it is installed; its progress bars' advice to install widgets is not for our users."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import huggingface_hub

            _ = huggingface_hub.snapshot_download, huggingface_hub.try_to_load_from_cache  # imported when asked for
        except ImportError:
            return None
        return huggingface_hub
