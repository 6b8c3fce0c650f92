"""Networks trained on digits, and how many of their samples come back."""
