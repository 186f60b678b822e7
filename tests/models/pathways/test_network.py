"""Names, columns, designs, options and refusals of pathway networks."""

import logging

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import EdgeLinear, HeadOutputs, PathwayNetwork
from axonlight.models.layers.dropout import UnitDropout
from axonlight.structures import Hierarchy
from torch import nn

pytestmark = pytest.mark.xdist_group("pathways")  # its fixtures are made once

GENES = ["BRCA1", "TP53", "ATM"]


def test_units_carry_the_names_of_the_nodes(small):
    network = PathwayNetwork(3, 1, small)
    assert network.layer_names == ("level_2", "level_1")
    assert list(network.layers) == ["level_2", "level_1"]
    assert network.node_names("level_2") == ("repair", "death", "unknown")
    network.eval()
    x = torch.randn(4, 3)
    activations = network.node_activations(x)
    assert {name: value.shape for name, value in activations.items()} == {"level_2": (4, 3, 1), "level_1": (4, 1, 1)}
    torch.testing.assert_close(network.heads.linear["level_1"](activations["level_1"].flatten(1)), network(x))


def test_a_node_answers_to_its_own_genes_alone(small):
    network = PathwayNetwork(3, 1, small).eval()
    x = torch.randn(1, 3).repeat(2, 1)
    x[1, 0] += 1.0  # BRCA1
    repair, death, unknown = (network.node_activations(x)["level_2"][..., 0].diff(dim=0) != 0)[0].tolist()
    assert (repair, death, unknown) == (True, False, False)


def test_skip_edges_are_initialised_by_the_whole_in_degree(small):
    torch.manual_seed(0)
    weights = torch.stack([PathwayNetwork(3, 1, small).layers["level_1"].linear.weight.detach() for _ in range(500)])
    # the cell has four in-edges, one of them from a gene: bound sqrt(3 / 4)
    assert weights.shape == (500, 4)
    assert 0.85 < weights.abs().max() <= 0.75**0.5
    torch.testing.assert_close(weights.var(0), torch.full((4,), 0.25), atol=0.04, rtol=0)


def test_activation_sites_lie_in_named_modules(small):
    network = PathwayNetwork(3, 1, small, dropout=0.3)
    kinds = {
        name: type(network.get_submodule(f"layers.level_2.{name}")) for name in ("linear", "activation", "dropout")
    }
    assert kinds == {"linear": EdgeLinear, "activation": nn.Tanh, "dropout": UnitDropout}
    seen = {}
    network.layers["level_2"].activation.register_forward_hook(lambda _m, _i, y: seen.update(shape=tuple(y.shape)))
    network(torch.randn(5, 3))
    assert seen == {"shape": (5, 3)}


def test_weights_by_name(small):
    columns = ["TP53=mutation", "ATM", "TP53=copies", "BRCA1", "age"]
    network = PathwayNetwork(5, 1, small, columns, units=2, covariates=["age"], feature_layer="never")
    table = network.edge_table()
    assert list(table.columns) == [
        "source_layer",
        "source",
        "source_unit",
        "target_layer",
        "target",
        "target_unit",
        "weight",
    ]
    direct = table[(table["source_layer"] == "features") & (table["target"] == "cell")]
    assert sorted(direct["source"]) == ["TP53=copies", "TP53=copies", "TP53=mutation", "TP53=mutation"]
    # columns in the order of the data are the units of an entity
    by_hand = direct.sort_values(["source", "target_unit"], ascending=[False, True])["weight"].to_numpy().reshape(2, 2)
    np.testing.assert_allclose(network.weight("TP53", "cell").numpy(), by_hand)
    assert network.weight("TP53=copies", "cell").shape == (1, 2)
    assert network.weight("repair", "cell").shape == (2, 2)
    first = table[(table["source"] == "repair") & (table["source_unit"] == 1) & (table["target_unit"] == 0)]
    assert network.weight("repair", "cell")[1, 0].item() == first["weight"].item()


def test_the_same_edge_on_two_layers_needs_a_layer():
    edges = [(0, 1, np.array([[0], [0]])), (1, 2, np.array([[0], [0]])), (2, 3, np.array([[0], [0]]))]
    copies = Hierarchy(("genes", "c", "b", "a"), (("g",), ("p",), ("p",), ("p",)), tuple(edges))
    network = PathwayNetwork(1, 1, copies)
    with pytest.raises(InputError, match="on the layers b, a; name target_layer"):
        network.weight("p", "p")
    assert network.weight("p", "p", target_layer="a").item() == network.layers["a"].linear.weight.item()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda network: network.weight("BRCA2", "repair"), "source is 'BRCA2'"),
        (lambda network: network.weight("BRCA1", "repear"), "did you mean repair"),
        (lambda network: network.weight("BRCA1", "death"), "no edge goes from 'BRCA1' to 'death'"),
        (lambda network: network.weight("repair", "cell", "level_9"), "the layers of the network are level_2, level_1"),
        (lambda network: network.node_names("features"), "layer is 'features'"),
    ],
)
def test_questions_without_an_answer(small, call, words):
    with pytest.raises(InputError, match=words):
        call(PathwayNetwork(3, 1, small))


# Columns -----------------------------------------------------------------------------------------------------------


def test_columns_find_their_features_in_any_order(small):
    ordered, shuffled = ["BRCA1", "TP53", "ATM"], ["ATM", "BRCA1", "TP53"]
    one, two = PathwayNetwork(3, 1, small, ordered).eval(), PathwayNetwork(3, 1, small, shuffled).eval()
    with torch.no_grad():
        for mine, other in zip(two.parameters(), one.parameters(), strict=True):
            mine.copy_(other)
    x = torch.randn(6, 3)
    torch.testing.assert_close(one(x), two(x[:, [2, 0, 1]]))
    assert two.column_nodes.tolist() == [2, 0, 1]
    assert two.column_nodes.dtype == torch.int64


def test_a_whole_name_goes_before_an_entity():
    hierarchy = Hierarchy.from_edges([("a", "TP53"), ("b", "TP53=mutation")])
    columns = ["TP53=mutation", "TP53=copies"]
    network = PathwayNetwork(2, 1, hierarchy, columns)
    assert [network.hierarchy.features[node] for node in network.column_nodes] == ["TP53=mutation", "TP53"]


def test_unused_columns_have_no_influence_and_are_logged(small, caplog):
    columns = ["BRCA1", "height", "TP53", "ATM", "age"]
    with caplog.at_level(logging.WARNING):
        network = PathwayNetwork(5, 1, small, columns, covariates=["age"])
    assert network.unused_columns == ("height",)
    assert "3 of 5 columns are features of the hierarchy; not used: 1 (height)" in caplog.text
    x = torch.randn(4, 5, requires_grad=True)
    network(x).square().sum().backward()
    assert (x.grad.abs().sum(0) > 0).tolist() == [True, False, True, True, True]


def test_features_without_a_column_are_left_out(small, caplog):
    with caplog.at_level(logging.WARNING):
        network = PathwayNetwork(2, 1, small, ["ATM", "TP53"])
    assert "features without a column, left out: 1 (BRCA1)" in caplog.text
    assert network.hierarchy.features == ("TP53", "ATM")
    assert network.layers["level_2"].linear.structure.num_edges == 2
    assert "1 features left out" in network.hierarchy.notes[-1]


def test_each_feature_unit_sees_its_own_columns_alone(small):
    columns = ["TP53", "ATM=present", "TP53=present", "ATM", "BRCA1"]
    network = PathwayNetwork(5, 1, small, columns).eval()
    assert network.layer_names == ("features", "level_2", "level_1")
    x = torch.randn(1, 5).repeat(5, 1) + torch.eye(5)
    base = network.node_activations(x - torch.eye(5))["features"][..., 0]
    changed = network.node_activations(x)["features"][..., 0] != base
    owners = [network.hierarchy.features[row.nonzero().item()] for row in changed]
    assert owners == ["TP53", "ATM", "TP53", "ATM", "BRCA1"]


@pytest.mark.parametrize(
    ("choice", "columns", "expected"), [("auto", 1, False), ("auto", 2, True), ("never", 2, False)]
)
def test_when_features_have_a_layer(small, choice, columns, expected):
    names = [f"{gene}={number}" for gene in GENES for number in range(columns)]
    assert PathwayNetwork(len(names), 1, small, names, feature_layer=choice).has_feature_layer is expected


# Designs -----------------------------------------------------------------------------------------------------------


def test_designs_are_tables_of_defaults(small):
    binn, pnet, kpnn, visible = (
        PathwayNetwork(3, 1, small, design=design) for design in ("binn", "pnet", "kpnn", "visible")
    )
    assert [type(network.layers["level_2"].activation) for network in (binn, pnet, kpnn, visible)] == [
        nn.Tanh,
        nn.Tanh,
        nn.Sigmoid,
        nn.Tanh,
    ]
    norms = [isinstance(network.layers["level_2"].norm, nn.BatchNorm1d) for network in (binn, pnet, kpnn, visible)]
    assert norms == [True, False, False, True]
    assert [layer.dropout.p for layer in pnet.layers.values()] == [0.5, 0.1, 0.1]
    assert isinstance(pnet(torch.zeros(2, 3)), HeadOutputs)
    assert [network.num_units("level_1") for network in (binn, pnet, kpnn, visible)] == [1, 1, 1, 6]
    assert pnet.has_feature_layer
    assert not kpnn.has_feature_layer


def test_options_go_before_the_design(small):
    network = PathwayNetwork(3, 1, small, design="pnet", dropout=0.0, heads="last", feature_layer="never", norm="layer")
    assert isinstance(network(torch.zeros(2, 3)), torch.Tensor)
    kinds = [(type(layer.norm), type(layer.dropout)) for layer in network.layers.values()]
    assert kinds == [(nn.LayerNorm, nn.Identity)] * 2


def test_lists_give_every_layer_its_own(small):
    names = ["BRCA1", "TP53", "ATM"]
    options = {
        "activation": ["relu", "ash(z=0.5)", "formula(x*cos(x))"],
        "dropout": [0.0, 0.2, 0.4],
        "units": [2, 3, 4],
    }
    network = PathwayNetwork(3, 1, small, names, feature_layer="always", **options)
    assert [network.num_units(name) for name in network.layer_names] == [2, 3, 4]
    assert [getattr(layer.dropout, "p", 0.0) for layer in network.layers.values()] == [0.0, 0.2, 0.4]
    assert type(network.layers["features"].activation) is nn.ReLU
    assert network(torch.randn(5, 3)).shape == (5, 1)


@pytest.mark.parametrize(("per", "count"), [("layer", 1), ("node", 3), ("unit", 6)])
def test_activation_parameters_per_layer_node_or_unit(small, per, count):
    network = PathwayNetwork(3, 1, small, activation="ash(z=0.5)", activation_parameters=per, units=2)
    activation = network.layers["level_2"].activation
    assert activation.z.numel() == count
    if per == "node":
        assert activation.group_names == ("repair", "death", "unknown")
        # one z for both units of a pathway
        x = torch.randn(4, 6)
        with torch.no_grad():
            before = activation(x)
            activation.z[1] += 1.0
            changed = (activation(x) != before).any(0)
        assert changed.tolist() == [False, False, True, True, False, False]


def test_odd_layer_names_are_no_obstacle():
    edges = ((0, 1, np.array([[0], [0]])), (1, 2, np.array([[0], [0]])), (2, 3, np.array([[0], [0]])))
    odd = Hierarchy(("genes", "go.level", "keys", "go_level"), (("g",), ("p",), ("q",), ("r",)), edges)
    network = PathwayNetwork(1, 1, odd)
    assert network.layer_names == ("go.level", "keys", "go_level")
    assert list(network.layers) == ["go_level", "keys_", "go_level_"]
    assert set(network.node_activations(torch.zeros(2, 1))) == {"go.level", "keys", "go_level"}


# Refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"hierarchy": None}, "hierarchy is missing; a PathwayNetwork needs a hierarchy"),
        ({"hierarchy": {"reader": "gmt"}}, "hierarchy is a dict"),
        ({"out_features": 0}, "out_features is 0"),
        ({"in_features": 4}, "in_features is 4, but the hierarchy has 3 features"),
        ({"in_features": 2, "feature_names": GENES}, "feature_names lists 3 names"),
        ({"feature_names": ["P1", "P2", "P3"]}, r"\(P1, P2, P3\) is a feature of the hierarchy \(BRCA1, TP53, ATM\)"),
        ({"design": "bin"}, "design is 'bin'; .* did you mean 'binn'"),
        ({"norm": "bach"}, "norm is 'bach'; .* did you mean 'batch'"),
        ({"heads": "all"}, "heads is 'all'"),
        ({"feature_layer": "no"}, "feature_layer is 'no'"),
        ({"activation_parameters": "pathway"}, "activation_parameters is 'pathway'"),
        ({"prediction": "mean"}, "prediction is 'mean', but heads='last'"),
        ({"heads": "learned", "prediction": "last"}, "prediction is 'last', but heads='learned'"),
        ({"heads": "equal", "prediction": "first"}, "prediction is 'first'"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"dropout": [0.1]}, "dropout lists 1 values for the 2 layers level_2, level_1"),
        ({"activation": ["relu"] * 3}, "activation lists 3 values for the 2 layers"),
        ({"activation": "no_such"}, "no_such"),
        ({"units": 0}, "units is 0"),
        ({"units": [1, 2, 3]}, "units lists 3 values"),
        ({"backend": "spares"}, "backend is 'spares'"),
        ({"covariates": ["BRCA2"]}, "covariates names 'BRCA2', .* did you mean BRCA1"),
        ({"covariates": ["ATM", "ATM"]}, "every column may stand once"),
        ({"covariates": ["ATM"], "covariate_hidden": [0]}, r"covariate_hidden is \[0\]"),
        ({"covariate_hidden": [8]}, "covariates names no column"),
    ],
)
def test_refusals_name_key_and_value(small, arguments, words):
    with pytest.raises(InputError, match=words) as caught:
        PathwayNetwork(**{"in_features": 3, "out_features": 1, "hierarchy": small, **arguments})
    assert "\n" not in str(caught.value)


def test_layers_that_nothing_feeds_or_that_lead_nowhere_are_refused():
    names = (("g",), ("p",), ("q",))
    nothing = Hierarchy(("genes", "b", "a"), names, ((0, 1, np.array([[0], [0]])),))
    with pytest.raises(InputError, match="no edge leads to layer a"):
        PathwayNetwork(1, 1, nothing)
    aside = Hierarchy(("genes", "b", "a"), names, ((0, 1, np.array([[0], [0]])), (0, 2, np.array([[0], [0]]))))
    with pytest.raises(InputError, match="no way leads from layer b to a"):
        PathwayNetwork(1, 1, aside)
    network = PathwayNetwork(1, 1, aside, heads="equal")
    network(torch.randn(3, 1)).outputs.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
