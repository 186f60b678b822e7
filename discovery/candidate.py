"""What an engine proposes and every stage judges: one formula, where it came from and what is known about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from ..activations.formula import count_nodes, parse_formula

__all__ = ["Candidate"]


@dataclass(frozen=True)
class Candidate:
    """One proposed activation.

    Attributes:
        formula: Its text, as `Formula` accepts it.
        nodes: Number of nodes of its tree.
        engine: Name of the engine that proposed it, or "control".
        seed: Seed of the engine, or None where it draws nothing.
        data_hash: Hash of the rows that the engine saw, or None if it saw none.
        constants: Values of its named constants.
        scores: What stages measured, by their name.
        cost: What it cost to find: "seconds", "evaluations".
        normalization: (shift, scale) of an affine normalisation under N(0, 1), or None.
        original: The engine's own formula in prefix form, its features by number, where `formula` reads them all as x.

    Example:
        >>> candidate = Candidate.from_text("x*cos(x)", engine="enumerate")
        >>> candidate.nodes, candidate.with_scores(first_loss=0.5).scores
        (4, {'first_loss': 0.5})
    """

    formula: str
    nodes: int
    engine: str
    seed: int | None = None
    data_hash: str | None = None
    constants: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)
    normalization: tuple[float, float] | None = None
    original: str | None = None

    @classmethod
    def from_text(cls, formula: str, **known: Any) -> Self:
        """Return the candidate of a formula's text, its nodes counted.

        Raises:
            InputError: If the text is no formula.
        """
        return cls(formula, count_nodes(parse_formula(formula)), **known)

    def with_scores(self, **scores: float) -> Self:
        """Return a copy that knows more scores."""
        return replace(self, scores={**self.scores, **scores})
