"""Which features lie beneath each pathway, and which pathways cannot be told apart by them."""

from itertools import pairwise

import numpy as np
from scipy import sparse

from ...structures import Hierarchy

__all__ = ["equivalent_pathways", "set_labels"]


def set_labels(members: sparse.csr_array) -> np.ndarray:
    """Return a number per row of a boolean matrix: equal for rows with the same columns, int64 (P,).

    Args:
        members: (P, F) with a one where a feature lies beneath a pathway, as `hierarchy.memberships` gives.

    Example:
        >>> set_labels(sparse.csr_array([[1, 1], [0, 1], [1, 1]])).tolist()
        [0, 1, 0]
    """
    known: dict[bytes, int] = {}
    return np.array([known.setdefault(key, len(known)) for key in _keys(members)], dtype=np.int64)


def equivalent_pathways(hierarchy: Hierarchy, layer: int | str, name: str) -> tuple[tuple[str, str], ...]:
    """Return every node with exactly the features of one node, as (layer, name), itself among them.

    No data about these features can tell such nodes apart: an only child and its parent, copies that continue a short
    branch, pathways that differ only in features that were not measured.

    Args:
        hierarchy: The hierarchy.
        layer: Layer of the node.
        name: Name of the node.

    Raises:
        InputError: If there is no such node or layer.

    Example:
        >>> from axonlight.structures import Hierarchy
        >>> hierarchy = Hierarchy.from_edges([("cell", "repair"), ("repair", "BRCA1"), ("repair", "TP53")])
        >>> equivalent_pathways(hierarchy, "level_2", "repair")
        (('level_2', 'repair'), ('level_1', 'cell'))
    """
    hierarchy.children(name, layer)  # refuses an unknown node or layer
    place = range(len(hierarchy.layers))[hierarchy.layers.index(layer) if isinstance(layer, str) else layer]
    wanted = _keys(hierarchy.memberships(place))[hierarchy.nodes[place].index(name)]
    return tuple(
        (hierarchy.layers[other], names[row])
        for other, names in enumerate(hierarchy.nodes)
        for row, key in enumerate(_keys(hierarchy.memberships(other)))
        if key == wanted
    )


def _keys(members: sparse.csr_array) -> list[bytes]:
    ordered = members.copy()
    ordered.sort_indices()
    columns = ordered.indices.astype(np.int64)
    return [columns[start:end].tobytes() for start, end in pairwise(ordered.indptr)]
