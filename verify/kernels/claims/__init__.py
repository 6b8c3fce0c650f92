"""Claims about kernels and the networks that they are the limit of."""
