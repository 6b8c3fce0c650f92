"""Claims on counter-current learning: laws of linear networks, and what trained ones do."""
