"""What is claimed of amortised Fourier layers: sizes, features, products, grids."""
