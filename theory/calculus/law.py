"""A result of a theory: what it says, where it holds, and how it is derived."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .steps import Step

__all__ = ["Law"]


@dataclass(frozen=True)
class Law:
    """A derived statement, such as an equation, with its derivation.

    A subject lists its laws in ``LAWS``, a dictionary of names (lower-case words joined by hyphens) to
    functions without arguments that derive one: ``theory.parities.LAWS["fourier-gap"]()``.

    Attributes
    ----------
    title : str
        What it says, in a few words.
    statement : sympy object
        An equation or another relation. What is computed with is its right-hand side, `value`.
    symbols : dict of sympy.Symbol to str
        What the symbols mean; every free symbol of the statement is among them.
    holds : str
        The conditions under which it holds.
    steps : tuple of Step
        How it is derived; expressions that sympy has worked out, from the definitions on.
    source : str
        Paper and equation, or "derived here" where no source states it.
    """

    title: str
    statement: Any
    symbols: dict[Any, str]
    holds: str
    steps: tuple[Step, ...]
    source: str

    def __post_init__(self) -> None:
        unknown = self.statement.free_symbols - set(self.symbols)
        if unknown:
            raise ValueError(f"{self.title} does not say what {', '.join(map(str, unknown))} means")
        if not self.steps:
            raise ValueError(f"{self.title} has no derivation")

    def __hash__(self) -> int:
        return hash((self.title, self.statement))

    @property
    def value(self) -> Any:
        """The right-hand side, of which evaluators are made."""
        return self.statement.rhs

    def at(self, **values: Any) -> Any:
        """Return the statement at values of some symbols, given by name, evaluated as far as sympy can.

        Raises
        ------
        ValueError
            For a name that is no symbol of it.
        """
        named = {str(symbol): symbol for symbol in self.symbols}
        for name in values:
            if name not in named:
                raise ValueError(f"{self.title} has no symbol {name!r}; it has {', '.join(named)}")
        return self.statement.subs({named[name]: value for name, value in values.items()}).doit()

    def text(self) -> str:
        """Title, statement, conditions and the meaning of the symbols, as lines of text."""
        sides = getattr(self.statement, "args", ())
        equation = " = ".join(map(str, sides)) if self.statement.is_Equality else self.statement
        meaning = [f"  {symbol}: {what}" for symbol, what in self.symbols.items()]
        return "\n".join([self.title, "", f"  {equation}", "", f"Holds: {self.holds}", *meaning])

    def latex(self) -> str:
        """The statement as LaTeX, without delimiters."""
        from sympy import latex

        return latex(self.statement)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def __str__(self) -> str:
        return self.text()
