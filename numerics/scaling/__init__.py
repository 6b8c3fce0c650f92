"""Kernels' spectra and the learning curves that follow from them."""
