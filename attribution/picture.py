"""The picture of an attribution: the top nodes of every layer and the scores that flow between them."""

from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..plots.sankey import draw_sankey
from ..structures import Hierarchy
from .attributions import Attributions
from .graph import Adjustment

__all__ = ["draw_attributions", "top_links"]

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.int64]

# The bar of all nodes that are not shown is at most this part of its layer.
_LARGEST_REST = 0.2


def draw_attributions(
    attributions: Attributions,
    path: str | Path,
    *,
    top: int = 10,
    adjust: Adjustment | None = None,
    title: str = "",
) -> Path:
    """Draw the nodes with the highest adjusted scores of each layer and the edges between them.

    The height of a bar is the node's adjusted score, the layer's shown nodes together being one length; its colour
    is the sign: signed score over score, 1 where it raises the output in every row. The other nodes of a layer are one
    grey bar, of its true height up to a fifth of the layer. A band is a node's share along an edge: its score divided
    among its edges in proportion to the scores at their upper ends.

    Args:
        attributions: Of a network with a hierarchy, with at least one layer of it.
        path: Image file; its suffix decides the format.
        top: Nodes shown per layer.
        adjust: As in `Attributions.table`.
        title: Title of the figure.

    Returns:
        The path.

    Raises:
        InputError: If the network has no hierarchy or `top` is not positive.

    Example:
        >>> import tempfile, torch
        >>> from axonlight.attribution import attribute
        >>> from axonlight.models import PathwayNetwork
        >>> from axonlight.structures import Hierarchy
        >>> hierarchy = Hierarchy.from_edges([("cell", "repair"), ("cell", "death"), ("repair", "a"), ("death", "b")])
        >>> found = attribute(PathwayNetwork(2, 1, hierarchy), torch.randn(4, 2))
        >>> draw_attributions(found, tempfile.mkdtemp() + "/pathways.png").name
        'pathways.png'
    """
    hierarchy = attributions.hierarchy
    if hierarchy is None:
        raise InputError("the picture needs the edges of a hierarchy, and the network has none; print the table")
    if top < 1:
        raise InputError(f"top is {top}; it must be a positive integer")
    layers = [layer for layer in hierarchy.layers if layer in attributions.scores]
    scores = {layer: attributions.adjusted_scores(layer, adjust) for layer in layers}
    shown = {layer: np.sort(np.argsort(-score, kind="stable")[:top]) for layer, score in scores.items()}
    labels, sizes, signs, names = [], [], [], []
    for layer in layers:
        kept, rest = shown[layer], len(scores[layer]) - len(shown[layer])
        part = scores[layer][kept].sum() / max(scores[layer].sum(), np.finfo(float).tiny)
        own, other = scores[layer][kept], scores[layer].sum() - scores[layer][kept].sum()
        limit = own.sum() * _LARGEST_REST / (1 - _LARGEST_REST)
        titles = [
            hierarchy.titles.get(attributions.nodes[layer][place], attributions.nodes[layer][place]) for place in kept
        ]
        labels.append([*titles, *([f"{rest:,} others"] if rest else [])])
        sizes.append(_visible(np.append(own, min(other, limit)) if rest else own))
        signs.append(np.append(_signs(attributions, layer)[kept], [np.nan] * bool(rest)))
        names.append(f"{layer}\n{len(kept):,} of {len(scores[layer]):,} nodes, {part:.0%} of the score")
    links = top_links(hierarchy, scores, shown)
    label = "sign of the score: lowers (-1), mixed (0) or raises (+1) the output"
    return draw_sankey(names, labels, sizes, links, path, signs=signs, sign_label=label, title=title)


def _visible(sizes: Floats) -> Floats:
    """Keep nodes without any score from vanishing, and a layer of nothing else from having no height."""
    return np.maximum(sizes, max(float(sizes.max()) * 1e-3, np.finfo(float).tiny))


def _signs(attributions: Attributions, layer: str) -> Floats:
    scores = attributions.scores[layer]
    size = np.abs(scores).mean(axis=0)
    return np.divide(scores.mean(axis=0), size, out=np.zeros(len(size)), where=size > 0)


def top_links(
    hierarchy: Hierarchy, scores: dict[str, Floats], shown: dict[str, Places]
) -> list[tuple[int, int, Places, Floats]]:
    """Return the links between the shown nodes, all others of a layer being one node behind them.

    Args:
        hierarchy: Gives the edges.
        scores: Per layer (N,) positive numbers.
        shown: Per layer the places of the shown nodes.

    Returns:
        (source layer, target layer, (2, E) places, (E,) flows) for layers numbered as in `scores`; flows between the
        same two nodes are summed.
    """
    layers = list(scores)
    blocks = [
        (layers.index(hierarchy.layers[source]), layers.index(hierarchy.layers[target]), pairs)
        for source, target, pairs in hierarchy.edges
        if hierarchy.layers[source] in scores and hierarchy.layers[target] in scores
    ]
    # What all edges of a node lead to, over all blocks: its score is divided by this.
    total = [np.zeros(len(scores[layer])) for layer in layers]
    count = [np.zeros(len(scores[layer])) for layer in layers]
    for source, target, pairs in blocks:
        np.add.at(total[source], pairs[0], scores[layers[target]][pairs[1]])
        np.add.at(count[source], pairs[0], 1)
    found = []
    for source, target, pairs in blocks:
        above, all_above = scores[layers[target]][pairs[1]], total[source][pairs[0]]
        share = np.where(all_above > 0, above / np.where(all_above > 0, all_above, 1), 1 / count[source][pairs[0]])
        flow = scores[layers[source]][pairs[0]] * share
        ends = [
            _places_shown(shown[layers[end]], len(scores[layers[end]]), pairs[row])
            for row, end in ((0, source), (1, target))
        ]
        both, index = np.unique(np.stack(ends), axis=1, return_inverse=True)
        summed = np.bincount(index.ravel(), weights=flow, minlength=both.shape[1])
        visible = summed > 0
        found.append((source, target, both[:, visible], summed[visible]))
    return found


def _places_shown(shown: Places, size: int, places: Places) -> Places:
    new = np.full(size, len(shown))
    new[shown] = np.arange(len(shown))
    return new[places]
