"""Dual activations without a closed form: Hermite series with bounded remainders."""
