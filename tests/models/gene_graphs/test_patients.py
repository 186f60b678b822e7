"""Patients that go one by one, in threads, through layers that treat each by itself."""

import pytest
import torch
from axonlight.models.gene_graphs import GeneGraphEncoder

VARIANTS = pytest.mark.parametrize("variant", ["published", "typed"])


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def step(encoder, expression):
    torch.manual_seed(3)
    encoder.zero_grad()
    tokens, gates = encoder(expression)
    (tokens.square().sum() + gates.square().sum()).backward()
    return tokens.detach(), *(parameter.grad.clone() for parameter in encoder.parameters())


@VARIANTS
@pytest.mark.parametrize("activation", ["leaky_relu", "swish"])
def test_any_number_of_threads_gives_the_same(graph, threads, variant, activation):
    torch.manual_seed(0)
    encoder = GeneGraphEncoder(graph, variant, width=16, dropout=0.25, activation=activation).double()
    expression = torch.randn(7, 30).double()
    found = []
    for number in (1, 2, 3):
        threads(number)
        found.append(step(encoder, expression))
    for other in found[1:]:
        for ours, theirs in zip(found[0], other, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    assert not torch.equal(encoder(expression).tokens, encoder(expression).tokens)  # dropout draws anew


@VARIANTS
def test_threads_leave_the_state_of_the_generator_alone(graph, threads, variant):
    """A patient's numbers come from a generator of his own, in the backward pass, too."""
    threads(2)
    encoder = GeneGraphEncoder(graph, variant, width=16, attention_activation="swish")
    expression = torch.randn(5, 30, requires_grad=True)
    torch.manual_seed(1)
    torch.randint(1 << 62, (5,))
    expected = torch.rand(3)
    torch.manual_seed(1)
    encoder(expression).tokens.sum().backward()
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)


@VARIANTS
def test_one_by_one_equals_all_at_once(graph, threads, variant):
    threads(2)
    encoder = GeneGraphEncoder(graph, variant, "hierarchical", width=16, dropout=0.0).double()
    expression = torch.randn(5, 30).double()
    apart = step(encoder, expression)
    seen = []
    hook = encoder.layers.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    together = step(encoder, expression)
    hook.remove()
    assert seen == [(30, 5)]
    for ours, theirs in zip(apart, together, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


@VARIANTS
def test_goes_back_as_often_as_asked(graph, variant):
    encoder = GeneGraphEncoder(graph, variant, width=16).double()
    expression = torch.randn(3, 30).double().requires_grad_()
    tokens = encoder(expression).tokens
    first = torch.autograd.grad(tokens.sum(), expression, retain_graph=True)[0]
    second = torch.autograd.grad(tokens.sum(), expression, retain_graph=True)[0]
    again = torch.autograd.grad(tokens.sum(), expression, create_graph=True)[0]
    torch.testing.assert_close(first, second, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(first, again.detach(), rtol=1e-10, atol=1e-12)
    assert again.requires_grad


def test_only_what_needs_a_gradient_has_one(graph):
    encoder = GeneGraphEncoder(graph, "typed", width=16)
    encoder.layers.slope.requires_grad_(False)
    expression = torch.randn(3, 30)
    encoder(expression).tokens.square().sum().backward()
    assert encoder.layers.slope.weight.grad is None
    assert encoder.layers.offset.weight.grad.abs().max() > 0
    with torch.no_grad():
        assert not encoder(expression).tokens.requires_grad


@VARIANTS
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients_it_says_the_same(graph, variant, mode):
    encoder = GeneGraphEncoder(graph, variant, width=16).eval()
    expression = torch.randn(3, 30)
    expected = encoder(expression).tokens.detach()
    with mode():
        torch.testing.assert_close(encoder(expression.clone()).tokens.clone(), expected)
