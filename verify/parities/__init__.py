"""Sparse parities learned by perceptrons: networks that are trained, their tickets, tables, and claims."""
