"""What theory refuses, and the class that all errors of the library derive from.

Each error is also one of Python's own, so that ``except ValueError`` goes on working, and shows one line.
"""

__all__ = ["ActivationError", "DivergenceError", "WidegapError"]


class WidegapError(Exception):
    """Base of every error that theory, numerics and verify raise on purpose; see also `numerics.errors`."""


class ActivationError(WidegapError, ValueError):
    """A name or expression that is no activation; the message says what is wrong."""


class DivergenceError(WidegapError, ValueError):
    """Something that does not exist for these parameters; the message says which condition fails."""
