"""What a forecaster reads beside a series' own values (H2): covariates and other series; and where it has them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from jaxtyping import Int64, UInt8

from nbforecast.data.covariate_grid import covariate_grid, lacks_context, lacks_future
from nbforecast.errors import OptionError
from nbforecast.forecasters.unavailable import UnavailableReason
from nbforecast.text import did_you_mean, listing, option, quoted

if TYPE_CHECKING:
    from nbforecast.data import Dataset
    from nbforecast.forecasters.base import Forecaster


@dataclass(frozen=True)
class CovariateUse:
    """What a forecaster declares to read besides values: its attribute `covariate_use`.

    A forecaster without the attribute reads no covariate, and `learn=True` corrects its forecasts by them.

    Attributes:
        past: Whether it reads all covariates of its context, up to the origin.
        future: Whether it reads those known ahead, within the horizon.
        names: The covariates that it reads, in its order; None for all.
        complete: Whether it needs every covariate of its context; otherwise NaN stands for a missing one.
        only_ahead: Whether it leaves out covariates that are known up to the origin only.
        required: Whether it cannot forecast where it has none.
        siblings: Whether it reads the values of the other series of a group, up to the origin.

    Example:
        >>> CovariateUse(names=("promotion",)).reads(ahead=True, up_to_origin=False)
        True
    """

    past: bool = True
    future: bool = True
    names: tuple[str, ...] | None = None
    complete: bool = False
    only_ahead: bool = False
    required: bool = False
    siblings: bool = False

    @property
    def facts(self) -> dict[str, Any]:
        """The attributes by name, as part of a key; `siblings` is left out where it reads none."""
        return {name: value for name, value in asdict(self).items() if name != "siblings" or value}

    def reads(self, *, ahead: bool, up_to_origin: bool) -> bool:
        """Whether it reads any covariate of data that have some known ahead, or some known up to the origin."""
        return ahead or (up_to_origin and self.past and not self.only_ahead)

    def columns(self, data: Dataset, horizon: int, model: str) -> Int64[np.ndarray, " C"]:
        """Find the covariates among those of some data.

        Args:
            data: The dataset.
            horizon: H.
            model: The model's name, for errors.

        Returns:
            The numbers of the covariates in `covariate_grid`, in the forecaster's order.

        Raises:
            OptionError: The data lack one of `names`, or have none where one is required, or a forecaster of nothing
                but the future needs one that is known up to the origin only.
        """
        grid = covariate_grid(data, horizon)
        if self.names is None:
            columns = np.flatnonzero(grid.is_future | (self.past and not self.only_ahead))
            if self.required and not len(columns):
                known = "that are known ahead" if grid.names else "beside their values"
                raise OptionError(
                    f"The model {model!r} reads covariates, and the data have none {known}. Name columns with "
                    f"{option('future_covariates')}, or give the parameters past and future of a function a default. "
                    "Results of the cache hold no covariates: they are forecast anew with the frame."
                )
            return columns
        missing = [name for name in self.names if name not in grid.names]
        if missing:
            which = listing([repr(name) for name in missing])
            lacking = "no covariate" if not grid.names else f"only {quoted(grid.names, 8)}, not {which}"
            raise OptionError(
                f"The model {model!r} reads the covariate{'s' * (len(self.names) > 1)} "
                f"{listing([repr(name) for name in self.names])}, and the data have {lacking}."
                f"{did_you_mean(missing[0], grid.names)} Name the columns with {option('future_covariates')}; if the "
                "model reads past values instead, register it with lags=."
            )
        columns = np.array([grid.names.index(name) for name in self.names], np.int64)
        late = [name for name, known in zip(self.names, grid.is_future[columns], strict=True) if not known]
        if late and (self.only_ahead or not self.past):
            raise OptionError(
                f"The model {model!r} reads {listing([repr(name) for name in late])} at the times that are forecast. "
                f"Name columns that are known ahead with {option('future_covariates')}, not "
                f"{option('past_covariates')}."
            )
        return columns


def covariate_use(forecaster: Forecaster, data: Dataset) -> CovariateUse | None:
    """What of some data a forecaster reads beside a series' own values; None if nothing.

    Args:
        forecaster: The forecaster.
        data: The dataset.
    """
    use = declared_use(forecaster)
    if use is None or (data.covariates is None and data.groups is None):
        return None
    use = replace(use, siblings=use.siblings and data.groups is not None)
    return None if data.covariates is None and not use.siblings else use


def declared_use(forecaster: Forecaster) -> CovariateUse | None:
    """What a forecaster declares to read; None if it reads nothing beside a series' own values."""
    return cast("CovariateUse | None", getattr(forecaster, "covariate_use", None))


def availability(forecaster: Forecaster, data: Dataset, horizon: int) -> UInt8[np.ndarray, " N"]:
    """Returns for each row 0 if it can be forecast, else an `UnavailableReason`; its covariates count.

    Args:
        forecaster: The forecaster.
        data: A dataset of N rows.
        horizon: H.

    Raises:
        OptionError: The data lack a covariate that the forecaster reads by name.
    """
    reasons = forecaster.availability(data)
    use = declared_use(forecaster)
    if use is None or (data.covariates is None and use.names is None and not use.required):
        return reasons
    columns = use.columns(data, horizon, forecaster.name)
    is_available = reasons == UnavailableReason.AVAILABLE
    if use.complete:
        is_incomplete = lacks_context(data, horizon, columns, forecaster.context)
        reasons = np.where(is_available & is_incomplete, UnavailableReason.INCOMPLETE, reasons)
    if use.future:
        ahead = columns[covariate_grid(data, horizon).is_future[columns]]
        is_missing = is_available & lacks_future(data, horizon, ahead)
        reasons = np.where(is_missing, UnavailableReason.NO_COVARIATES, reasons)
    return reasons.astype(np.uint8)
