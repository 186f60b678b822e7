"""Means over the neighbours in a graph that a whole batch shares, and the layer of GraphSAGE that is made of them.

Legend of shapes: N nodes (G genes, then P pathways), B patients, D width.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..layers import EdgeStructure
from ..layers._eager import is_plain
from ..layers.choice import choose_sparse_backend
from ..layers.products import edge_linear
from ._sample import EagerSample, Means, composed_sample

__all__ = ["GraphSample", "NeighbourMean"]


class NeighbourMean(nn.Module):
    """The mean over the sources of every target, for all patients and channels in one sparse product.

    A target without sources has 0.

    Args:
        edges: int64 (2, E): source and target, every pair once.
        num_sources: Number S of sources.
        num_targets: Number T of targets.

    Shape:
        - Input: (S, ...)
        - Output: (T, ...)

    Example:
        >>> NeighbourMean(np.array([[0, 1, 1], [0, 0, 1]]), 2, 3)(torch.tensor([[1.0], [3.0]])).flatten().tolist()
        [2.0, 3.0, 0.0]
    """

    def __init__(self, edges: NDArray[np.int64], num_sources: int, num_targets: int) -> None:
        super().__init__()
        self.num_targets = num_targets
        self._placed: dict[tuple[torch.device, torch.dtype], Means] = {}
        self.structure: EdgeStructure | None = None
        if edges.shape[1]:
            pairs = torch.from_numpy(np.ascontiguousarray(edges))
            self.structure = EdgeStructure.from_edges(pairs, num_sources, num_targets)
            self._shares = 1 / self.structure.in_degree[self.structure.target.long()].double()

    def forward(self, x: Tensor) -> Tensor:
        """Return the means."""
        means = self.placed(x)
        if means is None:
            return x.new_zeros(self.num_targets, *x.shape[1:])
        with torch.autocast(x.device.type, enabled=False):
            y = edge_linear(x.flatten(1).t(), means.shares, None, means.structure, means.backend)
        return y.t().to(x.dtype).unflatten(1, x.shape[1:])

    def placed(self, x: Tensor) -> Means | None:
        """Return structure and weights as an input needs them; None without edges."""
        # No buffers: data-parallel training would send them at every step.
        if self.structure is None:
            return None
        key = x.device, torch.float32 if x.dtype.itemsize < 4 else x.dtype
        if key not in self._placed:
            backend = choose_sparse_backend("auto", x.device.type)
            self._placed[key] = Means(self.structure.to(key[0]), self._shares.to(*key), backend)
        return self._placed[key]


class GraphSample(nn.Module):
    """The layer of GraphSAGE with means, on genes and pathways: W mean over the neighbours + V x + b.

    Linear maps and means commute, so pathways, which are few, are mapped before genes take their mean, and after they
    have taken that of the genes.

    Args:
        into_pathways: int64 (2, E): node (a gene, or G + a pathway) and pathway.
        into_genes: int64 (2, E'): pathway and gene.
        num_genes: Number G of genes.
        num_pathways: Number P of pathways.
        in_features: Width of the input.
        out_features: Width of the output.

    Shape:
        - Input: (N, B, in_features)
        - Output: (N, B, out_features)

    Source: W. Hamilton, R. Ying and J. Leskovec, Inductive representation learning on large graphs, NeurIPS 2017,
    arXiv:1706.02216; equal to `torch_geometric.nn.SAGEConv` (tested).

    Example:
        >>> gene_to_pathway = np.array([[0, 1], [0, 0]])
        >>> GraphSample(gene_to_pathway, gene_to_pathway[::-1], 2, 1, 8, 4)(torch.randn(3, 5, 8)).shape
        torch.Size([3, 5, 4])
    """

    def __init__(
        self,
        into_pathways: NDArray[np.int64],
        into_genes: NDArray[np.int64],
        num_genes: int,
        num_pathways: int,
        in_features: int,
        out_features: int,
    ) -> None:
        super().__init__()
        self.num_genes = num_genes
        self.neighbours = nn.Linear(in_features, out_features)
        self.itself = nn.Linear(in_features, out_features, bias=False)
        self.into_pathways = NeighbourMean(into_pathways, num_genes + num_pathways, num_pathways)
        self.into_genes = NeighbourMean(into_genes, num_pathways, num_genes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the new states of all nodes."""
        if x.shape[2] < self.itself.out_features:
            return self._means_first(x)
        parameters = self.neighbours.weight, self.itself.weight, self.neighbours.bias
        to_pathways = self.into_pathways.placed(x)
        if to_pathways is None or not is_plain() or torch.is_autocast_enabled(x.device.type) or x.dtype.itemsize < 4:
            return composed_sample(x, *parameters, self.into_pathways, self.into_genes, self.num_genes)
        return EagerSample.apply(x, *parameters, to_pathways, self.into_genes.placed(x))  # type: ignore[return-value]

    def _means_first(self, x: Tensor) -> Tensor:
        """Take the means of few channels, and map them together with the nodes' own."""
        means = torch.cat([self.into_genes(x[self.num_genes :]), self.into_pathways(x)])
        weight = torch.cat([self.neighbours.weight, self.itself.weight], 1)
        return nn.functional.linear(torch.cat([means, x], 2), weight, self.neighbours.bias)
