"""Errors that users can cause. Each message says what is wrong, where it is, and what to do."""

import traceback
from typing import ClassVar

from nbforecast.safe_text import escape_controls, shorten


class NbForecastError(Exception):
    """The base class of all errors that nbforecast raises on purpose.

    Messages name columns, files and values of unknown origin: they are cut, and have no control characters.

    Attributes:
        longest: The number of characters that a message may have.
    """

    longest: ClassVar[int] = 1_200

    def __init__(self, message: str = "") -> None:
        super().__init__(shorten(escape_controls(message, keep_lines=True), self.longest))

    def _render_traceback_(self) -> list[str]:
        """What IPython prints: the cause in full, if there is one, and the message without our frames."""
        cause = traceback.format_exception(self.__cause__) if self.__cause__ else []
        return [*"".join(cause).splitlines(), f"{type(self).__name__}: {self}"]


class InputError(NbForecastError):
    """The data cannot be read as time series."""


class SourceError(NbForecastError, OSError):
    """A source of live data cannot be read at present; it is tried again."""


class IndexOutOfRange(NbForecastError, IndexError):
    """An index names no origin of the series."""


class OriginUnavailable(NbForecastError):
    """The model cannot forecast from an origin, because its context is too short or has too many gaps."""


class OptionError(NbForecastError, ValueError):
    """An option has a value that makes no sense, such as a horizon of 0 or an unknown series."""


class UnknownModel(NbForecastError, KeyError):
    """No model has this name."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class ForecasterError(NbForecastError):
    """A model failed, or returned an array that is no forecast."""


class WeightsError(NbForecastError, ValueError):
    """The weights of a model are missing, damaged or do not fit its configuration."""


class RunCancelled(NbForecastError):
    """An equal request was cancelled, and this run with it."""


class ReportError(NbForecastError):
    """A cell of a report's template failed."""

    longest = 10_000  # the error of the cell, with its trace


class ForkedProcessError(NbForecastError):
    """A process was forked while nbforecast was in use; Polars and JAX would wait for ever in it."""


class StorageError(NbForecastError, OSError):
    """A file of the result cache cannot be read, written or removed."""


class MissingFont(NbForecastError):
    """The system has no font to draw text in an image."""


class MissingExtra(NbForecastError, ImportError):
    """An optional dependency is not installed."""
