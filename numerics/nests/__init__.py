"""Nests in doubles: a leaf lifted on chained grids, by numba, with its error law."""
