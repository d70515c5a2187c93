"""Series: from the user's frame to a dataset on a regular time grid."""

from nbforecast.series.dataset import Dataset, DataWarning
from nbforecast.series.frequency import Frequency
from nbforecast.series.prepare import prepare

__all__ = ["DataWarning", "Dataset", "Frequency", "prepare"]
