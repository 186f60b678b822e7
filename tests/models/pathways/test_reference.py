"""Whole networks over random hierarchies against dense matrices in float64, built from names alone."""

from collections import defaultdict

import hypothesis
import numpy as np
import pytest
import torch
from axonlight.models import HeadOutputs, PathwayNetwork
from axonlight.structures import Hierarchy
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.xdist_group("pathways")  # its fixtures are made once

PRECISION = {"rtol": 1e-10, "atol": 1e-10}


@st.composite
def hierarchies(draw):
    """Layers of one to five nodes; any two layers may be joined, consecutive ones are; nodes may be fed by nothing."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=2, max_size=5))
    names = [tuple(f"{'fabcd'[layer]}{node}" for node in range(size)) for layer, size in enumerate(sizes)]
    edges = []
    for source in range(len(sizes)):
        for target in range(source + 1, len(sizes)):
            pairs = [(a, b) for a in range(sizes[source]) for b in range(sizes[target])]
            least = 1 if target == source + 1 else 0
            chosen = draw(st.lists(st.sampled_from(pairs), min_size=least, max_size=8, unique=True))
            if chosen:
                edges.append((source, target, np.array(chosen).T))
    layers = ("features", *(f"level_{level}" for level in range(len(sizes) - 1, 0, -1)))
    return Hierarchy(layers, tuple(names), tuple(edges))


@st.composite
def cases(draw):
    hierarchy = draw(hierarchies())
    several = draw(st.booleans())
    columns = ["noise", "age", "sex=male"]
    for feature in hierarchy.features:
        # the first feature of the first block always has a column, so that the first layer is fed
        least = int(feature == hierarchy.features[hierarchy.edges[0].pairs[0, 0]])
        columns += [f"{feature}=m{number}" for number in range(draw(st.integers(least, 3 if several else 1)))]
    options = {
        "norm": draw(st.sampled_from(["batch", "layer", "none"])),
        "units": draw(st.integers(1, 3)),
        "heads": draw(st.sampled_from(["last", "equal", "exponential", "learned"])),
        "feature_layer": draw(st.sampled_from(["auto", "always", "never"])),
        "covariates": draw(st.sampled_from([[], ["age"], ["sex=male", "age"]])),
        "backend": draw(st.sampled_from(["auto", "bag", "dense", "gather"])),
    }
    return hierarchy, draw(st.permutations(columns)), options


class DenseReference:
    """The same network as dense matrices, one per pair of layers, filled by the names in the table of edges."""

    def __init__(self, network, columns, options):
        self.network, self.columns, self.options = network, columns, options
        self.labels = {"columns": [(column, 0) for column in columns]}
        for layer in network.layer_names:
            units = range(network.num_units(layer))
            self.labels[layer] = [(node, unit) for node in network.node_names(layer) for unit in units]
        self.matrices, self.places = {}, defaultdict(list)
        self.fill()

    def fill(self):
        place = {layer: {label: i for i, label in enumerate(labels)} for layer, labels in self.labels.items()}
        single = {"source_unit": 0, "target_unit": 0}
        for row in self.network.edge_table().to_dict("records"):
            row = single | row
            source, target = row["source_layer"], row["target_layer"]
            if source == "features" and (target == "features" or "features" not in self.network.layer_names):
                source = "columns"
            key = source, target
            if key not in self.matrices:
                shape = len(self.labels[target]), len(self.labels[source])
                self.matrices[key] = torch.zeros(shape, dtype=torch.float64)
            at = place[target][row["target"], row["target_unit"]], place[source][row["source"], row["source_unit"]]
            self.matrices[key][at] = row["weight"]
            self.places[target].append((key, at))
        for matrix in self.matrices.values():
            matrix.requires_grad_()

    def normalized(self, y, layer):
        kind = self.options["norm"]
        if kind == "none":
            return y
        dim = 0 if kind == "batch" else 1
        mean, variance = y.mean(dim, keepdim=True), y.var(dim, correction=0, keepdim=True)
        return (y - mean) / (variance + 1e-5).sqrt() * layer.norm.weight.detach() + layer.norm.bias.detach()

    def __call__(self, x):
        states = {"columns": x}
        for name, layer in zip(self.network.layer_names, self.network.layers.values(), strict=True):
            fed = [states[source] @ matrix.T for (source, target), matrix in self.matrices.items() if target == name]
            states[name] = torch.tanh(self.normalized(sum(fed) + layer.linear.bias.detach(), layer))
        covariates = x[:, [self.columns.index(name) for name in self.options["covariates"]]]
        logits = {
            name: torch.cat([states[name], covariates], 1) @ head.weight.detach().T + head.bias.detach()
            for name, head in self.network.heads.linear.items()
        }
        return torch.stack(list(logits.values()))

    def gradients(self, layer):
        return torch.stack([self.matrices[key].grad[at] for key, at in self.places[layer]])


def outputs_of(result, network):
    """Return (H, B, O), or the mix of the reference's heads (1, B, O) where the network returns one."""
    return result.outputs if isinstance(result, HeadOutputs) else result.unsqueeze(0)


def expected_edges(hierarchy, columns, feature_layer):
    """The pairs of names that must be joined, said again from the definition."""
    owned = defaultdict(list)
    for column in columns:
        if column.split("=")[0] in hierarchy.features:
            owned[column.split("=")[0]].append(column)
    pairs = []
    if feature_layer:
        pairs += [("features", column, "features", feature) for feature in owned for column in owned[feature]]
    for source, target, edges in hierarchy.edges:
        for low, high in edges.T:
            name = hierarchy.nodes[source][low]
            names = [name] if source else ([name] if feature_layer and owned[name] else owned[name])
            pairs += [
                (hierarchy.layers[source], n, hierarchy.layers[target], hierarchy.nodes[target][high]) for n in names
            ]
    return sorted(pairs)


@given(cases(), st.integers(0, 2**31 - 1))
@hypothesis.settings(max_examples=60)
def test_equals_dense_matrices(case, seed):
    hierarchy, columns, options = case
    torch.manual_seed(seed)
    network = PathwayNetwork(len(columns), 2, hierarchy, columns, activation="tanh", dropout=0.0, **options).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.5)
    reference = DenseReference(network, columns, options)

    table = network.edge_table()
    units = [network.num_units(layer) for layer in table["target_layer"]]
    distinct = table.drop_duplicates(["source_layer", "source", "target_layer", "target"])
    names = distinct[["source_layer", "source", "target_layer", "target"]].itertuples(index=False, name=None)
    assert sorted(names) == expected_edges(hierarchy, columns, "features" in network.layer_names)
    assert set(units) <= {1, options["units"]}

    x = torch.randn(7, len(columns), dtype=torch.float64)
    result, expected = outputs_of(network(x), network), reference(x)
    if options["heads"] == "learned":
        expected = (expected * network.heads.mix.detach().exp().view(-1, 1, 1)).sum(0, keepdim=True)
        expected = expected / network.heads.mix.detach().exp().sum()
    torch.testing.assert_close(result, expected, **PRECISION)

    weights = torch.randn_like(result)
    (result * weights).sum().backward()
    (expected * weights).sum().backward()
    for name, layer in zip(network.layer_names, network.layers.values(), strict=True):
        torch.testing.assert_close(layer.linear.weight.grad, reference.gradients(name), **PRECISION)
    assert all(parameter.grad is not None for parameter in network.parameters())


@given(hierarchies(), st.integers(1, 3), st.sampled_from(["batch", "none"]), st.sampled_from(["last", "equal"]))
def test_parameter_count_in_closed_form(hierarchy, units, norm, heads):
    features = len(hierarchy.features)
    network = PathwayNetwork(features, 3, hierarchy, norm=norm, heads=heads, units=units, feature_layer="never")
    low = [1] + [units] * (len(hierarchy.layers) - 1)
    edges = sum(block.pairs.shape[1] * low[block.source] * units for block in hierarchy.edges)
    nodes = [size * units for size in hierarchy.sizes[1:]]
    headed = nodes if heads == "equal" else nodes[-1:]
    expected = edges + sum(nodes) * (3 if norm == "batch" else 1) + sum(3 * (width + 1) for width in headed)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


@pytest.mark.parametrize("units", [1, 6])
def test_parameter_count_of_the_proteomics_network(units):
    sizes, edges = (449, 446, 285, 116, 28), (2609, 448, 285, 117)
    rng = np.random.default_rng(0)
    blocks = []
    for place, number in enumerate(edges):
        pairs = rng.choice(sizes[place] * sizes[place + 1], number, replace=False)
        blocks.append((place, place + 1, np.stack(np.divmod(pairs, sizes[place + 1]))))
    names = tuple(tuple(f"{layer}.{node}" for node in range(size)) for layer, size in enumerate(sizes))
    hierarchy = Hierarchy(("features", "level_4", "level_3", "level_2", "level_1"), names, tuple(blocks))
    network = PathwayNetwork(449, 1, hierarchy, units=units)
    expected = {1: 2609 + 448 + 285 + 117 + 3 * 875 + 29, 6: 6 * 2609 + 36 * 850 + 18 * 875 + 6 * 28 + 1}
    assert sum(parameter.numel() for parameter in network.parameters()) == expected[units]
