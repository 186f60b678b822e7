"""A small network per gene set: its genes to a token.

Legend of shapes: B patients, F columns, P gene sets, E memberships, h hidden units, d width.
"""

import torch
from torch import Tensor, nn

from ...activations import ActivationSpec, build_activation
from ...errors import InputError
from ..gene_graphs import GenePathwayGraph
from ..layers import EdgeLinear

__all__ = ["GeneSetTokens"]


class GeneSetTokens(nn.Module):
    """Two layers per gene set, side by side for all sets, with alpha dropout: self-normalising networks.

    The first reads the genes of the set alone and is one sparse layer for all sets (E h weights); the second is a
    batched product (P h d weights, nearly all parameters of the networks that use it).

    Args:
        graph: Gene sets and their genes.
        width: Width d of a token.
        hidden: Hidden units h of a set.
        activation: Spec of both layers' activations.
        dropout: Share of units set to the negative limit in training (alpha dropout).

    Shape:
        - Input: (B, F)
        - Output: (B, P, d)

    Raises:
        InputError: If a size is not positive.

    Source: the genomic networks of R. Chen et al., ICCV 2021, doi:10.1109/ICCV48922.2021.00398 (MCAT), one per
    pathway as in G. Jaume et al., CVPR 2024, arXiv:2304.06819 (SurvPath).

    Example:
        >>> sets = {"death": ["TP53", "BAX"], "repair": ["ATM"]}
        >>> graph = GenePathwayGraph.from_gene_sets(sets, ["TP53", "BAX", "ATM"])
        >>> GeneSetTokens(graph, width=8, hidden=4)(torch.randn(5, 3)).shape
        torch.Size([5, 2, 8])
    """

    def __init__(
        self,
        graph: GenePathwayGraph,
        width: int,
        hidden: int,
        activation: ActivationSpec = "elu",
        dropout: float = 0.25,
    ) -> None:
        super().__init__()
        if hidden < 1 or width < 1:
            raise InputError(f"set_hidden is {hidden} and width {width}; they must be positive integers")
        sets = len(graph.pathways)
        gene, pathway = torch.from_numpy(graph.memberships)
        column = torch.from_numpy(graph.columns)[gene]
        unit = torch.arange(hidden)
        pairs = torch.stack([column.repeat_interleave(hidden), (pathway.unsqueeze(1) * hidden + unit).flatten()])
        self.hidden = hidden
        self.first = EdgeLinear(pairs, graph.num_columns, sets * hidden)
        self.weight = nn.Parameter(torch.empty(sets, hidden, width).uniform_(-(hidden**-0.5), hidden**-0.5))
        self.bias = nn.Parameter(torch.zeros(sets, width))
        self.activations = nn.ModuleList(
            build_activation(activation, width=units, groups=1) for units in (hidden, width)
        )
        self.dropout = nn.AlphaDropout(dropout)

    def forward(self, expression: Tensor) -> Tensor:
        """Return the tokens of expression (B, F)."""
        first, second = self.activations
        states = self.dropout(first(self.first(expression).unflatten(1, (-1, self.hidden))))
        tokens = torch.baddbmm(self.bias.unsqueeze(1), states.transpose(0, 1), self.weight).transpose(0, 1)
        return self.dropout(second(tokens.contiguous()))
