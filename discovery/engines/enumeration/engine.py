"""The engine that proposes every distinct short formula."""

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

from ....errors import InputError
from ...candidate import Candidate
from ..base import SearchRows
from . import cache
from .budget import fill
from .settings import PUBLISHED_OPERATORS, SpaceSettings
from .space import Space

__all__ = ["Enumeration", "enumerate_formulas"]


def enumerate_formulas(
    max_nodes: int,
    operators: Sequence[str] = PUBLISHED_OPERATORS,
    numbers: Sequence[float] = (),
    budget: int = 200_000,
) -> list[str]:
    """Return all distinct functions of x with at most `max_nodes` nodes, shortest first, as texts for `Formula`.

    Complete: whatever formula can be built, the list holds one of the same function with no more nodes. Distinct:
    two formulas are one function unless, at one of 256 points of [-12, 12], their values in double precision
    differ by more than twice the sum of the bounds of their rounding errors (running error analysis; points where
    a value is not known to 7 digits do not count). `docs/enumeration.md` shows what that counts, and why.

    Constants such as x - x and cos(x - x) are functions of x, too, and part of the list. Parts of numbers alone
    are not built: put their value into `numbers`. Left out are formulas that double precision cannot evaluate to 7
    digits on [-1.25, 1.25], such as sin(exp(exp(exp(x)))).

    Args:
        max_nodes: Largest number of functions, operators, variables and numbers in a formula.
        operators: Names out of abs, add, cos, div, erf, exp, inv, log, max, min, mul, neg, relu, sigmoid, sin,
            softplus, sqrt, square, sub, tan, tanh (protected as `Formula` protects them by default). Of several
            formulas of one function and size, the one whose operator comes first here is chosen.
        numbers: Number literals that may stand in a formula, such as (0.5, 1, 2).
        budget: How many functions at most.

    Raises:
        InputError: If a name, number or size cannot be used, or the space exceeds the budget, which is found out
            from its small sizes before the large ones are built.

    Example:
        >>> enumerate_formulas(3, operators=("mul", "cos"))
        ['x', 'cos(x)', 'x * x', 'cos(cos(x))']
    """
    groups = _formulas(SpaceSettings.checked(max_nodes, operators, numbers, budget), on_disk=False)
    return [formula for group in groups for formula in group]


class Enumeration:
    """Propose every distinct function of x up to a number of nodes: the engine "enumerate".

    It draws nothing and sees no data, so one space serves every search. A space is built once per process.

    Args:
        max_nodes: Largest number of nodes.
        operators: Names of the grammar (see `enumerate_formulas`, also for what "distinct" means).
        numbers: Number literals that may stand in a formula.
        budget: How many functions at most; a larger space is refused before it is built.
        disk_cache: Whether to keep the space in the user's cache folder (XDG_CACHE_HOME, or ~/.cache) for the
            next process. A damaged or outdated file is rebuilt.

    Raises:
        InputError: If a name, number or size cannot be used; by `propose`, if the space exceeds the budget.

    Example:
        >>> engine = Enumeration(max_nodes=4)
        >>> [candidate.formula for candidate in engine.propose(None, seed=0)][:3]
        ['x', 'sin(x)', 'cos(x)']
    """

    name: ClassVar[str] = "enumerate"
    needs_rows: ClassVar[bool] = False

    def __init__(
        self,
        max_nodes: int = 8,
        operators: Sequence[str] = PUBLISHED_OPERATORS,
        numbers: Sequence[float] = (),
        budget: int = 200_000,
        disk_cache: bool = False,
    ) -> None:
        self.settings = SpaceSettings.checked(max_nodes, operators, numbers, budget)
        self.disk_cache = disk_cache

    def propose(self, rows: SearchRows | None, seed: int) -> list[Candidate]:
        """Return all candidates, shortest first; rows and seed play no part.

        Their `cost` is the share of one candidate in the seconds of this call.

        Raises:
            InputError: If the space holds more functions than the budget.
        """
        start = time.perf_counter()
        groups = _formulas(self.settings, self.disk_cache)
        seconds = (time.perf_counter() - start) / sum(map(len, groups))
        return [
            Candidate(text, nodes, self.name, cost={"seconds": seconds, "evaluations": 1.0})
            for nodes, group in enumerate(groups, start=1)
            for text in group
        ]


@lru_cache(maxsize=8)
def _formulas(settings: SpaceSettings, on_disk: bool) -> list[list[str]]:
    """Return the formulas by their number of nodes."""
    groups = cache.read(settings) if on_disk else None
    if groups is None:
        groups = _built(settings)
        if on_disk:
            cache.write(settings, groups)
    elif (size := sum(map(len, groups))) > settings.budget:
        raise InputError(f"the space holds {size:,} distinct formulas, and the budget is {settings.budget:,}")
    return groups


def _built(settings: SpaceSettings) -> list[list[str]]:
    space = Space(settings.operators, settings.numbers)
    fill(space, settings)
    texts = iter(map(str, space.trees()))
    return [[next(texts) for _ in range(count)] for count in space.counts]
