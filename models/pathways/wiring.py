"""From edges between nodes to edges between units, for every layer of a network.

Legend of shapes: E edges, F columns.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ...structures import Hierarchy

__all__ = ["Wiring", "wire_feature_layer", "wire_layers"]


class Wiring(NamedTuple):
    """The inputs of one layer: outputs of lower layers side by side, and the edges from them.

    Attributes:
        place: Place of the layer in the hierarchy.
        units: Units per node of the layer.
        sources: Places of the layers that feed it; 0 stands for the columns where features have no layer.
        widths: Number of inputs from each of these.
        edges: int64 (2, E), from the inputs side by side to the units of the layer.
    """

    place: int
    units: int
    sources: tuple[int, ...]
    widths: tuple[int, ...]
    edges: Tensor


class _Units(NamedTuple):
    """Which units belong to each node: those of node n are `order[start[n]]` and what follows, `many[n]` in all."""

    order: np.ndarray
    start: np.ndarray
    many: np.ndarray
    width: int

    @classmethod
    def regular(cls, nodes: int, units: int) -> "_Units":
        return cls(np.arange(nodes * units), np.arange(nodes) * units, np.full(nodes, units), nodes * units)

    @classmethod
    def of_columns(cls, column_nodes: np.ndarray, nodes: int) -> "_Units":
        used = np.flatnonzero(column_nodes >= 0)
        order = used[np.argsort(column_nodes[used], kind="stable")]
        count = np.bincount(column_nodes[used], minlength=nodes)
        return cls(order, np.cumsum(count) - count, count, len(column_nodes))


def _expanded(pairs: np.ndarray, low: _Units, high: _Units) -> np.ndarray:
    """Join every unit of the lower node of each pair with every unit of its upper node."""
    below, above = low.many[pairs[0]], high.many[pairs[1]]
    total = below * above
    edge = np.repeat(np.arange(pairs.shape[1]), total)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(total) - total, total)
    source = low.order[low.start[pairs[0, edge]] + step // above[edge]]
    target = high.order[high.start[pairs[1, edge]] + step % above[edge]]
    return np.stack([source, target])


def wire_feature_layer(column_nodes: np.ndarray, nodes: int, units: int) -> Wiring:
    """Give every feature its own columns."""
    pairs = np.stack([np.arange(nodes), np.arange(nodes)])
    columns = _Units.of_columns(column_nodes, nodes)
    edges = _expanded(pairs, columns, _Units.regular(nodes, units))
    return Wiring(0, units, (0,), (columns.width,), torch.from_numpy(edges))


def wire_layers(
    hierarchy: Hierarchy, units: Sequence[int], column_nodes: np.ndarray, has_feature_layer: bool
) -> list[Wiring]:
    """Return the wiring of every layer of the network, the feature layer first where there is one.

    Args:
        hierarchy: The hierarchy.
        units: Units per node, for every layer of the network.
        column_nodes: int64 (F,), the feature of each column or -1.
        has_feature_layer: Whether features have a layer of their own.

    Raises:
        InputError: If no edge leads to a layer.
    """
    sizes = hierarchy.sizes
    wired = [wire_feature_layer(column_nodes, sizes[0], units[0])] if has_feature_layer else []
    above = units[1:] if has_feature_layer else units
    bottom = _Units.regular(sizes[0], units[0]) if has_feature_layer else _Units.of_columns(column_nodes, sizes[0])
    spaces = [bottom, *(_Units.regular(size, number) for size, number in zip(sizes[1:], above, strict=True))]
    for place, number in enumerate(above, start=1):
        blocks = sorted((source, pairs) for source, target, pairs in hierarchy.edges if target == place and pairs.size)
        if not blocks:
            raise InputError(
                f"no edge leads to layer {hierarchy.layers[place]} of the hierarchy; leave the layer out, or match "
                "more of its features"
            )
        edges, offset = [], 0
        for source, pairs in blocks:
            low, high = _expanded(pairs, spaces[source], spaces[place])
            edges.append(np.stack([low + offset, high]))
            offset += spaces[source].width
        sources = tuple(source for source, _ in blocks)
        widths = tuple(spaces[source].width for source in sources)
        wired.append(Wiring(place, number, sources, widths, torch.from_numpy(np.concatenate(edges, axis=1))))
    return wired
