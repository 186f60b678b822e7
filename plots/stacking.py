"""Where the bars of a layered drawing stand: in which order, and how high.

Lengths are in inches.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["GAP", "SLOT", "order_nodes", "stack_nodes"]

Floats: TypeAlias = NDArray[np.float64]

# Least height of a node with its label of two lines, and what stands between two nodes.
SLOT = 0.27
GAP = 0.07
# Total height of the bars of a layer, before it is made to fit.
_BODY = 4.0
_SWEEPS = 6


def order_nodes(signs: Sequence[Floats], links: Sequence[tuple[int, int, NDArray, Floats]]) -> list[NDArray[np.int64]]:
    """Return the places of the nodes of each layer from top to foot, so that few links cross.

    Each layer in turn is sorted by the mean height of what its nodes are linked with, there and back a few times, and
    the order with the flattest links is taken; nodes whose sign is NaN come last.

    Args:
        signs: (N,) per layer.
        links: (source layer, target layer, (2, E) places, (E,) flows).

    Example:
        >>> crossed = [(0, 1, np.array([[0, 1], [1, 0]]), np.ones(2))]
        >>> [order.tolist() for order in order_nodes([np.ones(2), np.ones(2)], crossed)]
        [[0, 1], [1, 0]]
    """
    orders = [np.argsort(np.isnan(sign), kind="stable") for sign in signs]
    heights = [_spread(len(sign))[np.argsort(order)] for sign, order in zip(signs, orders, strict=True)]
    last = len(signs) - 1
    best, steepest = orders, np.inf
    # Grey bands lie behind the others: they may cross.
    links = [
        (a, b, pairs, np.where(np.isnan(signs[a][pairs[0]]) | np.isnan(signs[b][pairs[1]]), 0.1, 1.0) * flow)
        for a, b, pairs, flow in links
    ]
    for layers in [range(1, last + 1), range(last - 1, -1, -1)] * _SWEEPS:
        for layer in layers:
            wanted = _pull(layer, heights, links)
            order = np.lexsort((wanted, np.isnan(signs[layer])))
            orders = [*orders[:layer], order, *orders[layer + 1 :]]
            heights[layer][order] = _spread(len(order))
        steepness = sum(
            float(flow @ np.abs(heights[source][pairs[0]] - heights[target][pairs[1]]))
            for source, target, pairs, flow in links
        )
        if steepness < steepest:
            best, steepest = orders, steepness
    return best


def _spread(number: int) -> Floats:
    return np.linspace(0, 1, number) if number > 1 else np.full(number, 0.5)


def _pull(layer: int, heights: Sequence[Floats], links: Sequence[tuple[int, int, NDArray, Floats]]) -> Floats:
    """Return the mean height of what each node of a layer is linked with; its own where it has no links."""
    pull, weight = np.zeros(len(heights[layer])), np.zeros(len(heights[layer]))
    for source, target, pairs, flow in links:
        for own, other, end in ((source, target, 0), (target, source, 1)):
            if own == layer:
                np.add.at(pull, pairs[end], flow * heights[other][pairs[1 - end]])
                np.add.at(weight, pairs[end], flow)
    return np.where(weight > 0, pull / np.where(weight > 0, weight, 1), heights[layer])


def stack_nodes(sizes: Sequence[Floats], orders: Sequence[NDArray], height: float) -> list[Floats]:
    """Return foot and top (N, 2) of every bar; no two bars, nor their labels, overlap.

    Example:
        >>> low, high = stack_nodes([np.array([1.0, 3.0])], [np.array([0, 1])], 3.5)[0].T
        >>> bool(low[0] > high[1]), ((high - low) / (high - low).sum()).round(2).tolist()
        (True, [0.25, 0.75])
    """
    body = min(_BODY, *(_fitting(size, height) for size in sizes))
    bars = []
    for size, order in zip(sizes, orders, strict=True):
        bar = size / size.sum() * body
        slot = np.maximum(bar, SLOT)
        gap = (height - slot.sum()) / len(slot)  # the room left over is shared, half of it above each node
        centre = np.empty(len(slot))
        centre[order] = height - np.cumsum(slot[order] + gap) + (slot[order] + gap) / 2
        bars.append(np.stack([centre - bar / 2, centre + bar / 2], axis=1))
    return bars


def _fitting(size: Floats, height: float) -> float:
    """Return how long the bars of a layer may be in all, so that their slots fit into the height."""
    body = height
    while np.maximum(size / size.sum() * body, SLOT).sum() + GAP * len(size) > height and body > 0.1:
        body *= 0.97
    return body
