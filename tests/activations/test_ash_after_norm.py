"""After a norm of the sample ASH is a Swish with a bias; without one its threshold follows the sample."""

import pytest
import torch
from axonlight.activations import ASH, LayerAct, build_activation
from torch import nn
from torch.nn import functional as F


def swish_with_bias(x, z, alpha):
    return x * torch.sigmoid(2 * alpha * (x - z))


@pytest.mark.parametrize("shape", [(8, 40), (8, 3, 5, 7)])
@pytest.mark.parametrize(("z", "alpha"), [(0.0, 1.0), (1.3, 0.5), (-1.3, 3.0)])
def test_after_layer_norm_it_is_swish_with_a_bias(shape, z, alpha):
    """Layer norm over all of a sample: its mean is 0, its deviation 1 but for the two eps."""
    x = F.layer_norm(10 * torch.randn(shape, dtype=torch.float64) + 4, shape[1:])
    torch.testing.assert_close(ASH(z=z, alpha=alpha).double()(x), swish_with_bias(x, z, alpha), atol=2e-4, rtol=0)


def test_gradients_agree_after_layer_norm_too():
    """The norm's own gradient takes away what ASH's statistics would add."""
    raw = torch.randn(6, 30, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(6, 30, dtype=torch.float64)
    gate = ASH(z=0.7, alpha=1.5).double()
    by_ash, by_swish = (
        torch.autograd.grad((weights * function(F.layer_norm(raw, (30,)))).sum(), raw)[0]
        for function in (gate, lambda x: swish_with_bias(x, 0.7, 1.5))
    )
    torch.testing.assert_close(by_ash, by_swish, atol=1e-3, rtol=0)


def test_formula_text_of_the_studies_is_that_swish():
    x = torch.linspace(-4, 4, 101)
    module = build_activation("formula(x*sigmoid(2*a*(x-z)), a=1.0, z=0.0)")
    torch.testing.assert_close(module(x), swish_with_bias(x, 0.0, 1.0))
    assert sorted(name.rpartition(".")[2] for name, _ in module.named_parameters()) == ["a", "z"]


def test_without_a_norm_it_follows_the_sample():
    x = torch.randn(4, 500, dtype=torch.float64) + torch.tensor([[-3.0], [-1.0], [1.0], [3.0]], dtype=torch.float64)
    gate = ASH(alpha=20.0).double()
    shares = (gate(x).abs() > x.abs() / 2).double().mean(1)
    torch.testing.assert_close(shares, torch.full((4,), 0.5, dtype=torch.float64), atol=0.05, rtol=0)
    fixed = (swish_with_bias(x, 0.0, 20.0).abs() > x.abs() / 2).double().mean(1)
    assert fixed[0] < 0.05
    assert fixed[3] > 0.95


def test_batch_norm_leaves_a_threshold_that_varies_with_one_over_the_root_of_the_units():
    for units in (16, 256):
        norm = nn.BatchNorm1d(units).double()
        means = norm(torch.randn(20_000, units, dtype=torch.float64)).mean(1)
        assert means.std().item() == pytest.approx(units**-0.5, rel=0.05)


def test_layer_act_after_layer_norm_is_silu():
    x = F.layer_norm(torch.randn(8, 40, dtype=torch.float64), (40,))
    torch.testing.assert_close(LayerAct()(x), F.silu(x), atol=1e-4, rtol=0)
