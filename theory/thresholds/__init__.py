"""Perceptrons, Hopfield and SK models: random duals, their limits, and the functionals of every level."""
