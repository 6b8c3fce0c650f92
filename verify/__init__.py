"""Checks of the theory: claims with their evidence, properties, and the strategies they share.

`claim` registers a claim, `all_claims` lists them, `run_claims` runs them. The strategies of
`verify.strategies` are for anyone's property tests. Nothing heavy is imported before a name is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
