"""Whether training takes out the edges that knowledge does not have.

Legend of shapes: N rows, F columns, E edges.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from ..errors import InputError
from ..models import PathwayNetwork
from ..randomness import derive_seed
from ..structures import Hierarchy, with_spurious_edges
from .fitting import FitOptions, fit_network

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SpuriousPruning", "spurious_edge_test", "spurious_pruning"]

ALL = "all"
_OPTIONS = FitOptions(l2=1e-4)


@dataclass(frozen=True, eq=False)
class SpuriousPruning:
    """How the weights of real and spurious edges compare.

    Args:
        table: Per layer that edges lead to, and for "all": layer, real, spurious (numbers of edges into nodes that have
            both), pruned_real, pruned_spurious (shares below the threshold), auroc (probability that of two edges into
            a node the real one has the larger weight; NaN without any pair), and what else a test says of its networks,
            such as the seed.
        threshold: Share of a node's root mean square below which a weight counts as pruned.

    Example:
        >>> from axonlight.structures import Hierarchy
        >>> real = Hierarchy.from_edges([("cell", "repair"), ("repair", "BRCA1"), ("repair", "TP53")])
        >>> spurious_pruning(PathwayNetwork(2, 1, real), real).table["spurious"].tolist()
        [0, 0, 0]
    """

    table: "pd.DataFrame"
    threshold: float

    @property
    def overall(self) -> "pd.DataFrame":
        """The rows over all layers: one per network."""
        return self.table.loc[self.table["layer"] == ALL, :].reset_index(drop=True)

    def __str__(self) -> str:
        """Return the table as text."""
        return self.table.to_string(index=False, float_format=lambda value: f"{value:.3f}")


def spurious_pruning(network: PathwayNetwork, real: Hierarchy, *, threshold: float = 0.1) -> SpuriousPruning:
    """Compare the weights of a trained network's real and spurious edges.

    An edge is spurious if `real` lacks it. Only edges into the same node are compared, as nodes with many edges have
    small weights from the beginning, and under batch normalisation the scale of a node's weights means nothing: nodes
    without a spurious edge, or without a real one, are left out. The size of an edge is the root of the sum of squares
    of its weights (of several units or columns); it is pruned where it is below `threshold` times the root mean square
    of the sizes into its node. The AUROC is the share of pairs (real, spurious) into one node in which the real edge is
    larger, equal ones half: the Mann-Whitney statistic of every node, summed, over the number of pairs. At 0.5 nothing
    tells the two apart. After Nordenstorm et al., bioRxiv 2025.10.24.684155, who count absolute sizes.

    Args:
        network: Built on a hierarchy of `with_spurious_edges`, and trained.
        real: The hierarchy without the added edges; its layers and nodes may be more than the network's.
        threshold: Share of a node's root mean square below which a weight counts as pruned.

    Raises:
        InputError: If the threshold is not positive, or the hierarchy has none of the network's edges.

    Example:
        >>> from axonlight.structures import with_spurious_edges
        >>> real = Hierarchy.from_edges([("cell", "repair"), ("cell", "death"), ("repair", "A"), ("death", "B")])
        >>> network = PathwayNetwork(2, 1, with_spurious_edges(real, 1.0, seed=0).hierarchy)
        >>> spurious_pruning(network, real).table[["layer", "real", "spurious"]].values.tolist()
        [['level_2', 2, 2], ['level_1', 0, 0], ['all', 2, 2]]
    """
    import pandas as pd

    if not threshold > 0:
        raise InputError(f"threshold is {threshold}; it must be positive")
    edges = _edge_sizes(network)
    known = _names_of_edges(real)
    edges["real"] = [key in known for key in zip(*(edges[name] for name in _KEYS), strict=True)]
    if not np.any(edges["real"]):
        raise InputError("the real hierarchy has none of the network's edges; give the one that edges were added to")
    nodes = [_compared(part, threshold) for _, part in edges.groupby(["target_layer", "target"], sort=False)]
    counts: Any = pd.DataFrame(nodes)
    rows = [{"layer": name, **_shares(part)} for name, part in [*counts.groupby("layer", sort=False), (ALL, counts)]]
    return SpuriousPruning(pd.DataFrame(rows), threshold)


_KEYS = ["source_layer", "source", "target_layer", "target"]


def _edge_sizes(network: PathwayNetwork) -> Any:
    """Return one row per edge between nodes, with its size."""
    table: Any = network.edge_table()
    first = network.hierarchy.layers[0]
    # columns of a feature layer are no edges of the hierarchy
    table = table[table["target_layer"] != first]
    if not network.has_feature_layer:
        features = network.hierarchy.features
        # columns of no feature have no edges, and the last name that place -1 gives them is asked for by none
        feature = {
            name: features[place] for name, place in zip(network.column_names, network.column_nodes, strict=True)
        }
        from_columns = table["source_layer"] == first
        table.loc[from_columns, "source"] = table.loc[from_columns, "source"].map(feature)
    table = table.assign(square=table["weight"] ** 2)[[*_KEYS, "square"]]
    squares = table.groupby(_KEYS, sort=False, as_index=False).sum()
    return squares.assign(size=np.sqrt(squares["square"]))


def _names_of_edges(hierarchy: Hierarchy) -> set[tuple[str, ...]]:
    layers, nodes = hierarchy.layers, hierarchy.nodes
    return {
        (layers[source], nodes[source][low], layers[target], nodes[target][high])
        for source, target, pairs in hierarchy.edges
        for low, high in pairs.T.tolist()
    }


def _compared(edges: Any, threshold: float) -> dict[str, Any]:
    """Return the counts of one node; all are 0 where it has no pair of a real and a spurious edge."""
    sizes, real = edges["size"].to_numpy(), edges["real"].to_numpy()
    true, added = sizes[real], sizes[~real]
    if not (len(true) and len(added)):
        true = added = np.zeros(0)
    small = threshold * np.sqrt((sizes**2).mean())
    larger = (true[:, None] > added).sum() + 0.5 * (true[:, None] == added).sum()
    found = {"real": len(true), "spurious": len(added), "pairs": len(true) * len(added), "larger": float(larger)}
    pruned = {"pruned_real": int((true < small).sum()), "pruned_spurious": int((added < small).sum())}
    return {"layer": edges["target_layer"].iloc[0], **found, **pruned}


def _shares(nodes: Any) -> dict[str, float]:
    total = nodes.drop(columns="layer").sum()

    def share(part: str, whole: str) -> float:
        return float(total[part] / total[whole]) if total[whole] else float("nan")

    return {
        "real": int(total["real"]),
        "spurious": int(total["spurious"]),
        "pruned_real": share("pruned_real", "real"),
        "pruned_spurious": share("pruned_spurious", "spurious"),
        "auroc": share("larger", "pairs"),
    }


def spurious_edge_test(
    hierarchy: Hierarchy,
    x: Tensor,
    target: Tensor,
    *,
    fraction: float = 0.5,
    network: Callable[..., PathwayNetwork] = PathwayNetwork,
    feature_names: list[str] | None = None,
    options: FitOptions = _OPTIONS,
    seeds: Sequence[int] = (0, 1, 2),
    threshold: float = 0.1,
) -> SpuriousPruning:
    """Add random edges to a hierarchy, train networks on the result, and report whether they prune them.

    The untrained networks stand beside the trained ones: what they show is chance. Each seed has edges, initial
    weights and order of its own.

    Args:
        hierarchy: The hierarchy, without the edges.
        x: (N, F) rows, of the columns that the network reads.
        target: (N,) classes 0 and 1 as integers, or any numbers as floats: squared errors then.
        fraction: Added edges over those that exist.
        network: Called as `PathwayNetwork`.
        feature_names: Names of the columns; None: the hierarchy's features.
        options: How it is trained; without l1 and l2 little is pruned.
        seeds: One network each.
        threshold: See `spurious_pruning`.

    Returns:
        Tables with the columns seed and trained (False: before training).

    Raises:
        InputError: As `with_spurious_edges`, `PathwayNetwork` and `spurious_pruning`.

    Example:
        >>> hierarchy = Hierarchy.from_edges([("cell", "repair"), ("cell", "death"), ("repair", "A"), ("death", "B")])
        >>> x = torch.randn(64, 2)
        >>> found = spurious_edge_test(hierarchy, x, x[:, 0], options=FitOptions(epochs=2, l2=0.01), seeds=[0])
        >>> found.overall[["seed", "trained", "spurious"]].values.tolist()
        [[0, False, 1], [0, True, 1]]
    """
    import pandas as pd

    tables = []
    for seed in seeds:
        wider = with_spurious_edges(hierarchy, fraction, seed).hierarchy
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "initial weights"))
            built = network(x.shape[1], 1, hierarchy=wider, feature_names=feature_names).to(x.dtype)
        for trained in (False, True):
            if trained:
                fit_network(built, x, target, _loss(target), options, seed)
            table = spurious_pruning(built, hierarchy, threshold=threshold).table
            tables.append(table.assign(seed=seed, trained=trained))
    return SpuriousPruning(pd.concat(tables, ignore_index=True), threshold)


def _loss(target: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    if target.is_floating_point():
        return mse_loss
    if not bool(((target == 0) | (target == 1)).all()):
        raise InputError("target holds integers other than 0 and 1; give two classes, or numbers as floats")
    return lambda outputs, classes: binary_cross_entropy_with_logits(outputs, classes.to(outputs.dtype))
