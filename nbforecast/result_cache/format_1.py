"""Files of nbforecast 0.1 (format 1): how it named models and files. Delete this module to end their support.

Version 0.1 made a model's key of a class's `repr` and a digest of source files, joined name, key, seed and gap rule to
one text, and named files by a digest of that. Each file is read as if it had been written today; the next save of its
entry writes it under its present name and removes it.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from nbforecast.forecasters.base import model_key
from nbforecast.forecasters.bounded import split_key

_STATISTICAL = {"SeasonalNaive": "naive", "Smoothing": "theta", "RidgeAutoregression": "ridge", "Auto": "auto"}
_STATISTICAL_CODE = "6685955d261a"
_PRETRAINED_CODE = "b359e2260864"
_STATISTICAL_LEVELS = "(0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95)"

_MODEL = re.compile(r"(.*)\|seed=(-?\d{1,20})\|gap=(\d{1,20})", re.DOTALL)
_FIELD = re.compile(r"(\w+)=(\([^)]*\)|'[^']*'|[^,)]+)")
_SETTING = re.compile(r"(\w+)=")
_WEIGHTS = r"(?P<weights>[0-9a-f]{16})(?P<precision> bfloat16)?"
_FORMER = {
    "statistical": re.compile(rf"(\w+)\(name=.*, context=(\d+), levels={re.escape(_STATISTICAL_LEVELS)}, draws=10\) "
                              rf"{_STATISTICAL_CODE}", re.DOTALL),
    "pretrained": re.compile(rf"pretrained {_WEIGHTS} {_PRETRAINED_CODE}"),
    "chronos-bolt": re.compile(rf"chronos-bolt Sizes\((?P<sizes>.*)\) (?P<longest>None|\d+) {_WEIGHTS}"),
    "gluformer": re.compile(rf"gluformer Sizes\((?P<sizes>.*)\) Scaler\((?P<scaler>.*)\) (?P<samples>\d+) "
                            rf"(?P<output>\w+) (?P<masks>\w+) {_WEIGHTS}"),
    "function": re.compile(r"(?P<context>\d+) (?P<levels>None|\(.*?\)) (?P<draws>\d+) (?P<least>\d+) "
                           r"(?P<whole>True|False) (?P<seeded>True|False) (?P<code>.*)", re.DOTALL),
}  # fmt: skip


def upgrade(facts: dict[str, Any]) -> dict[str, Any]:
    """Returns the metadata of a format 1 file as format 2 has them.

    Args:
        facts: The metadata, whose signature has been checked.

    Raises:
        ValueError: If the text of the model is not one that version 0.1 wrote, or contradicts the other metadata.
    """
    name, text = facts["model_name"], facts["model"]
    match = _MODEL.fullmatch(text)
    if match is None or not match[1].startswith(f"{name}|") or int(match[3]) != facts["max_gap"]:
        raise ValueError("its model is not named as nbforecast 0.1 named models")
    key = current_key(name, match[1].removeprefix(f"{name}|"))
    rest = {fact: value for fact, value in facts.items() if fact != "model"}
    return rest | {"model_key": key, "seed": int(match[2])}


def names_unused_seed(key: str) -> bool:
    """Whether a file may name a seed although its model uses none, as files did before models said so.

    Args:
        key: The present key of the file's model.
    """
    algorithm, _, rest = split_key(key)[0].partition(" ")
    version, _, text = rest.partition(" ")
    if version != "v1":
        return False
    if algorithm != "function":
        return algorithm in (*_STATISTICAL.values(), "pretrained", "chronos-bolt", "table")
    try:
        return _settings(text)["seeded"] is False
    except (KeyError, ValueError, RecursionError):  # a file's metadata may hold any text
        return False


def model_text(name: str, key: str, seed: int, max_gap: int) -> str:
    """Returns the text of a model in format 1, from its key in format 1."""
    return f"{name}|{key}|seed={seed}|gap={max_gap}"


def group(model: str, name: str, horizon: int, levels: tuple[float, ...], context: int) -> str:
    """Returns the second half of a file's name in format 1."""
    text = json.dumps({"model": model, "name": name, "horizon": horizon, "levels": levels, "context": context})
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def current_key(name: str, key: str) -> str:
    """Returns a forecaster's present key from that of version 0.1; a user's own forecaster keeps its key.

    Args:
        name: The forecaster's name.
        key: Its key in version 0.1.
    """
    try:
        return _current(name, key)
    except (ValueError, RecursionError):
        return key


def _current(name: str, key: str) -> str:
    if (match := _FORMER["statistical"].fullmatch(key)) and match[1] in _STATISTICAL:
        return model_key(_STATISTICAL[match[1]], 1, context=int(match[2]))
    if match := _FORMER["pretrained"].fullmatch(key):
        return model_key("pretrained", 1, **_weights(match))
    if match := _FORMER["chronos-bolt"].fullmatch(key):
        longest = _value(match["longest"])
        return model_key("chronos-bolt", 1, **_values(match["sizes"]), longest=longest, **_weights(match))
    if match := _FORMER["gluformer"].fullmatch(key):
        scaler = {f"scaler_{field}": value for field, value in _values(match["scaler"]).items()}
        options: dict[str, Any] = {"samples": int(match["samples"]), "output": match["output"], "masks": match["masks"]}
        return model_key("gluformer", 1, **_values(match["sizes"]), **scaler, **options, **_weights(match))
    if key.startswith(f"{name} ") and (match := _FORMER["function"].fullmatch(key.removeprefix(f"{name} "))):
        parts = match.groupdict()
        return model_key("function", 1, **{n: v if n == "code" else _value(v) for n, v in parts.items()})
    return key


def former_key(name: str, key: str) -> str | None:
    """Returns the key that version 0.1 gave a forecaster; None if it had none that computed the same.

    Args:
        name: The forecaster's name.
        key: Its present key.
    """
    algorithm, _, rest = key.partition(" ")
    if algorithm not in (*_STATISTICAL.values(), *_FORMER) or not re.match(r"v\d+( |$)", rest):
        return key  # a user's own forecaster
    version, _, text = rest.partition(" ")
    try:
        settings = _settings(text) if version == "v1" else None
        return None if settings is None else _former(name, algorithm, settings)
    except (KeyError, TypeError, ValueError, RecursionError):  # a file's metadata may hold any text
        return None


def _former(name: str, algorithm: str, settings: dict[str, Any]) -> str:
    if algorithm in _STATISTICAL.values():
        (kind,) = (former for former, present in _STATISTICAL.items() if present == algorithm)
        context = settings["context"]
        return f"{kind}(name={name!r}, context={context}, levels={_STATISTICAL_LEVELS}, draws=10) {_STATISTICAL_CODE}"
    if algorithm == "function":
        order = ("context", "levels", "draws", "least", "whole", "seeded")
        return " ".join([name, *(_python(settings[field]) for field in order), settings["code"]])
    weights = settings.pop("weights") + {"float32": "", "bfloat16": " bfloat16"}[settings.pop("precision")]
    if algorithm == "pretrained":
        return f"pretrained {weights} {_PRETRAINED_CODE}"
    if algorithm == "chronos-bolt":
        longest = settings.pop("longest")
        return f"chronos-bolt Sizes({_fields(settings, _BOLT_FIELDS)}) {longest} {weights}"
    scaler = {field: settings.pop(f"scaler_{field}") for field in _SCALER_FIELDS}
    options = " ".join(str(settings.pop(option)) for option in ("samples", "output", "masks"))
    sizes = _fields(settings, _GLUFORMER_FIELDS)
    return f"gluformer Sizes({sizes}) Scaler({_fields(scaler, _SCALER_FIELDS)}) {options} {weights}"


_BOLT_FIELDS = ("width", "head", "heads", "feed_forward", "layers", "decoder_layers", "context", "patch", "steps",
                "levels", "register", "buckets", "distance", "epsilon", "activation")  # fmt: skip
_GLUFORMER_FIELDS = ("width", "heads", "feed_forward", "encoder_layers", "decoder_layers", "input", "label", "horizon",
                     "dynamic", "static", "dropout", "activation")  # fmt: skip
_SCALER_FIELDS = ("target", "lows", "highs")


def _weights(match: re.Match[str]) -> dict[str, str]:
    return {"weights": match["weights"], "precision": "bfloat16" if match["precision"] else "float32"}


def _values(text: str) -> dict[str, Any]:
    """The fields of a dataclass's `repr`."""
    return {name: _value(value) for name, value in _FIELD.findall(text)}


def _value(text: str) -> Any:
    """A number, text, tuple, truth value or None from its `repr`, by way of JSON."""
    words = {"None": "null", "True": "true", "False": "false"}
    text = re.sub(r",\s*\)", ")", text).replace("(", "[").replace(")", "]").replace("'", '"')
    return json.loads(words.get(text, text))


def _fields(values: dict[str, Any], order: tuple[str, ...]) -> str:
    """The fields of a dataclass as its `repr` shows them."""
    return ", ".join(f"{name}={_python(values[name])}" for name in order)


def _python(value: Any) -> str:
    return repr(tuple(value) if isinstance(value, list) else value)


def _settings(text: str) -> dict[str, Any]:
    """The settings in a present key (see `model_key`)."""
    settings: dict[str, Any] = {}
    decoder, start = json.JSONDecoder(), 0
    while start < len(text):
        match = _SETTING.match(text, start)
        if match is None:
            raise ValueError("not a key of nbforecast's own models")
        settings[match[1]], start = decoder.raw_decode(text, match.end())
        start += 1  # the space between two settings
    return settings
