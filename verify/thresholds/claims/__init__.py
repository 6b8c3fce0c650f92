"""Claims about thresholds and ground states."""
