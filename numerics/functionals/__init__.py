"""Functionals in doubles: theory's expressions printed as code around their nests."""
