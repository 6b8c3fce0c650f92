"""Claims about the scaling of perceptrons."""
