"""The choices that turn an ontology into layers, each with its default."""

from dataclasses import dataclass, fields
from typing import Any, Literal, TypedDict, get_args

from ..errors import InputError

__all__ = ["Policies", "PolicyOptions"]

LevelRule = Literal["lock_step", "shortest", "longest"]
Fill = Literal["copy", "skip"]
Attach = Literal["descendants", "own", "every"]
Unannotated = Literal["drop", "residual"]


class PolicyOptions(TypedDict, total=False):
    """Keywords that every reader of `Hierarchy` takes; `Policies` says what they mean.

    Example:
        >>> PolicyOptions(fill="skip", attach="own")
        {'fill': 'skip', 'attach': 'own'}
    """

    level_rule: LevelRule
    fill: Fill
    attach: Attach
    unannotated: Unannotated
    min_size: int
    max_size: int | None
    redundancy: float | None
    collapse_chains: bool


@dataclass(frozen=True)
class Policies:
    """How an ontology becomes layers.

    A node with several parents is always one node with several edges, never one copy per parent.

    Args:
        levels: Number of layers above the features, counted from the roots; what lies deeper is cut off. None: all.
        level_rule: On which level a node stands. "lock_step": the roots are level 1 and the children of level k
            are level k + 1, so a node whose parents stand on several levels stands on several levels itself (once on
            each). "longest": on one level, that of its longest way to a root. "shortest": on one level, that of its
            shortest way; a relation to a parent that is not right above cannot be drawn and is counted.
        fill: What connects levels that are not neighbours. "copy": copies of the node on the levels between, so that
            edges join neighbouring layers only. "skip": one edge across the levels.
        attach: Which nodes take features. "descendants": a terminal node (none of its children is drawn) takes its own
            features and those of all its descendants, as BINN does. "own": a terminal node takes its own alone, as
            P-NET does. "every": as "descendants", and every other node takes those of its own features that no child
            of it brings, so no annotated feature is lost.
        unannotated: Features that end at no node: "drop" them, or attach them to a "residual" node, which is a root
            of its own. Either way they are counted.
        min_size: Nodes with fewer features (their own and those of all descendants) are taken out; their features
            and children go to their parents.
        max_size: Nodes with more features are taken out in the same way; children of such roots become roots.
        redundancy: Jaccard similarity (0 to 1) of the feature sets from which the node that lies farther from the
            roots is taken out; 1.0 takes out repetitions only. None: no filter.
        collapse_chains: Whether an only child of an only parent is merged into that parent.

    Raises:
        InputError: If a value is not allowed.

    Example:
        >>> Policies(levels=4).fill
        'copy'
        >>> Policies(fill="jump")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: fill is 'jump'; it must be one of copy, skip
    """

    levels: int | None = None
    level_rule: LevelRule = "lock_step"
    fill: Fill = "copy"
    attach: Attach = "descendants"
    unannotated: Unannotated = "drop"
    min_size: int = 1
    max_size: int | None = None
    redundancy: float | None = None
    collapse_chains: bool = False

    def __post_init__(self) -> None:
        choices = {"level_rule": LevelRule, "fill": Fill, "attach": Attach, "unannotated": Unannotated}
        for name, allowed in choices.items():
            if getattr(self, name) not in get_args(allowed):
                raise InputError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(get_args(allowed))}")
        for name in ("levels", "min_size", "max_size"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise InputError(f"{name} is {value!r}; it must be a positive integer")
        if self.max_size is not None and self.max_size < self.min_size:
            raise InputError(f"max_size is {self.max_size}, below min_size, which is {self.min_size}; it must not be")
        if self.redundancy is not None and not 0 < self.redundancy <= 1:
            raise InputError(f"redundancy is {self.redundancy}; it must be above 0 and at most 1")

    def as_dict(self) -> dict[str, Any]:
        """Return the choices as plain data.

        Example:
            >>> Policies(levels=2).as_dict()["levels"]
            2
        """
        return {field.name: getattr(self, field.name) for field in fields(self)}
