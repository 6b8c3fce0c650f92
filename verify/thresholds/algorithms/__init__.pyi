# The public names, each once: __init__.py loads them from here when they are first used.

from .interface import ALGORITHMS as ALGORITHMS
from .interface import Attempt as Attempt
from .interface import attempt as attempt
