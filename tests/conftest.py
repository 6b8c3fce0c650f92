"""Settings shared by all tests: reproducible examples and figures without a display."""

import os

from hypothesis import settings

# before anything imports matplotlib, here and in the processes that tests start
os.environ["MPLBACKEND"] = "Agg"

# The same examples in every run and on every machine. Compiling and tables of Gibbs weights make
# the first example of a test slow, so time limits per example would only measure the machine.
settings.register_profile(
    "widegap", derandomize=True, deadline=None, max_examples=30, database=None
)
settings.load_profile("widegap")
