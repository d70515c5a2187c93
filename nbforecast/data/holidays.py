"""Public holidays as covariates: the day itself, its eve, and bridge days."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Shaped

from nbforecast.errors import MissingExtra, OptionError
from nbforecast.text import option
from nbforecast.time_units import EPOCH_WEEKDAY

if TYPE_CHECKING:
    from collections.abc import Collection

NAMES = ("holiday", "eve of a holiday", "bridge day")
_SATURDAY = 5


def holiday_covariates(country: str, dates: Shaped[np.ndarray, "*N"]) -> Float64[np.ndarray, "3 *N"]:
    """Whether dates are holidays, days before one, or working days between a holiday and a weekend.

    Args:
        country: A country of the library `holidays` and, after a hyphen, its part: `DE`, `DE-BY`, `US-CA`.
        dates: Dates of the local clock, `datetime64`.

    Returns:
        (3, ...) 1 or 0 for each of `NAMES`.

    Raises:
        OptionError: If the library knows no such country or part.
        MissingExtra: If the library is not installed.

    Example:
        >>> holiday_covariates("DE", np.array(["2024-12-24", "2024-12-25", "2024-12-28"], "datetime64[D]"))[0]
        array([0., 1., 0.])
    """
    days = dates.astype("datetime64[D]")
    unique, place = np.unique(days, return_inverse=True)
    years = np.unique(unique.astype("datetime64[Y]").astype(int) + 1970)
    closed = _holidays(country, range(int(years.min()) - 1, int(years.max()) + 2))
    is_holiday = np.isin(unique, closed)
    is_eve = np.isin(unique + 1, closed) & ~is_holiday
    weekday = (unique.astype(int) + EPOCH_WEEKDAY) % 7
    is_free_before = np.isin(unique - 1, closed) | (weekday == 0)
    is_free_after = np.isin(unique + 1, closed) | (weekday == _SATURDAY - 1)
    is_near = np.isin(unique - 1, closed) | np.isin(unique + 1, closed)
    is_bridge = is_free_before & is_free_after & is_near & ~is_holiday & (weekday < _SATURDAY)
    columns = np.stack([is_holiday, is_eve, is_bridge]).astype(np.float64)
    return columns[:, place.reshape(days.shape)]


def check_country(country: object) -> None:
    """Raise an error unless the library knows the holidays of a country.

    Raises:
        OptionError: If it does not.
        MissingExtra: If the library is not installed.
    """
    if not isinstance(country, str):
        raise OptionError(f"{option('holidays')} takes a country such as 'DE' or 'US-CA', not {country!r}.")
    _holidays(country, (2024,))


def _holidays(country: str, years: Collection[int]) -> Shaped[np.ndarray, " D"]:
    try:
        import holidays
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"{option('holidays')} needs the library holidays: pip install 'nbforecast[holidays]'."
        ) from error
    code, _, part = country.strip().upper().partition("-")
    try:
        found = holidays.country_holidays(code, subdiv=part or None, years=years)
    except NotImplementedError as error:
        raise OptionError(
            f"The library holidays knows no country {country!r}: {str(error).rstrip('.')}. Give a code such as 'DE', "
            "'DE-BY' or 'US-CA'."
        ) from error
    return np.array(sorted(found), "datetime64[D]")
