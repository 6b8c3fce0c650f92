"""What is claimed of trained weights and their data."""
