"""Sparse parities in numbers: tickets, what a first step finds, the frontier of width and samples."""

from .chances import Success, Tickets, finding, success, ticket_width, tickets
from .pareto import Frontier, frontier

__all__ = [
    "Frontier",
    "Success",
    "Tickets",
    "finding",
    "frontier",
    "success",
    "ticket_width",
    "tickets",
]
