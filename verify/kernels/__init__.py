"""Kernels, checked: claims about recursions, widths and equilibria; the networks are in `verify.networks`."""
