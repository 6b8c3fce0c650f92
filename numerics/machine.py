"""What this process may use of the machine that it runs on."""

import os

__all__ = ["cores"]


def cores() -> int:
    """Cores this process may run on: fewer than there are, where a cluster or a container says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
