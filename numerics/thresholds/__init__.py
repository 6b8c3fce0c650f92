"""Stationary points of functionals: starts, searches, levels, and solutions settled in balls."""
