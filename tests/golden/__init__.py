"""Committed arrays: forecasts that pin each model's algorithm version, reference numbers, results saved by 0.1."""
