"""The published encoder against torch_geometric's layers patient by patient, and against loops over edges."""

import numpy as np
import pytest
import torch
from axonlight.models.gene_graphs import GeneGraphEncoder, MembershipAttention, _attention

PRECISION = {torch.float64: {"rtol": 1e-10, "atol": 1e-10}, torch.float32: {"rtol": 1e-5, "atol": 1e-5}}


def per_patient(theirs, expression):
    tokens, gates, weights = zip(*(theirs(row) for row in expression), strict=True)
    return torch.stack(tokens), torch.stack(gates), torch.stack(weights)


@pytest.mark.parametrize("hierarchy", ["flat", "bipartite", "hierarchical"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_equals_torch_geometric_patient_by_patient(both, hierarchy, dtype):
    ours, theirs = both(hierarchy, dtype)
    expression = 3 * torch.randn(5, 30, dtype=dtype)
    (tokens, gates), weights = ours.with_gene_weights(expression)
    expected_tokens, expected_gates, expected_weights = per_patient(theirs, expression)
    torch.testing.assert_close(tokens, expected_tokens, **PRECISION[dtype])
    torch.testing.assert_close(gates, expected_gates, **PRECISION[dtype])
    source, target = theirs.edges
    members = expected_weights[:, (source < 30) & (target >= 30)].mean(2)
    torch.testing.assert_close(weights, members, **PRECISION[dtype])
    assert not weights.requires_grad


@pytest.mark.parametrize("hierarchy", ["bipartite", "hierarchical"])
def test_gradients_equal_torch_geometric(both, hierarchy):
    ours, theirs = both(hierarchy)
    expression = torch.randn(4, 30, dtype=torch.float64, requires_grad=True)
    other = expression.detach().clone().requires_grad_()
    tokens, gates = ours(expression)
    expected_tokens, expected_gates, _ = per_patient(theirs, other)
    factors, shares = torch.randn_like(tokens), torch.randn_like(gates)
    ((tokens * factors).sum() + (gates * shares).sum()).backward()
    ((expected_tokens * factors).sum() + (expected_gates * shares).sum()).backward()
    torch.testing.assert_close(expression.grad, other.grad, **PRECISION[torch.float64])
    torch.testing.assert_close(ours.layers.attention.attention.grad, theirs.attention.att.grad[0])
    for our, their in theirs.pairs(ours):
        torch.testing.assert_close(our.grad, their.grad, **PRECISION[torch.float64])


def edge_by_edge(layer, sources, targets):
    """Return what one patient's pathways take, by loops over pathways, heads and edges."""
    heads, channels = layer.attention.shape
    linear = torch.nn.functional.linear
    projected = linear(sources, layer.source.weight, layer.source.bias).view(-1, heads, channels)
    asking = linear(targets, layer.target.weight, layer.target.bias).view(-1, heads, channels)
    rows = []
    for target in range(len(targets)):
        members = layer.edges.source[layer.edges.target == target].tolist()
        taken = []
        for head in range(heads):
            sums = [projected[gene, head] + asking[target, head] for gene in members]
            leaky = [torch.stack([value if value > 0 else 0.2 * value for value in item]) for item in sums]
            powers = [torch.exp(sum(leaky_item * layer.attention[head])) for leaky_item in leaky]
            shares = [power / sum(powers) for power in powers]
            terms = [share * projected[gene, head] for share, gene in zip(shares, members, strict=True)]
            taken.append(sum(terms, torch.zeros(channels, dtype=sources.dtype)))
        rows.append(torch.stack(taken))
    return torch.stack(rows)


@pytest.mark.parametrize("concatenated", [False, True])
def test_attention_equals_loops_over_edges(concatenated):
    edges = np.array([[0, 2, 3, 1, 0, 3], [0, 0, 0, 1, 3, 3]])  # target 2 has none
    torch.manual_seed(1)
    layer = MembershipAttention(edges, 4, 4, width=3, heads=2, channels=5, concatenated=concatenated).double()
    sources = torch.randn(4, 3, 3, dtype=torch.float64, requires_grad=True)
    targets = torch.randn(4, 3, 3, dtype=torch.float64, requires_grad=True)
    out, _ = layer(sources, targets)
    loops = torch.stack([edge_by_edge(layer, sources[:, b], targets[:, b]) for b in range(3)], 1)
    expected = (loops.flatten(2) if concatenated else loops.mean(2)) + layer.bias
    torch.testing.assert_close(out, expected, **PRECISION[torch.float64])
    wanted = [sources, targets, *layer.parameters()]
    factors = torch.randn_like(out)
    ours = torch.autograd.grad((out * factors).sum(), wanted)
    theirs = torch.autograd.grad((expected * factors).sum(), wanted)
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, **PRECISION[torch.float64])


@pytest.mark.parametrize("most", [1, 3, 1000])
def test_pieces_of_any_size_give_the_same(both, monkeypatch, most):
    ours, _ = both()
    expression = torch.randn(3, 30, dtype=torch.float64, requires_grad=True)

    def found():
        tokens, gates = ours(expression)
        loss = tokens.square().sum() + gates.square().sum()
        return tokens, *torch.autograd.grad(loss, [expression, ours.layers.attention.attention])

    expected = found()
    monkeypatch.setitem(_attention._EDGES_AT_A_TIME, "cpu", most)
    for our, their in zip(found(), expected, strict=True):
        torch.testing.assert_close(our, their, **PRECISION[torch.float64])


def test_batch_of_one_gives_the_same(both):
    ours, _ = both()
    expression = torch.randn(4, 30, dtype=torch.float64)
    together = ours(expression).tokens
    torch.testing.assert_close(torch.cat([ours(row).tokens for row in expression.split(1)]), together)


def test_parameters_are_those_of_the_published_encoder(graph):
    encoder = GeneGraphEncoder(graph)
    counted = {
        "sage": sum(p.numel() for layer in (encoder.layers.first, encoder.layers.second) for p in layer.parameters()),
        "attention": sum(p.numel() for p in encoder.layers.attention.parameters()),
        "all": sum(p.numel() for p in encoder.parameters()),
    }
    assert counted == {"sage": 33_280, "attention": 132_736, "all": 33_280 + 132_736 + 256 + 129}


@pytest.mark.parametrize("hierarchy", ["flat", "bipartite", "hierarchical", "shuffled"])
@pytest.mark.parametrize("variant", ["published", "typed"])
def test_every_parameter_receives_a_gradient(graph, variant, hierarchy):
    torch.manual_seed(0)
    encoder = GeneGraphEncoder(graph, variant, hierarchy, width=16, activation="swish").double()
    tokens, gates = encoder(torch.randn(6, 30).double())
    (tokens.square().sum() + 10 * gates.square().sum()).backward()
    without = {name for name, p in encoder.named_parameters() if p.grad is None or p.grad.abs().max() < 1e-12}
    # a softmax does not feel what is added to all its scores
    assert without == ({"gate.score.bias"} if variant == "published" else set())


def test_dropout_is_that_of_torch_geometric():
    """Weights are dropped per edge and head at the given share, and the rest grows by 1 / (1 - share)."""
    edges = np.stack([np.arange(2000), np.arange(2000) // 4])
    layer = MembershipAttention(edges, 2000, 500, width=4, heads=4, concatenated=True, dropout=0.25).double()
    torch.nn.init.zeros_(layer.attention)  # every weight is 1/4
    torch.nn.init.zeros_(layer.source.weight)
    torch.nn.init.ones_(layer.source.bias)
    sources, targets = torch.zeros(2000, 3, 4).double(), torch.zeros(500, 3, 4).double()
    out, weights = layer(sources, targets)
    kept = (out.view(500, 3, 4, 4)[..., 0] * 4 * 0.75).round()
    assert torch.allclose(weights, torch.tensor(0.25).double())
    assert torch.allclose(out.view(500, 3, 4, 4)[..., 0] * 3, kept, atol=1e-4)
    # four independent draws of 0.75 per head: mean 3, variance 0.75
    assert abs(kept.mean() - 3) < 0.05
    assert abs(kept.var() - 0.75) < 0.06
    assert abs(torch.corrcoef(kept.flatten(0, 1).t())[0, 1]) < 0.08
    assert layer.eval()(sources, targets)[0].std() == 0


def test_gradient_passes_the_same_mask(both):
    ours, _ = both()
    ours.train()
    expression = torch.randn(2, 30, dtype=torch.float64, requires_grad=True)

    def drawn(x):
        torch.manual_seed(5)
        return ours(x).tokens

    assert torch.autograd.gradcheck(lambda x: drawn(x)[:, :3, :4], expression, fast_mode=True, atol=1e-4)
    torch.manual_seed(6)
    assert not torch.equal(drawn(expression), ours(expression).tokens)


def test_differentiates_twice(both):
    ours, _ = both()
    expression = torch.randn(2, 30, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: ours(x).tokens[:, :2, :3], expression, fast_mode=True, atol=1e-4)


def test_other_activations_and_listeners_take_the_general_way(both):
    ours, theirs = both()
    expression = torch.randn(3, 30, dtype=torch.float64, requires_grad=True)
    expected = ours(expression).tokens
    gradient = torch.autograd.grad(expected.sum(), expression)[0]
    seen = []
    ours.layers.attention.activation.register_forward_hook(lambda _, inputs, output: seen.append(output.shape))
    tokens = ours(expression).tokens
    torch.testing.assert_close(tokens, expected, **PRECISION[torch.float64])
    torch.testing.assert_close(torch.autograd.grad(tokens.sum(), expression)[0], gradient)
    assert seen[0] == (70, 512)
    theirs.attention.negative_slope = 0.0
    changed, _ = both(attention_activation="relu")
    torch.testing.assert_close(changed(expression).tokens, per_patient(theirs, expression)[0])


def test_activation_with_trainable_values_inside_the_attention(both):
    ours, _ = both(attention_activation="swish", activation=["tanh", "ash", "snake"])
    ours(torch.randn(3, 30, dtype=torch.float64)).tokens.square().sum().backward()
    assert ours.layers.attention.activation.beta.grad.abs().sum() > 0
    assert [type(item).__name__ for item in ours.layers.activations] == ["Tanh", "ASH", "Snake"]


@pytest.mark.parametrize("variant", ["published", "typed"])
def test_compiled_graph_is_one_and_gives_the_same(graph, variant):
    encoder = GeneGraphEncoder(graph, variant, "hierarchical", width=8).double().eval()
    expression = torch.randn(2, 30, dtype=torch.float64)
    compiled = torch.compile(encoder, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(expression).tokens, encoder(expression).tokens, **PRECISION[torch.float64])


@pytest.mark.parametrize("variant", ["published", "typed"])
def test_half_types(graph, variant):
    encoder = GeneGraphEncoder(graph, variant, "hierarchical", width=16).eval()
    expression = torch.randn(3, 30)
    expected = encoder(expression).tokens
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed, gates = encoder(expression)
    (mixed.float().square().sum() + gates.float().square().sum()).backward()
    assert (mixed - expected).abs().max() < 0.1 * expected.abs().max()
    assert all(parameter.grad.isfinite().all() for parameter in encoder.parameters())
    half = encoder.bfloat16()(expression.bfloat16()).tokens
    assert half.dtype == torch.bfloat16
    assert (half - expected).abs().max() < 0.1 * expected.abs().max()
