"""Compute targets: where attempts run. One module a kind."""
