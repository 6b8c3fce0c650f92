"""Trained weights against data: how stationary they are on it, and the data they give away."""
