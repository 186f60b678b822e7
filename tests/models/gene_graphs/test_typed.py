"""The typed encoder: identities, types of edges, gates by depth; and what both variants refuse."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.models.gene_graphs import DepthGate, GeneGraphEncoder, GenePathwayGraph
from axonlight.models.sites import sites_of


def encoder_of(graph, variant="typed", hierarchy="hierarchical", **options):
    torch.manual_seed(0)
    return GeneGraphEncoder(graph, variant, hierarchy, width=16, **options).double().eval()


def test_equal_expression_of_two_genes_means_different_things():
    sets = {"a": ["x", "y", "z"], "b": ["z", "u"]}
    graph = GenePathwayGraph.from_gene_sets(sets, ["x", "y", "z", "u"])
    expression = torch.tensor([[1.0, -2.0, 0.5, 3.0], [-2.0, 1.0, 0.5, 3.0]]).double()  # x and y change places
    published = encoder_of(graph, "published", "bipartite")(expression).tokens
    typed = encoder_of(graph, "typed", "bipartite")(expression).tokens
    torch.testing.assert_close(published[0], published[1])
    assert (typed[0, 0] - typed[1, 0]).abs().max() > 1e-3


def influence(encoder, expression):
    """Return (P, G) whether a gene's expression changes a pathway's state."""
    expression = expression.clone().requires_grad_()
    rows = []
    for pathway in range(len(encoder.graph.pathways)):
        tokens = encoder(expression).tokens[:, pathway]
        rows.append(torch.autograd.grad(tokens.square().sum(), expression)[0].abs().sum(0) > 1e-12)
    return torch.stack(rows)


@pytest.mark.parametrize("rounds", [1, 2])
def test_messages_run_along_the_edges_of_each_switch(rounds):
    # a and b are children of c
    graph = GenePathwayGraph.from_gene_sets({"a": ["g1", "g2"], "b": ["g3"], "c": ["g4"]}, ["g1", "g2", "g3", "g4"])
    graph = replace(graph, relations=np.array([[0, 1], [2, 2]]))
    expression = torch.randn(2, 4).double()
    flat = influence(encoder_of(graph, hierarchy="flat", rounds=rounds), expression)
    assert flat.int().tolist() == [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    assert influence(encoder_of(graph, hierarchy="bipartite", rounds=rounds), expression).equal(flat)
    related = influence(encoder_of(graph, hierarchy="hierarchical", rounds=rounds), expression)
    # what a pathway says in the first round is its identity; in the second its genes
    expected = flat.int().tolist() if rounds == 1 else [[1, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]]
    assert related.int().tolist() == expected


def test_parents_and_children_have_weights_of_their_own(graph):
    encoder = encoder_of(graph)
    expression = torch.randn(2, 30).double()
    before = encoder(expression).tokens
    for name in ("from_children", "from_parents"):
        changed = copy.deepcopy(encoder)
        torch.nn.init.zeros_(getattr(changed.layers.rounds[1], name).weight)
        moved = (changed(expression).tokens - before).abs().amax((0, 2)) > 1e-9
        child, parent = graph.relations
        expected = torch.zeros(9, dtype=torch.bool)
        expected[parent if name == "from_children" else child] = True
        assert moved.equal(expected)


def test_gates_know_depths(graph):
    gate = DepthGate(4, graph.depths).double()
    with torch.no_grad():
        gate.shared.weight.zero_()
        gate.offset.copy_(torch.tensor([0.0, 1.0, 2.0]))
    gates = gate(torch.randn(2, 9, 4).double())
    expected = torch.tensor([0.0, 1.0, 2.0]).double()[torch.from_numpy(graph.depths) - 1].softmax(0)
    torch.testing.assert_close(gates, expected.expand(2, -1))
    assert DepthGate(4, graph.depths * 0).offset is None


def test_shuffled_hierarchy_is_a_control(graph):
    seed = next(seed for seed in range(9) if (graph.shuffled(seed).relations != graph.relations).any())
    real, draw, again = (
        encoder_of(graph, hierarchy=use, **options)
        for use, options in [("hierarchical", {}), *[("shuffled", {"shuffle_seed": seed})] * 2]
    )
    expression = torch.randn(2, 30).double()
    assert (real.graph.memberships == draw.graph.memberships).all()
    assert sorted(p.numel() for p in real.parameters()) == sorted(p.numel() for p in draw.parameters())
    assert not torch.allclose(real(expression).tokens, draw(expression).tokens)
    torch.testing.assert_close(again(expression).tokens, draw(expression).tokens)


@pytest.mark.parametrize("variant", ["published", "typed"])
def test_order_of_columns_is_that_of_their_names(variant):
    sets = {"a": ["x", "y", "z"], "b": ["z", "u"]}
    names = ["x", "y", "z", "u"]
    first = encoder_of(GenePathwayGraph.from_gene_sets(sets, names), variant, "bipartite")
    second = encoder_of(GenePathwayGraph.from_gene_sets(sets, ["unused", *reversed(names)]), variant, "bipartite")
    state = first.state_dict()
    state.pop("graph_digest")
    if variant == "typed":
        state["layers.gene_identity"] = state["layers.gene_identity"].flip(0)
    second.load_state_dict(state, strict=False)
    expression = torch.randn(3, 4).double()
    other = torch.cat([torch.randn(3, 1).double(), expression.flip(1)], 1)
    torch.testing.assert_close(first(expression).tokens, second(other).tokens)


@pytest.mark.parametrize("variant", ["published", "typed"])
def test_sites_name_activations(graph, variant):
    encoder = encoder_of(graph, variant)
    sites = sites_of(encoder)
    assert {name.rpartition(".")[0] for name in sites} == set(encoder.places)
    shapes = {}
    for name, site in sites.items():
        module = encoder.get_submodule(site.path)
        module.register_forward_hook(lambda _m, _i, y, name=name: shapes.update({name: y.shape}) or None)
    encoder(torch.randn(2, 30).double())
    assert all(shapes[name] == (2, site.size("position"), 16) for name, site in sites.items())


def test_state_belongs_to_a_graph(graph, build_graph):
    encoder = encoder_of(graph)
    encoder_of(graph).load_state_dict(encoder.state_dict())
    with pytest.raises(InputError, match="other genes, pathways or edges"):
        encoder_of(build_graph(seed=1)).load_state_dict(encoder.state_dict())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "publised"}, "variant is 'publised'"),
        ({"hierarchy": "tree"}, "hierarchy is 'tree'"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"heads": 3}, "heads is 3, which does not divide the width 128"),
        ({"rounds": 0}, "rounds is 0"),
        ({"activation": ["relu", "relu"]}, "activation lists 2 specs"),
    ],
)
def test_refuses_what_it_cannot_use(graph, options, message):
    with pytest.raises(InputError, match=message):
        GeneGraphEncoder(graph, **{"variant": "typed", **options})


def test_refuses_other_widths_and_absent_relations(build_graph):
    encoder = GeneGraphEncoder(build_graph(relations=()))
    with pytest.raises(InputError, match=r"shape \(2, 7\); it must be \(patients, 30\)"):
        encoder(torch.zeros(2, 7))
    with pytest.raises(InputError, match="no relation between pathways"):
        GeneGraphEncoder(build_graph(relations=()), hierarchy="shuffled")
