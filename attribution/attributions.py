"""What an attribution found: scores per row, layer and node, and the table by name.

Legend of shapes: B batch, F columns, N nodes of a layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..structures import Hierarchy
from ..structures.text_table import TableLike, read_table
from .graph import Adjustment, adjusted, node_degrees, subgraph_sizes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Attributions"]

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Attributions:
    """Scores of the nodes of each layer, in units of the network's output.

    Args:
        method: How they were computed.
        scores: Per layer float64 (B, N); the lowest holds the columns of each entity summed.
        column_scores: (B, F), the columns before they are summed; None if they were not asked for.
        difference: (B,) output at the rows minus output at the baseline, which the scores should sum up to.
        convergence_delta: Per layer (B,): sum of the scores minus `difference`. For the lowest all columns count,
            those of no entity included.
        cuts: Per layer, whether all that the output depends on passes through it. Where it does not (skip edges,
            heads on other layers, covariates), the delta holds what goes around the layer.
        nodes: Names of the nodes per layer.
        hierarchy: Where the network has one: titles, degrees and edges of the nodes.

    Example:
        >>> import torch
        >>> from axonlight.attribution import attribute
        >>> from axonlight.models import DenseNetwork
        >>> network = DenseNetwork(4, 1, hidden=[3], activation="tanh")
        >>> found = attribute(network, torch.ones(2, 4), method="deep_lift")
        >>> {layer: scores.shape for layer, scores in found.scores.items()}
        {'features': (2, 4), 'layers.2': (2, 3)}
        >>> bool(np.abs(found.convergence_delta["layers.2"]).max() < 1e-9)
        True
    """

    method: str
    scores: Mapping[str, Floats]
    column_scores: Floats | None
    difference: Floats
    convergence_delta: Mapping[str, Floats]
    cuts: Mapping[str, bool]
    nodes: Mapping[str, tuple[str, ...]]
    hierarchy: Hierarchy | None = None

    @property
    def relative_delta(self) -> dict[str, float]:
        """Per layer, the sum of the deltas' sizes over that of the output differences; 0 if both are 0."""
        total = np.abs(self.difference).sum()
        sums = {layer: np.abs(delta).sum() for layer, delta in self.convergence_delta.items()}
        return {layer: float(delta / total) if total else float(delta and np.inf) for layer, delta in sums.items()}

    def with_titles(self, titles: TableLike) -> Self:
        """Return the same scores with more readable names of nodes.

        Args:
            titles: Identifier and title per row, in a file (such as ReactomePathways.txt), a data frame or rows; what
                stands behind them is not read, and nodes that it lacks keep the titles that they have.

        Raises:
            InputError: If the file cannot be read or has a single column, or the network has no hierarchy.
        """
        if self.hierarchy is None:
            raise InputError("titles name the nodes of a hierarchy, and the network has none; leave them out")
        given = {row[0]: row[1] for row in read_table(titles, columns=2).rows}
        names = {name for nodes in self.hierarchy.nodes for name in nodes}
        found = {name: title for name, title in given.items() if name in names and title}
        return replace(self, hierarchy=replace(self.hierarchy, titles={**self.hierarchy.titles, **found}))

    def table(self, adjust: Adjustment | None = None) -> "pd.DataFrame":
        """Return one row per layer and node, the highest adjusted score of each layer first.

        Args:
            adjust: See `adjusted_score` below; None takes "subgraph" where there is a hierarchy, else "none".

        Returns:
            Columns layer; node; title (the node's name where it has none); score: mean of the scores' sizes over the
            rows; signed_score: their mean; degree: edges in and out (missing without a hierarchy); adjusted_score: the
            score divided as `adjust` says (`axonlight.attribution.graph.adjusted`); rank: 1 for the highest adjusted
            score of the layer.

        Raises:
            InputError: If the adjustment is unknown, or needs a hierarchy that the network does not have.
        """
        import pandas as pd

        tables = [self._layer_table(layer, adjust) for layer in self.scores]
        return pd.concat(tables, ignore_index=True)

    def _layer_table(self, layer: str, adjust: Adjustment | None) -> "pd.DataFrame":
        import pandas as pd

        scores = self.scores[layer]
        size = np.abs(scores).mean(axis=0)
        titles = {} if self.hierarchy is None else self.hierarchy.titles
        table = pd.DataFrame(
            {
                "layer": layer,
                "node": list(self.nodes[layer]),
                "title": [titles.get(name, name) for name in self.nodes[layer]],
                "score": size,
                "signed_score": scores.mean(axis=0),
                "degree": pd.array(self._connections[0].get(layer, [None] * len(size)), dtype="Int64"),
                "adjusted_score": self.adjusted_scores(layer, adjust),
            }
        )
        table["rank"] = table["adjusted_score"].rank(method="first", ascending=False).astype("int64")
        return table.sort_values("rank")

    def adjusted_scores(self, layer: str, adjust: Adjustment | None = None) -> Floats:
        """Return the adjusted score of each node of a layer; see `table`."""
        if adjust is None:
            adjust = "none" if self.hierarchy is None else "subgraph"
        size = np.abs(self.scores[layer]).mean(axis=0)
        degrees, subgraphs = self._connections
        if adjust != "none" and layer not in degrees:
            raise InputError(f"adjust is {adjust!r}, but layer {layer} belongs to no hierarchy; take 'none'")
        none = np.zeros(len(size))
        return adjusted(size, adjust, degrees.get(layer, none), subgraphs.get(layer, none))

    @cached_property
    def _connections(self) -> tuple[dict[str, NDArray], dict[str, NDArray]]:
        if self.hierarchy is None:
            return {}, {}
        return node_degrees(self.hierarchy), subgraph_sizes(self.hierarchy)
