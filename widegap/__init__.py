"""The front door of widegap: its version and, in :mod:`widegap.cli`, its command line.

The mathematics is in :mod:`theory`, the numbers in :mod:`numerics`.
"""

__version__ = "0.1.0"
