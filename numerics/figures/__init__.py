"""Figures of results, which their `plot` methods draw: no global state, every function returns its own."""
