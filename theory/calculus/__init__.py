"""Lifted Gaussian expectations and their calculus: derivatives, closed forms, growth, Price's theorem."""
