"""Scaling MLPs: small networks as released, kernels and local tasks, against the theory of their curves."""
