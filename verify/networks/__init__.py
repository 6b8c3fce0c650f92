"""Networks of finite width, really drawn: what the kernels of wide networks are the limit of.

`sample` draws perceptrons and equilibrium models of any width, `tangent_kernels` their empirical neural
tangent kernels, `ensemble` very many small ones at once. `verify.networks.laws` measures exponents.
Nothing heavy is imported before a name is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
