"""What fusion networks are made of: the graph, the places of activations, the sites of named tokens.

Legend of shapes: B patients, T tokens, d width.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import nn

from ...activations import ActivationSpec, LayerActivations
from ...errors import InputError
from ...structures import Hierarchy
from ..gene_graphs import GenePathwayGraph
from ..gene_graphs.graph import Membership
from ..sites import Electrode
from .gates import UnitElectrode

__all__ = ["graph_of", "named_tokens", "root_sets", "split_activation"]


def graph_of(
    hierarchy: Hierarchy | None,
    feature_names: Sequence[str] | None,
    in_features: int,
    membership: Membership,
    min_genes: int,
    network: str,
) -> GenePathwayGraph:
    """Return the graph of genes and pathways that a network needs.

    Raises:
        InputError: If there is no hierarchy, or it does not suit the genes.
    """
    if not isinstance(hierarchy, Hierarchy):
        kind = "missing" if hierarchy is None else f"a {type(hierarchy).__name__}"
        raise InputError(
            f"hierarchy is {kind}; {network} needs pathways above genes, on the command line through data.hierarchy"
        )
    names = hierarchy.features if feature_names is None else feature_names
    if len(names) != in_features:
        source = "the hierarchy has" if feature_names is None else "feature_names has"
        raise InputError(f"in_features is {in_features}, but {source} {len(names):,} names of genes")
    return GenePathwayGraph.from_hierarchy(hierarchy, names, membership=membership, min_genes=min_genes)


def split_activation(activation: LayerActivations | None) -> tuple[LayerActivations, ActivationSpec]:
    """Return the specs of the gene encoder and of the head: None as published, one for all, or a list, the head last.

    Raises:
        InputError: If a list has fewer than two specs.

    Example:
        >>> split_activation(None), split_activation("ash"), split_activation(["relu", "tanh", "ash", "swish"])
        (('leaky_relu', 'relu'), ('ash', 'ash'), (['relu', 'tanh', 'ash'], 'swish'))
    """
    if activation is None:
        return "leaky_relu", "relu"
    if not isinstance(activation, list):
        return activation, activation
    if len(activation) < 2:
        raise InputError(f"activation lists {len(activation)} specs; give one per place, the head's last")
    return list(activation[:-1]), activation[-1]


def named_tokens(names: Sequence[str], width: int, gated: bool = True) -> nn.ModuleDict:
    """Return the sites of T tokens: `tokens` (B, T, d), and `kept` and perhaps `gates` (B, T), whose units have names.

    Example:
        >>> list(named_tokens(["death", "repair"], 8))
        ['tokens', 'kept', 'gates']
    """
    sizes = {"position": len(names), "unit": width}
    sites: dict[str, nn.Module] = {"tokens": Electrode("batch", "position", "unit", sizes=sizes)}
    return nn.ModuleDict(sites | {name: UnitElectrode(names) for name in ("kept", "gates")[: 1 + gated]})


def root_sets(graph: GenePathwayGraph) -> GenePathwayGraph:
    """Return the pathways that lie beneath no other, with their genes, as a graph over the same columns.

    Example:
        >>> edges = [("cell", "repair"), ("cell", "death"), ("repair", "BRCA1"), ("death", "TP53")]
        >>> root_sets(GenePathwayGraph.from_hierarchy(Hierarchy.from_edges(edges))).pathways
        ('cell',)
    """
    kept = np.flatnonzero(graph.depths == 1)
    gene, pathway = graph.memberships
    chosen = np.isin(pathway, kept)
    used, gene = np.unique(gene[chosen], return_inverse=True)
    return replace(
        graph,
        genes=tuple(graph.genes[number] for number in used),
        pathways=tuple(graph.pathways[number] for number in kept),
        memberships=np.stack([gene, np.searchsorted(kept, pathway[chosen])]),
        relations=np.empty((2, 0), dtype=np.int64),
        columns=graph.columns[used],
    )
