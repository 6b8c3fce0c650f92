"""What verify refuses: names, files and budgets. All derive from `numerics.errors.WidegapError`."""

from numerics.errors import MissingExtraError, WidegapError

__all__ = [
    "CasesFileError",
    "ExpectationError",
    "ExperimentFileError",
    "JournalError",
    "MemoryBudgetError",
    "MissingExtraError",
    "UnknownClaimError",
    "WidegapError",
    "WidthFileError",
]


class UnknownClaimError(WidegapError, ValueError):
    """A name that is neither a claim's nor a tag's."""


class ExpectationError(WidegapError, ValueError):
    """A file of recorded verdicts that cannot be used."""


class JournalError(WidegapError, ValueError):
    """A file cannot take this run; it is as it was."""


class ExperimentFileError(WidegapError, ValueError):
    """A file cannot take or give this experiment; it is as it was."""


class CasesFileError(WidegapError, ValueError):
    """A file cannot take or give this experiment; it is as it was."""


class WidthFileError(WidegapError, ValueError):
    """A file cannot take or give this experiment; it is as it was."""


class MemoryBudgetError(WidegapError, ValueError):
    """A draw that takes more than its budget; the message says how much."""
