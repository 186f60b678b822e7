"""Initial weights of EdgeLinear: their bounds, and the variance that they keep, on Reactome and in closed form."""

import pytest
import torch
from axonlight.models import EdgeLinear
from axonlight.models.layers import EdgeStructure, initialize_edges_
from axonlight.structures import Hierarchy

DRAWS = 20


@pytest.mark.parametrize("scheme", ["degree", "glorot", "dense"])
def test_bounds_of_initial_weights(scheme):
    edges = torch.tensor([[0, 1, 2, 0], [0, 0, 0, 1]])
    weight = initialize_edges_(torch.empty(4000, 4), EdgeStructure.from_edges(edges, 3, 2), scheme)
    bounds = {
        "degree": [1.0, 1.0, 1.0, 3**0.5],
        "glorot": [(6 / 5) ** 0.5, (6 / 4) ** 0.5, (6 / 4) ** 0.5, (6 / 3) ** 0.5],
        "dense": [3**-0.5] * 4,
    }[scheme]
    torch.testing.assert_close(weight.abs().amax(0), torch.tensor(bounds), rtol=5e-3, atol=0)
    torch.testing.assert_close(weight.std(0), torch.tensor(bounds) / 3**0.5, rtol=5e-2, atol=0)


@pytest.fixture(scope="module")
def reactome(data_root):
    folder = data_root / "reactome"
    return Hierarchy.from_reactome(folder / "ReactomePathways.gmt", folder / "ReactomePathwaysRelation.txt", levels=5)


def mean_variances(hierarchy, x, init):
    """Mean variance over the nodes that have edges, for each layer above the features (5,), averaged over draws."""
    totals = torch.zeros(len(hierarchy.edges))
    for draw in range(DRAWS):
        torch.manual_seed(draw)
        y = x
        for place, (source, target, pairs) in enumerate(hierarchy.edges):
            assert target == source + 1 == place + 1
            edges = torch.tensor(pairs)
            layer = EdgeLinear(edges, hierarchy.sizes[source], hierarchy.sizes[target], init=init)
            y = layer(y).detach()
            totals[place] += y.var(0)[edges[1].unique()].mean()
    return totals / DRAWS


@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_degree_aware_weights_keep_the_variance_through_the_layers_of_reactome(reactome, shared):
    # Unit variance for every gene; a part that all genes share makes them correlated, as real ones are.
    genes, common = torch.randn(400, reactome.sizes[0]), torch.randn(400, 1)
    common = (common - common.mean()) / common.std()
    variances = mean_variances(reactome, shared**0.5 * common + (1 - shared) ** 0.5 * genes, "degree")
    assert reactome.sizes[0] > 10_000
    assert len(variances) == 5
    assert ((variances > 0.9) & (variances < 1.1)).all(), variances


def test_weights_for_a_dense_layer_lose_the_variance_on_reactome(reactome):
    variances = mean_variances(reactome, torch.randn(200, reactome.sizes[0]), "dense")
    assert variances[0] < 1e-2
    assert variances[4] < 1e-9


def test_the_expected_variance_is_one_whatever_the_correlation():
    # Var(y) = w' C w. Independent weights of mean zero and variance 1 / degree leave the trace of C over the degree.
    draws, inputs = 20_000, 6
    edges = torch.tensor([[0, 1, 2, 3, 4, 5, 0], [0, 0, 0, 0, 0, 1, 1]])
    structure = EdgeStructure.from_edges(edges, inputs, 2)
    weight = initialize_edges_(torch.empty(draws, 7, dtype=torch.float64), structure)
    mix = torch.randn(inputs, inputs, dtype=torch.float64)
    mixed = mix @ mix.T
    scale = mixed.diagonal().rsqrt()
    for correlation in (torch.ones(inputs, inputs).double(), mixed * scale * scale.unsqueeze(1)):
        for output in (0, 1):
            own = edges[1] == output
            w, c = weight[:, own], correlation[edges[0, own]][:, edges[0, own]]
            variance = torch.einsum("di,ij,dj->d", w, c, w)
            standard_error = float(variance.std() / draws**0.5)
            assert abs(float(variance.mean()) - 1) < 4 * standard_error < 0.05
