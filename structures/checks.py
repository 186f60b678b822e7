"""What layers and edges must be, whoever made them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import InputError, shown
from .matrices import IntArray

__all__ = ["check_layers", "checked_edges"]


def check_layers(layers: Sequence[str], nodes: Sequence[Sequence[str]]) -> None:
    """Refuse layers without nodes, and names that stand twice.

    Raises:
        InputError: If a layer is empty or repeated, there is one only, or a name stands twice on a layer.
    """
    if len(layers) != len(nodes) or len(set(layers)) != len(layers) or len(layers) < 2:
        raise InputError(
            f"layers are {', '.join(layers)} for {len(nodes)} lists of nodes; give two or more layers, each with its "
            "own name and its own list"
        )
    for layer, names in zip(layers, nodes, strict=True):
        if not names:
            raise InputError(f"layer {layer} has no nodes; a hierarchy has no empty layer")
        if len(set(names)) != len(names):
            repeated = sorted({name for name in names if names.count(name) > 1})
            raise InputError(f"layer {layer} names {shown(repeated)} more than once; a name stands once per layer")


def checked_edges(
    edges: Iterable[Sequence[Any]], nodes: Sequence[Sequence[str]]
) -> Iterator[tuple[int, int, IntArray]]:
    """Yield copies of edge blocks that nobody can write to.

    Raises:
        InputError: If an edge is repeated, goes down or out of range, or two blocks join the same layers.
    """
    seen = set()
    for source, target, pairs in edges:
        if not 0 <= source < target < len(nodes):
            raise InputError(
                f"edges go from layer {source} to layer {target}; they must go up, within 0 to {len(nodes) - 1}"
            )
        if (source, target) in seen:
            raise InputError(f"two blocks of edges go from layer {source} to layer {target}; put their edges into one")
        seen.add((source, target))
        yield int(source), int(target), _checked_pairs(source, target, np.array(pairs), nodes)


def _checked_pairs(source: int, target: int, pairs: np.ndarray, nodes: Sequence[Sequence[str]]) -> IntArray:
    which = f"the edges from layer {source} to layer {target}"
    if pairs.ndim != 2 or len(pairs) != 2 or not np.issubdtype(pairs.dtype, np.integer):
        raise InputError(f"{which} are {pairs.dtype} {pairs.shape}; they must be integers of the shape (2, E)")
    low, high = len(nodes[source]), len(nodes[target])
    if ((pairs < 0) | (pairs >= np.array([[low], [high]]))).any():
        raise InputError(f"{which} name places outside the {low} and {high} nodes of the layers")
    pairs = pairs.astype(np.int64)
    if len(np.unique(pairs[0] * high + pairs[1])) != pairs.shape[1]:
        raise InputError(f"{which} repeat an edge; give each once")
    pairs.flags.writeable = False
    return pairs
