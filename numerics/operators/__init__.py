"""Fourier layers on linear periodic equations: errors against modes, features, products and grids."""
