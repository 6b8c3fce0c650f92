# The public names, each once: __init__.py loads them from here when they are first used.

from .strategies import Leaf as Leaf
from .strategies import Liftings as Liftings
from .strategies import activations as activations
from .strategies import inputs as inputs
from .strategies import kappas as kappas
from .strategies import leaves as leaves
from .strategies import levels as levels
from .strategies import models as models
from .strategies import nests as nests
from .strategies import order_parameters as order_parameters
from .suite.claims import Claim as Claim
from .suite.claims import Run as Run
from .suite.claims import all_claims as all_claims
from .suite.claims import claim as claim
from .suite.claims import select as select
from .suite.runner import Record as Record
from .suite.runner import run_claims as run_claims
from .suite.verdicts import Expected as Expected
from .suite.verdicts import Finding as Finding
