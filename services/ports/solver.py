"""Whoever solves 0/1 programs."""

from typing import Protocol

from domain.best_plan import Program, Solution


class Solver(Protocol):
    """Whoever solves 0/1 programs."""

    async def solve(self, program: Program, seconds: float) -> Solution:
        """The best choice that is found in about so many seconds, and what is proven about it."""
