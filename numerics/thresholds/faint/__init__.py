"""Outermost overlaps that nothing else feels: told apart, left out, and put back."""
