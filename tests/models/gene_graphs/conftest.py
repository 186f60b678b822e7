"""A small random graph with relations, the published encoder in torch_geometric's layers, and one edge by edge."""

import numpy as np
import pytest
import torch
from axonlight.models.gene_graphs import GeneGraphEncoder, GenePathwayGraph
from axonlight.models.gene_graphs.edges import graph_edges, used_graph
from torch.nn import functional
from torch_geometric.nn import GATv2Conv, SAGEConv


def random_graph(genes=30, pathways=9, edges=70, relations=((0, 6), (1, 6), (2, 7), (6, 8), (7, 8)), seed=0):
    """Genes and pathways with random memberships; gene 0 and pathway 4 have none."""
    rng = np.random.default_rng(seed)
    allowed = [(p, g) for p in range(pathways) for g in range(genes) if g and p != 4]
    chosen = np.array([allowed[place] for place in np.sort(rng.choice(len(allowed), edges, replace=False))])
    pairs = np.array(sorted(relations, key=lambda pair: pair[::-1]), dtype=np.int64).reshape(-1, 2).T
    return GenePathwayGraph(
        tuple(f"gene_{place}" for place in range(genes)),
        tuple(f"pathway_{place}" for place in range(pathways)),
        chosen.T[::-1].copy(),
        pairs,
        np.arange(genes),
        genes,
        {},
    )


class PerPatient(torch.nn.Module):
    """The published encoder, one patient at a time, in layers of torch_geometric."""

    def __init__(self, edges, width=128, heads=4, dropout=0.25):
        super().__init__()
        self.first, self.second = SAGEConv(1, width), SAGEConv(width, width)
        self.norm = torch.nn.LayerNorm(width)
        self.attention = GATv2Conv(width, width, heads=heads, concat=False, add_self_loops=False, dropout=dropout)
        self.gate = torch.nn.Linear(width, 1)
        self.genes, self.pathways, self.dropout = edges.num_genes, edges.num_pathways, dropout
        up = torch.tensor(edges.into_pathways) + torch.tensor([[0], [self.genes]])
        down = torch.tensor(edges.into_genes.copy()) + torch.tensor([[self.genes], [0]])
        self.edges = torch.cat([up, down], 1)

    def forward(self, expression):
        x = torch.cat([expression, expression.new_zeros(self.pathways)]).unsqueeze(1)
        for layer in (self.first, self.second):
            x = functional.leaky_relu(layer(x, self.edges))
            x = functional.dropout(x, self.dropout, self.training)
        x, (_, weights) = self.attention(self.norm(x), self.edges, return_attention_weights=True)
        tokens = functional.leaky_relu(x)[self.genes :]
        return tokens, self.gate(tokens).softmax(0).squeeze(1), weights

    @torch.no_grad()
    def copy_to(self, encoder):
        layers = encoder.layers
        for ours, theirs in ((layers.first, self.first), (layers.second, self.second)):
            ours.neighbours.load_state_dict(theirs.lin_l.state_dict())
            ours.itself.load_state_dict(theirs.lin_r.state_dict())
        layers.norm.load_state_dict(self.norm.state_dict())
        layers.attention.source.load_state_dict(self.attention.lin_l.state_dict())
        layers.attention.target.load_state_dict(self.attention.lin_r.state_dict())
        layers.attention.attention.copy_(self.attention.att[0])
        layers.attention.bias.copy_(self.attention.bias)
        encoder.gate.score.load_state_dict(self.gate.state_dict())

    def pairs(self, encoder):
        """Return our parameters beside theirs."""
        layers = encoder.layers
        yield from ((layers.first.itself.weight, self.first.lin_r.weight), (layers.norm.bias, self.norm.bias))
        for ours, theirs in ((layers.first, self.first), (layers.second, self.second)):
            yield ours.neighbours.weight, theirs.lin_l.weight
            yield ours.neighbours.bias, theirs.lin_l.bias
            yield ours.itself.weight, theirs.lin_r.weight
        for ours, theirs in (("source", "lin_l"), ("target", "lin_r")):
            for name in ("weight", "bias"):
                yield getattr(getattr(layers.attention, ours), name), getattr(getattr(self.attention, theirs), name)
        yield layers.attention.bias, self.attention.bias
        yield encoder.gate.score.weight, self.gate.weight


@pytest.fixture
def build_graph():
    return random_graph


@pytest.fixture
def graph():
    return random_graph()


@pytest.fixture
def both(graph):
    """Make our encoder and torch_geometric's layers with the same weights."""

    def make(hierarchy="bipartite", dtype=torch.float64, **options):
        torch.manual_seed(0)
        ours = GeneGraphEncoder(graph, hierarchy=hierarchy, **options).to(dtype).eval()
        theirs = PerPatient(graph_edges(used_graph(graph, hierarchy), hierarchy)).to(dtype).eval()
        torch.nn.init.normal_(theirs.attention.bias)
        theirs.copy_to(ours)
        return ours, theirs

    return make
