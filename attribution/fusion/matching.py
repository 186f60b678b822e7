"""Which prototype of one network is which of another: prototypes have no order.

Legend of shapes: K prototypes, D features, M patches.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ...errors import InputError
from .attributions import FusionAttributions

__all__ = ["PrototypeMatch", "align_prototypes", "match_prototypes"]

Floats: TypeAlias = NDArray[np.floating[Any]]
MatchBy = Literal["vectors", "shares"]


class PrototypeMatch(NamedTuple):
    """How the prototypes of another network answer those of a reference.

    Attributes:
        order: int64 (K,), the place of the other's prototype that matches the reference's k.
        similarity: (K,) cosine of each matched pair.
        rival: (K,) highest cosine of the reference's k with another prototype; above `similarity`, a pair is weak.

    Example:
        >>> match_prototypes(np.eye(2), np.array([[0.1, 1.0], [1.0, 0.0]])).order.tolist()
        [1, 0]
    """

    order: NDArray[np.int64]
    similarity: Floats
    rival: Floats


def match_prototypes(reference: Floats, other: Floats) -> PrototypeMatch:
    """Match rows one to one so that the sum of the cosines is the largest (Hungarian method).

    Args:
        reference: (K, D): vectors in the space of patch features, or the shares of D common patches.
        other: (K, D).

    Raises:
        InputError: If the shapes differ, or a row is 0 or not finite.

    Source: H. W. Kuhn 1955, Naval Research Logistics Quarterly 2, 83-97; scipy's `linear_sum_assignment`.

    Example:
        >>> match = match_prototypes(np.eye(3), np.eye(3)[[2, 0, 1]])
        >>> match.order.tolist(), match.similarity.tolist(), match.rival.tolist()
        ([1, 2, 0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0])
    """
    if reference.shape != other.shape or reference.ndim != 2:
        raise InputError(f"prototypes have the shapes {reference.shape} and {other.shape}; both must be (K, D)")
    similarity = _unit(reference) @ _unit(other).T
    rows, order = linear_sum_assignment(-similarity)
    matched = similarity[rows, order]
    rivals = similarity.copy()
    rivals[rows, order] = -np.inf
    return PrototypeMatch(order.astype(np.int64), matched, rivals.max(axis=1))


def _unit(rows: Floats) -> Floats:
    length = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    if not (np.isfinite(length) & (length > 0)).all():
        raise InputError("a prototype is 0 or not finite, so it has no direction to compare")
    return rows / length


def align_prototypes(
    folds: Sequence[FusionAttributions], by: MatchBy = "vectors"
) -> tuple[list[FusionAttributions], list[PrototypeMatch]]:
    """Put the prototypes of several networks into the order of the first.

    Args:
        folds: Attributions of each network.
        by: "vectors": prototypes lie in the same space of patch features; "shares": who takes which patches of the
            patients that the networks have in common (their shares, centred), whatever the space.

    Returns:
        The attributions in the new order, and how well each answers the first.

    Raises:
        InputError: If numbers of prototypes differ, or what they are compared by is missing.

    Example:
        >>> folds = [FusionAttributions(
        ...     ("ann",), ("p0", "p1"), ("s",), ("g",), np.zeros((2, 1), dtype=np.int64), np.ones((1, 1)),
        ...     np.ones((1, 1)), np.ones(1), np.ones((1, 2)), mass=np.array([[5.0, 1.0]])[:, order],
        ...     prototype_vectors=np.eye(2)[order]) for order in ([0, 1], [1, 0])]
        >>> aligned, matches = align_prototypes(folds)
        >>> aligned[1].mass.tolist()
        [[5.0, 1.0]]
    """
    if by not in get_args(MatchBy):
        raise InputError(f"by is {by!r}; it must be 'vectors' or 'shares'")
    matches = [match_prototypes(*_compared(folds[0], found, by)) for found in folds]
    return [found.with_prototypes(match.order) for found, match in zip(folds, matches, strict=True)], matches


def _compared(first: FusionAttributions, other: FusionAttributions, by: MatchBy) -> tuple[Floats, Floats]:
    if by == "vectors":
        return first.needed("prototype_vectors"), other.needed("prototype_vectors")
    common = [name for name in first.patients if name in set(other.patients)]
    if not common or first.shares is None or other.shares is None:
        raise InputError("prototypes are compared by shares of the same patches: collect both of the same patients")
    parts = [
        np.concatenate([found.shares.of(found.row(name)) for name in common]).astype(np.float64).T
        for found in (first, other)
        if found.shares is not None
    ]
    centred = [part - part.mean(axis=1, keepdims=True) for part in parts]
    return centred[0], centred[1]
