"""Kernels of wide networks: NNGP and tangent kernels of perceptrons and equilibrium models, bounded."""
