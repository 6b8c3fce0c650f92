"""Benchmarks: what the program costs, as ratios against a baseline measured in the same run.

``python -m benchmarks`` runs them all; `benchmarks.registry` lists them. A time alone says as much
about the machine as about the program, so every row names what it is compared with.
"""
