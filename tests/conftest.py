"""Settings shared by all tests: reproducible examples and figures without a display."""

import os
import signal

from hypothesis import settings
from hypothesis.internal.conjecture import providers

# before anything imports matplotlib or NumPy, here and in the processes that tests start
os.environ["MPLBACKEND"] = "Agg"
# one process of pytest-xdist for each core: threads of the BLAS beside them wait for each other, busily
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# a shell starts what runs in its background deaf to Ctrl-C, and so would be the programs that tests interrupt
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run and on every machine. Compiling and tables of Gibbs weights make
# the first example of a test slow, so time limits per example would only measure the machine.
settings.register_profile(
    "widegap", derandomize=True, deadline=None, max_examples=30, database=None
)
settings.load_profile("widegap")

# Hypothesis also draws constants from the modules that happen to be imported so far, which are not the same
# in all processes of a parallel run: examples would depend on who ran what before. It has no setting for
# that, hence its own function; where that has gone nothing is changed.
if hasattr(providers, "_get_local_constants"):
    nothing = providers.Constants()
    providers._get_local_constants = lambda: nothing
