"""Lengths of time in microseconds, and the names of days and months."""

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
YEAR = DAY * 1461 // 4  # the mean of a leap year and three others
MONTH = YEAR // 12
EPOCH_WEEKDAY = 3  # 1970-01-01 is a Thursday; Monday is 0

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December")  # fmt: skip
SHORT_WEEKDAYS = tuple(name[:3] for name in WEEKDAYS)
SHORT_MONTHS = tuple(name[:3] for name in MONTHS)

# (microseconds, code of a frequency alias, word), the largest first.
UNITS = ((WEEK, "W", "week"), (DAY, "D", "day"), (HOUR, "h", "hour"), (MINUTE, "min", "minute"),
         (SECOND, "s", "second"), (1_000, "ms", "millisecond"), (1, "us", "microsecond"))  # fmt: skip


def largest_unit(microseconds: int) -> tuple[int, str, str]:
    """Express a duration in the largest unit that divides it.

    Args:
        microseconds: A positive duration.

    Returns:
        The number of units, the unit's code in a frequency alias, and its word: `(5, "min", "minute")`.

    Raises:
        ValueError: If the duration is not a whole number of microseconds.
    """
    for size, code, word in UNITS:
        if microseconds % size == 0:
            return microseconds // size, code, word
    raise ValueError(f"{microseconds} is not a whole number of microseconds")
