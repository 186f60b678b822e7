"""How well connected a node is, and scores adjusted for it."""

from functools import reduce
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..errors import InputError
from ..structures import Hierarchy

__all__ = ["Adjustment", "adjusted", "node_degrees", "subgraph_sizes"]

Adjustment: TypeAlias = Literal["none", "degree", "hubs", "fan", "subgraph"]
Floats: TypeAlias = NDArray[np.float64]


def node_degrees(hierarchy: Hierarchy) -> dict[str, NDArray[np.int64]]:
    """Return the number of edges into and out of each node, per layer.

    Example:
        >>> hierarchy = Hierarchy.from_edges([("cell", "repair"), ("repair", "BRCA1"), ("repair", "TP53")])
        >>> {layer: degrees.tolist() for layer, degrees in node_degrees(hierarchy).items()}
        {'features': [1, 1], 'level_2': [3], 'level_1': [1]}
    """
    pairs = zip(hierarchy.layers, hierarchy.in_degrees, hierarchy.out_degrees, strict=True)
    return {layer: below + above for layer, below, above in pairs}


def subgraph_sizes(hierarchy: Hierarchy) -> dict[str, NDArray[np.int64]]:
    """Return, per layer, the number of other nodes beneath and above each node.

    Example:
        >>> hierarchy = Hierarchy.from_edges([("cell", "repair"), ("repair", "BRCA1"), ("repair", "TP53")])
        >>> {layer: sizes.tolist() for layer, sizes in subgraph_sizes(hierarchy).items()}
        {'features': [2, 2], 'level_2': [3], 'level_1': [3]}
    """
    first = np.concatenate([[0], np.cumsum(hierarchy.sizes)])
    blocks = [(pairs[0] + first[source], pairs[1] + first[target]) for source, target, pairs in hierarchy.edges]
    rows, columns = (np.concatenate(ends) for ends in zip(*blocks, strict=True))
    steps = sparse.csr_array((np.ones(len(rows), dtype=bool), (rows, columns)), shape=(first[-1], first[-1]))
    # Ways of one edge, then of up to two, and so on: no way is longer than the number of layers.
    reached = reduce(lambda ways, _: ((steps @ ways) + steps).astype(bool), hierarchy.layers[2:], steps)
    sizes = np.asarray(reached.sum(axis=0) + reached.sum(axis=1), dtype=np.int64)
    return dict(zip(hierarchy.layers, np.split(sizes, first[1:-1]), strict=True))


def adjusted(scores: Floats, adjust: Adjustment, degrees: Floats, subgraph: Floats) -> Floats:
    """Divide the scores of one layer by how well connected its nodes are.

    Nodes with many edges collect high scores in any network, trained or not; see `docs/attribution.md`.

    Args:
        scores: (N,)
        adjust: "none"; "degree": the number of edges in and out; "hubs": the same, but only where it exceeds the
            layer's mean by five standard deviations (P-NET: Elmarakeby et al., Nature 2021, Methods); "fan":
            log2(edges in and out + 1) and "subgraph": log2(nodes beneath and above), as BINN (Hartman et al., Nature
            Communications 2023) offers them. Divisors below 1 are 1.
        degrees: (N,) edges in and out.
        subgraph: (N,) nodes beneath and above.

    Raises:
        InputError: If `adjust` is none of these.

    Example:
        >>> adjusted(np.array([6.0, 6.0]), "subgraph", np.array([1, 3]), np.array([4, 8])).tolist()
        [3.0, 2.0]
    """
    if adjust == "none":
        return scores
    if adjust == "degree":
        divisor = degrees
    elif adjust == "hubs":
        spread = degrees.std(ddof=1) if len(degrees) > 1 else 0.0
        divisor = np.where(degrees > degrees.mean() + 5 * spread, degrees, 1)
    elif adjust == "fan":
        divisor = np.log2(degrees + 1)
    elif adjust == "subgraph":
        divisor = np.log2(np.maximum(subgraph, 1))
    else:
        raise InputError(f"adjust is {adjust!r}; it must be one of {', '.join(get_args(Adjustment))}")
    return scores / np.maximum(divisor, 1)
