"""Nests and functionals in FLINT's balls and in mpmath: any number of digits, with every rounding bounded."""
