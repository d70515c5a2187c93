"""Other libraries' models as forecasters, handed over as they are: scikit-learn, statsforecast, Darts, neuralforecast.

A model sees contexts and the covariates that it declares to read: no time stamps, and nothing after an origin but what
is known ahead. It is copied where it is fitted already, so that fitting it again changes nothing that is still being
forecast.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

from nbforecast.errors import OptionError

if TYPE_CHECKING:
    from nbforecast.forecasters.adapters.function import FunctionForecaster

_LIBRARIES = ("statsforecast", "darts", "neuralforecast")


def adapt(model: object, **options: Any) -> FunctionForecaster | None:
    """Returns a forecaster that wraps another library's model; None for what is no such model.

    No library is imported unless a model is one of its.

    Args:
        model: The model.
        **options: `name`, `key`, and those of the library's adapter.

    Raises:
        OptionError: If the model is not fitted or cannot be used, or an option is unknown.
    """
    library = _library(model)
    if library is None:
        return None
    build = import_module(f"{__name__}.{library}").build
    option_names = [name for name in inspect.signature(build).parameters if name != "model"]
    unknown_options = sorted(set(options) - set(option_names))
    if unknown_options:
        raise OptionError(
            f"{', '.join(unknown_options)}: no option for a {type(model).__name__}. There are: "
            f"{', '.join(sorted(option_names))}."
        )
    return build(model, **options)


def _library(model: object) -> str | None:
    if isinstance(model, type):
        return None
    packages = {str(kind.__module__).partition(".")[0] for kind in type(model).__mro__}
    for library in _LIBRARIES:
        if library in packages:
            return library
    # by what it has, as many packages follow scikit-learn without importing it
    is_estimator = hasattr(model, "n_features_in_") or (hasattr(model, "fit") and hasattr(model, "get_params"))
    return "sklearn" if hasattr(model, "predict") and is_estimator and not callable(model) else None
