"""Wide networks: activations, their dual activations, and the recursions of NNGP and tangent kernels."""
