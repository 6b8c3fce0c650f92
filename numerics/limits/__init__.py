"""The limit of the lifting levels: branches followed from level to level, and what their values tend to."""
