"""The one interface of all engines.

Legend of shapes: N rows, F features.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Protocol

import numpy as np

from ..candidate import Candidate

__all__ = ["Engine", "SearchRows"]


@dataclass(frozen=True)
class SearchRows:
    """The rows that an engine may see: training rows of one split, scaled as the network sees them.

    Attributes:
        x: Features, float64 (N, F).
        y: Targets: class numbers, or values of a regression, (N,).
        task: What the targets are.

    Example:
        >>> rows = SearchRows(np.zeros((4, 2)), np.array([0, 1, 0, 1]), "classification")
        >>> len(rows.data_hash)
        16
    """

    x: np.ndarray
    y: np.ndarray
    task: str

    @cached_property
    def data_hash(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of features and targets."""
        digest = hashlib.sha256(np.ascontiguousarray(self.x).tobytes())
        digest.update(np.ascontiguousarray(self.y).tobytes())
        return digest.hexdigest()[:16]


class Engine(Protocol):
    """Anything that proposes formulas of one variable.

    Attributes:
        name: How configs and results call it.
        needs_rows: Whether it fits formulas to data; then `propose` refuses None.

    Example:
        >>> class Fixed:
        ...     name, needs_rows = "fixed", False
        ...
        ...     def propose(self, rows, seed):
        ...         return [Candidate.from_text("x*cos(x)", engine=self.name)]
        >>> engine: Engine = Fixed()
        >>> engine.propose(None, seed=0)[0].nodes
        4
    """

    name: ClassVar[str]
    needs_rows: ClassVar[bool]

    def propose(self, rows: SearchRows | None, seed: int) -> list[Candidate]:
        """Return distinct candidates, best or shortest first.

        Args:
            rows: Training rows only, or None.
            seed: Seed of whatever it draws.

        Raises:
            InputError: If it needs rows and has none, or its search space does not fit its budget.
        """
        ...
