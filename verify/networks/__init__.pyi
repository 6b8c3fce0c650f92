# The public names, each once: __init__.py loads them from here when they are first used.

from .draws import Samples as Samples
from .draws import sample as sample
from .ensembles import ensemble as ensemble
from .functions import unit_functions as unit_functions
from .network import Network as Network
from .solvers import equilibrium as equilibrium
from .tangents import tangent_kernels as tangent_kernels
