"""One score per node of each layer, from whatever holds them: attributions, tables, arrays.

Legend of shapes: N nodes of a layer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError, shown
from .attributions import Attributions
from .graph import node_degrees

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LayerScores", "Scores", "node_scores", "same_nodes"]

Floats: TypeAlias = NDArray[np.float64]
Scores: TypeAlias = Union[Attributions, "pd.DataFrame", Mapping[str, ArrayLike], ArrayLike]
_ONLY = "nodes"


@dataclass(frozen=True, eq=False)
class LayerScores:
    """The scores of one layer and what its nodes are called.

    Args:
        nodes: Names, N.
        scores: (N,) finite numbers.
        titles: Readable names, N.
        degrees: (N,) edges in and out, NaN where unknown.

    Example:
        >>> LayerScores.numbered(np.array([0.5, 0.25])).nodes
        ('0', '1')
    """

    nodes: tuple[str, ...]
    scores: Floats
    titles: tuple[str, ...]
    degrees: Floats

    @classmethod
    def numbered(cls, scores: Floats) -> "LayerScores":
        """Return scores of nodes that have no names."""
        nodes = tuple(map(str, range(len(scores))))
        return cls(nodes, scores, nodes, np.full(len(scores), np.nan))

    def ordered_as(self, nodes: Sequence[str]) -> "LayerScores":
        """Return the scores of the same nodes in another order; the caller knows that they are the same."""
        place = {node: number for number, node in enumerate(self.nodes)}
        order = [place[node] for node in nodes]
        titles = tuple(self.titles[number] for number in order)
        return LayerScores(tuple(nodes), self.scores[order], titles, self.degrees[order])


def node_scores(scores: Scores) -> dict[str, LayerScores]:
    """Return the scores per layer.

    Args:
        scores: `Attributions` (mean size of a node's scores over the rows); a table with the columns layer, node, score
            and perhaps title and degree; arrays (N,) by the name of the layer; or one array (N,) of one layer.

    Raises:
        InputError: If a column is missing, a node stands twice on a layer, or a score is no finite number.

    Example:
        >>> {layer: part.scores.tolist() for layer, part in node_scores({"level_1": [0.5, 0.25]}).items()}
        {'level_1': [0.5, 0.25]}
    """
    if isinstance(scores, Attributions):
        found = _of_attributions(scores)
    elif hasattr(scores, "columns"):
        found = _of_table(scores)
    elif isinstance(scores, Mapping):
        found = {str(name): LayerScores.numbered(_array(values)) for name, values in scores.items()}
    else:
        found = {_ONLY: LayerScores.numbered(_array(scores))}
    for layer, part in found.items():
        if not np.isfinite(part.scores).all():
            bad = [node for node, score in zip(part.nodes, part.scores, strict=True) if not np.isfinite(score)]
            raise InputError(f"the scores of layer {layer} are not finite for {shown(bad)}; leave that network out")
    return found


def same_nodes(real: Mapping[str, LayerScores], other: Scores, name: str) -> dict[str, LayerScores]:
    """Return other scores of the same layers and nodes, in the order of the first.

    Args:
        real: What decides layers, nodes and order; layers that only the other has are left out.
        other: Scores of another network.
        name: What the other is called in messages, such as "null 3".

    Raises:
        InputError: If the other lacks a layer, or a layer has other nodes.

    Example:
        >>> real = node_scores({"level_1": [0.5, 0.25]})
        >>> same_nodes(real, {"level_1": [1.0, 2.0]}, "null 0")["level_1"].scores.tolist()
        [1.0, 2.0]
    """
    given = node_scores(other)
    found = {}
    for layer, part in real.items():
        if layer not in given:
            raise InputError(f"{name} has no layer {layer}; it has {shown(list(given))}")
        if set(given[layer].nodes) != set(part.nodes):
            raise InputError(
                f"{name} has other nodes on layer {layer} ({len(given[layer].nodes):,}) than the real scores "
                f"({len(part.nodes):,}); nulls are compared node by node, so take one that keeps the nodes"
            )
        found[layer] = given[layer].ordered_as(part.nodes)
    return found


def _array(values: Any) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise InputError(f"scores have the shape {array.shape}; they must be one number per node, (N,)")
    return array


def _of_attributions(found: Attributions) -> dict[str, LayerScores]:
    degrees = {} if found.hierarchy is None else node_degrees(found.hierarchy)
    titles = {} if found.hierarchy is None else found.hierarchy.titles
    return {
        layer: LayerScores(
            nodes := tuple(found.nodes[layer]),
            found.adjusted_scores(layer, "none"),
            tuple(titles.get(node, node) for node in nodes),
            np.asarray(degrees.get(layer, np.full(len(nodes), np.nan)), dtype=np.float64),
        )
        for layer in found.scores
    }


def _of_table(table: Any) -> dict[str, LayerScores]:
    missing = [name for name in ("layer", "node", "score") if name not in table.columns]
    if missing:
        raise InputError(f"the table of scores lacks the columns {', '.join(missing)}; it has {shown(table.columns)}")
    found = {}
    for layer, part in table.groupby("layer", sort=False):
        nodes = tuple(map(str, part["node"]))
        if len(set(nodes)) < len(nodes):
            raise InputError(f"the table of scores names a node of layer {layer} twice; give one row per node")
        titles = tuple(map(str, part["title"])) if "title" in part else nodes
        degrees = part["degree"].to_numpy(float, na_value=np.nan) if "degree" in part else np.full(len(nodes), np.nan)
        found[str(layer)] = LayerScores(nodes, part["score"].to_numpy(float), titles, degrees)
    return found
