"""Loops of the kernels: sources that are pasted together and compiled for each activation."""
