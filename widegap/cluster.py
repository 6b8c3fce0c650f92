"""A Dask cluster as a place to compute; needs the extra ``widegap[cluster]``."""

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

import click

from widegap.errors import Failure, say

__all__ = ["PATIENCE", "cluster"]

PATIENCE = 10.0
"""Seconds that a scheduler has to answer in."""


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """Connect to a running cluster.

    Parameters
    ----------
    address
        The scheduler's, such as ``tcp://host:8786``.

    Yields
    ------
    concurrent.futures.Executor
        Its workers.

    Raises
    ------
    click.UsageError
        If Dask is not installed, or no scheduler answers at the address.
    Failure
        If the cluster fails while it is used.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise click.UsageError(
            "--scheduler needs Dask, which is not installed; pip install 'widegap[cluster]'"
        ) from error
    for name in ("distributed", "distributed.client"):
        # what becomes of the connection is told in one line, here, rather than logged
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        # Client's own time limit does not cover a peer that accepts and then says nothing
        identity = asyncio.run(asyncio.wait_for(_identity(address), PATIENCE))
        if identity.get("type") != "Scheduler":
            raise ValueError(f"there is a {identity.get('type')}")
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except Exception as error:
        reason = str(error) or f"no answer within {PATIENCE:.0f} s"
        if isinstance(error, MemoryError):  # lengths read from another protocol's bytes
            reason = "what answers does not speak Dask's protocol"
        raise click.UsageError(f"no Dask scheduler at --scheduler {address}: {reason}") from error
    try:
        if not identity.get("workers"):
            say(f"no workers yet at {address}; waiting for them")
        yield client.get_executor(pure=False)
    except Exception as error:
        if type(error).__module__.partition(".")[0] == "distributed":
            raise Failure(f"the cluster at {address} failed: {error}") from error
        raise
    finally:
        client.close(timeout=PATIENCE)


async def _identity(address: str) -> dict[str, Any]:
    """Ask whoever listens at an address what it is."""
    from distributed import Security
    from distributed.core import rpc

    security = Security().get_connection_args("client")
    peer: Any = rpc(address, connection_args=security)
    try:
        return await peer.identity()
    finally:
        await peer.close_rpc()
