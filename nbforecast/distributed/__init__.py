"""Panels that outgrow a machine: forecasts in shards, each a set of whole series in a file of its own."""
