"""The negative control: other names, the same network."""

import networkx as nx
import numpy as np
import pytest
import torch
from axonlight.datamodules import random_hierarchy
from axonlight.errors import InputError
from axonlight.models import PathwayNetwork
from axonlight.structures import DegreePreserving, Hierarchy, PermuteInputs, RelabelNodes, broken_invariants, build_null

REAL = random_hierarchy([24, 8, 4, 2], overlap=0.5, seed=0)


def graph_of(hierarchy):
    """Features by name, all other nodes by their layer alone."""
    graph = nx.DiGraph()
    for layer, names in enumerate(hierarchy.nodes):
        graph.add_nodes_from(
            ((layer, place), {"kind": name if layer == 0 else layer}) for place, name in enumerate(names)
        )
    for source, target, pairs in hierarchy.edges:
        graph.add_edges_from(((source, a), (target, b)) for a, b in pairs.T.tolist())
    return graph


def same_graph(one, two):
    return nx.is_isomorphic(graph_of(one), graph_of(two), node_match=lambda a, b: a["kind"] == b["kind"])


@pytest.mark.parametrize("seed", range(4))
def test_draws_are_isomorphic_with_every_feature_in_its_place(seed):
    draw = RelabelNodes()(REAL, seed)
    assert draw != REAL
    assert draw.nodes == REAL.nodes
    assert same_graph(REAL, draw)
    assert draw == RelabelNodes()(REAL, seed)
    # other nulls are found out, by networkx and by the invariant alike
    for other in (PermuteInputs(), DegreePreserving()):
        drawn = other(REAL, seed)
        assert not same_graph(REAL, drawn)
        assert "relabelled" in broken_invariants(REAL, drawn)


def test_edges_that_skip_layers_count_from_where_they_come():
    edges = [("all", "p"), ("all", "q"), ("p", "A"), ("q", "r"), ("r", "B"), ("r", "C")]
    real = Hierarchy.from_edges(edges, fill="skip")
    draws = [RelabelNodes()(real, seed) for seed in range(6)]
    assert all(same_graph(real, draw) for draw in draws)
    assert len({draw.fingerprint for draw in draws}) == 2


@torch.no_grad()
def test_a_network_can_compute_what_it_could():
    draw = RelabelNodes()(REAL, seed=1)
    real_network, network = (
        PathwayNetwork(24, 1, hierarchy, norm="none", dropout=0.0).eval() for hierarchy in (REAL, draw)
    )
    places = [np.arange(24)]
    for layer in range(1, 4):
        real_sets, sets = (each.memberships(layer).toarray() for each in (REAL, draw))
        assert len(np.unique(real_sets, axis=0)) == len(real_sets)  # so that sets tell who became whom
        places.append(np.array([np.flatnonzero((sets == row).all(axis=1)).item() for row in real_sets]))
    for layer, (old, new) in enumerate(zip(real_network.pathway_layers, network.pathway_layers, strict=True), start=1):
        low, high = old.linear.edges.numpy()
        weights = {
            (a, b): value
            for a, b, value in zip(places[layer - 1][low], places[layer][high], old.linear.weight.tolist(), strict=True)
        }
        new.linear.weight.copy_(torch.tensor([weights[a, b] for a, b in new.linear.edges.T.tolist()]))
        new.linear.bias[places[layer]] = old.linear.bias
    heads = [
        next(m for m in each.heads.modules() if isinstance(m, torch.nn.Linear)) for each in (real_network, network)
    ]
    heads[1].weight[:, places[3]] = heads[0].weight
    heads[1].bias.copy_(heads[0].bias)
    x = torch.randn(32, 24)
    assert torch.allclose(real_network(x), network(x), atol=1e-6)


def test_it_goes_by_its_name_and_refuses_what_it_cannot_change():
    assert isinstance(build_null("RelabelNodes"), RelabelNodes)
    alone = Hierarchy.from_edges([("all", "A"), ("all", "B")])
    with pytest.raises(InputError, match="RelabelNodes can change no edge of this hierarchy; it needs two nodes"):
        RelabelNodes()(alone, 0)
