"""Observations that forecasts made improbable, and times at which a series stopped behaving as forecast (A1, A2)."""
