"""Errors a user can cause: each says what is wrong, where, and what to do about it."""

import traceback


class NbForecastError(Exception):
    """Base of every error nbforecast raises on purpose."""

    def _render_traceback_(self) -> list[str]:
        """What IPython prints: the sentence, without our frames above it; the cause, if there is one, in full."""
        cause = traceback.format_exception(self.__cause__) if self.__cause__ else []
        return [*"".join(cause).splitlines(), f"{type(self).__name__}: {self}"]


class InputError(NbForecastError):
    """The frame handed in cannot be read as time series."""


class IndexOutOfRange(NbForecastError, IndexError):
    """An index is not one of the dataset's origins."""


class OriginUnavailable(NbForecastError):
    """The origin exists, but its context is one the model cannot use."""


class OptionError(NbForecastError, ValueError):
    """An option has a value that makes no sense (horizon 0, unknown series ...)."""


class UnknownModel(NbForecastError, KeyError):
    """No forecaster is registered under that name."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class ForecasterError(NbForecastError):
    """A forecaster failed, or returned something that is no forecast."""


class WeightsError(NbForecastError, ValueError):
    """Weights are missing, damaged, not weights at all, or do not fit the configuration."""


class RunCancelled(NbForecastError):
    """Somebody has cancelled the work that another one waits for."""


class ReportError(NbForecastError):
    """A cell of a report's template failed."""


class StorageError(NbForecastError, OSError):
    """Files of the result cache cannot be written, removed or read."""


class MissingExtra(NbForecastError, ImportError):
    """An optional dependency is needed for what was asked."""
