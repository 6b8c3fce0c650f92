"""Networks of any order of layers: their kernels with bounds, derivatives in the inputs, functions of JAX."""
