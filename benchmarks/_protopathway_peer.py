"""The published prototype-pathway network, one patient at a time, in plain layers of torch and torch_geometric.

Written from its description (arXiv:2605.21454), as the other side of `protopathway.py`: every edge is materialised per
head, in both directions.
"""

import torch
from axonlight.models.gene_graphs import GenePathwayGraph
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn import GATv2Conv, SAGEConv

__all__ = ["GenePeer", "ProtoPathwayPeer"]


class GenePeer(nn.Module):
    """Expression (G,) of one patient to tokens (P, D) and gates (P,)."""

    def __init__(self, graph: GenePathwayGraph, width: int = 128, heads: int = 4, dropout: float = 0.25) -> None:
        super().__init__()
        self.first, self.second = SAGEConv(1, width), SAGEConv(width, width)
        self.norm = nn.LayerNorm(width)
        self.attention = GATv2Conv(width, width, heads=heads, concat=False, add_self_loops=False, dropout=dropout)
        self.gate = nn.Linear(width, 1)
        self.dropout, self.genes, self.pathways = dropout, len(graph.genes), len(graph.pathways)
        up = torch.tensor(graph.memberships) + torch.tensor([[0], [self.genes]])
        self.edges = torch.cat([up, up.flip(0)], 1)

    def forward(self, expression: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.cat([expression, expression.new_zeros(self.pathways)]).unsqueeze(1)
        for layer in (self.first, self.second):
            x = functional.leaky_relu(layer(x, self.edges))
            x = functional.dropout(x, self.dropout, self.training)
        tokens = functional.leaky_relu(self.attention(self.norm(x), self.edges))[self.genes :]
        return tokens, self.gate(tokens).softmax(0)


class ProtoPathwayPeer(nn.Module):
    """One patient's expression (G,) and patches (N, 1536) to logits (1, 4)."""

    def __init__(self, graph: GenePathwayGraph, patch_features: int = 1536, width: int = 128) -> None:
        super().__init__()
        self.genes = GenePeer(graph, width)
        self.projection = nn.Linear(patch_features, width)
        self.prototypes = nn.Parameter(torch.randn(16, patch_features) * patch_features**-0.5)
        self.attention = nn.MultiheadAttention(width, 2, dropout=0.25, batch_first=True)
        self.slide_gate, self.attended_gate = nn.Linear(width, 1), nn.Linear(width, 1)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.head = nn.Sequential(nn.Linear(3 * width, 64), nn.ReLU(), nn.Dropout(0.25), nn.Linear(64, 4))

    def forward(self, expression: Tensor, patches: Tensor) -> Tensor:
        pathways, gates = self.genes(expression)
        projected, centres = self.projection(patches), self.projection(self.prototypes)
        cosine = functional.normalize(projected, dim=1) @ functional.normalize(centres, dim=1).t()
        shares = (cosine / 0.1).softmax(1)
        tokens = shares.t() @ projected / shares.sum(0).clamp(min=1e-6).unsqueeze(1)
        attended = self.attention(tokens[None], pathways[None], pathways[None])[0][0]
        streams = [
            (gates * pathways).sum(0),
            (self.attended_gate(attended).softmax(0) * attended).sum(0),
            (self.slide_gate(tokens).softmax(0) * tokens).sum(0),
        ]
        return self.head(torch.cat([norm(x) for norm, x in zip(self.norms, streams, strict=True)])).unsqueeze(0)
