"""From the user's frame to a dataset: one or more series on a regular time grid."""

from nbforecast.data.dataset import Dataset, DataWarning
from nbforecast.data.frequency import Frequency
from nbforecast.data.prepare import prepare

__all__ = ["DataWarning", "Dataset", "Frequency", "prepare"]
