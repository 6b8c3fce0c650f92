"""Counter-current learning in numbers: linear networks, their flow, and its drift at finite steps."""
