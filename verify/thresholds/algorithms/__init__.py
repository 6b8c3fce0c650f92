"""Algorithms that look for solutions of large binary perceptrons, behind one function.

``attempt(instance, algorithm, budget=.., seed=..) -> Attempt``; `ALGORITHMS` lists them. Each is one
small module: `belief`, `focusing` and `incremental` (message passing), `clup` (controlled loosening-up),
`replicas` and `annealing` (local search). Nothing is imported before a name is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
