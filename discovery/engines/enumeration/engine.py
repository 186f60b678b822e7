"""The engine that proposes every distinct short formula."""

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

from ....activations.formula import count_nodes, parse_formula
from ...candidate import Candidate
from ..base import SearchRows
from .space import Space

__all__ = ["PUBLISHED_OPERATORS", "Enumeration", "enumerate_formulas"]

# The function set of arXiv 2601.10740.
PUBLISHED_OPERATORS = ("add", "sub", "mul", "sin", "cos", "abs")


@lru_cache(maxsize=8)
def _formulas(max_nodes: int, operators: tuple[str, ...], numbers: tuple[float, ...]) -> tuple[str, ...]:
    space = Space(operators, numbers)
    space.extend(max_nodes)
    return tuple(map(str, space.trees()))


def enumerate_formulas(
    max_nodes: int,
    operators: Sequence[str] = PUBLISHED_OPERATORS,
    numbers: Sequence[float] = (),
    budget: int = 200_000,
) -> list[str]:
    """Return all distinct functions of x with at most `max_nodes` nodes, shortest first, as texts for `Formula`.

    Args:
        max_nodes: Largest number of functions, operators, variables and numbers in a formula.
        operators: Names of the grammar.
        numbers: Number literals that may stand in a formula.
        budget: How many functions at most.

    Example:
        >>> enumerate_formulas(3, operators=("mul", "cos"))
        ['x', 'cos(x)', 'x * x', 'cos(cos(x))']
    """
    return list(_formulas(max_nodes, tuple(operators), tuple(numbers)))


class Enumeration:
    """Propose every distinct function of x up to a number of nodes: the engine "enumerate".

    Args:
        max_nodes: Largest number of nodes.
        operators: Names of the grammar.
        numbers: Number literals that may stand in a formula.
        budget: How many functions at most.

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
    ) -> None:
        self.max_nodes = max_nodes
        self.operators = tuple(operators)
        self.numbers = tuple(numbers)
        self.budget = budget

    def propose(self, rows: SearchRows | None, seed: int) -> list[Candidate]:
        """Return all candidates, shortest first; rows and seed play no part."""
        formulas = enumerate_formulas(self.max_nodes, self.operators, self.numbers, self.budget)
        return [Candidate(text, count_nodes(parse_formula(text)), self.name) for text in formulas]
