"""Claims on sparse parities."""
