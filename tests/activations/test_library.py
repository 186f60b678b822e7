"""What sets each activation apart: limits, starts, statistics, memory."""

import math
from pathlib import Path

import axonlight.activations as library
import numpy as np
import pytest
import torch
from axonlight.activations import (
    PWLU,
    SMU,
    XIELU,
    AconC,
    Activation,
    Dice,
    GrowingCosine,
    LayerAct,
    MetaAcon,
    RationalActivation,
    Snake,
    Swish,
    TeLU,
    activation_parameters,
    build_activation,
    is_activation,
    named_activation_parameters,
)
from axonlight.activations.acon import acon_c
from axonlight.activations.numerics import known_curve
from axonlight.activations.rational import rational
from axonlight.errors import InputError
from torch import nn
from torch.nn import functional as F

X = torch.linspace(-6, 6, 1201, dtype=torch.float64)
CURVES = ["elu", "gelu", "identity", "leaky_relu", "mish", "relu", "sigmoid", "silu", "softplus", "tanh"]


def value(module, x=X):
    return module.double().eval()(x).detach()


def test_swish_between_the_line_and_the_rectifier():
    torch.testing.assert_close(value(Swish(1.0)), F.silu(X))
    torch.testing.assert_close(value(Swish(0.0)), X / 2)
    torch.testing.assert_close(value(Swish(1e4)), F.relu(X))


def test_acon_contains_swish_and_the_linear_function():
    torch.testing.assert_close(acon_c(X, 1.0, 0.0, 1.5), X * torch.sigmoid(1.5 * X))
    torch.testing.assert_close(acon_c(X, 1.2, -0.4, 0.0), 0.4 * X)
    torch.testing.assert_close(acon_c(X, 1.2, -0.4, 1e4), torch.maximum(1.2 * X, -0.4 * X), atol=1e-3, rtol=0)


def test_snake_at_zero_frequency_is_the_identity_and_still_trains():
    module = Snake(a=0.0).double()
    x = X.clone().requires_grad_()
    module(x).sum().backward()
    torch.testing.assert_close(module(X), X)
    torch.testing.assert_close(x.grad, torch.ones_like(X))
    # d/da sin(ax)^2 / a = x^2 at a = 0
    torch.testing.assert_close(module.a.grad, X.square().sum()[None])


def test_snake_is_odd_in_its_frequency():
    torch.testing.assert_close(value(Snake(2.0)) - X, torch.sin(2 * X) ** 2 / 2)
    torch.testing.assert_close(value(Snake(-2.0)) - X, -(torch.sin(2 * X) ** 2) / 2)


def test_growing_cosine_zeros():
    zeros = torch.tensor([0.0, math.pi / 2, -math.pi / 2, 3 * math.pi / 2], dtype=torch.float64)
    torch.testing.assert_close(value(GrowingCosine(), zeros), torch.zeros(4, dtype=torch.float64), atol=1e-14, rtol=0)


def test_smu_between_the_line_and_the_leaky_rectifier():
    torch.testing.assert_close(value(SMU(mu=1e6)), F.leaky_relu(X, 0.25))
    torch.testing.assert_close(value(SMU(mu=0.0)), 0.625 * X)
    # alpha = 0, mu = 1 / sqrt 2 is GELU
    torch.testing.assert_close(value(SMU(mu=2**-0.5, alpha=0.0)), F.gelu(X))


def test_smu_started_as_published_would_not_train():
    module = SMU(mu=1e6)
    module(torch.randn(1000)).sum().backward()
    assert module.mu.grad.abs().item() < 1e-4


def test_telu_far_out():
    torch.testing.assert_close(
        value(TeLU(), torch.tensor([800.0, -800.0]).double()), torch.tensor([800.0, 0.0]).double()
    )


def test_xielu_keeps_its_slopes_in_range():
    module = XIELU(alpha_p=0.8, alpha_n=0.9, beta=0.4)
    assert (module.alpha_p.item(), module.alpha_n.item()) == pytest.approx((0.8, 0.9))
    with torch.no_grad():
        module.raw_alpha_p.fill_(-50.0)
        module.raw_alpha_n.fill_(-50.0)
    assert module.alpha_p.item() >= 0
    assert module.alpha_n.item() >= 0.4


def test_xielu_is_smooth_at_zero():
    x = torch.tensor([-1e-9, 0.0, 1e-9], dtype=torch.float64, requires_grad=True)
    XIELU().double()(x).sum().backward()
    torch.testing.assert_close(x.grad, torch.full((3,), 0.5, dtype=torch.float64))


def test_layer_act_uses_each_samples_own_statistics():
    x = torch.randn(4, 3, 5, 5, dtype=torch.float64)
    expected = torch.stack([one * torch.sigmoid(F.layer_norm(one, one.shape, eps=1e-5)) for one in x])
    torch.testing.assert_close(value(LayerAct(), x), expected)
    torch.testing.assert_close(LayerAct().train()(x), LayerAct().eval()(x), rtol=0, atol=0)
    constant = torch.full((2, 7), 3.0, requires_grad=True)
    LayerAct()(constant).sum().backward()
    assert torch.isfinite(constant.grad).all()


@pytest.mark.parametrize("shape", [(32, 3), (8, 4, 3), (8, 3, 4, 4)])
def test_dice_follows_batch_normalisation(shape):
    torch.manual_seed(0)
    module = Dice(3, alpha=0.2)
    reference = nn.BatchNorm1d(3, affine=False)
    x = 2 + 3 * torch.randn(shape)
    rows = (x.movedim(-1, 1) if x.dim() == 3 else x).reshape(shape[0], 3, -1)
    gate = torch.sigmoid(reference(rows)).view(x.movedim(-1, 1).shape if x.dim() == 3 else shape)
    gate = gate.movedim(1, -1) if x.dim() == 3 else gate
    torch.testing.assert_close(module(x), gate * x + (1 - gate) * 0.2 * x)
    torch.testing.assert_close(module.norm.running_mean, reference.running_mean)
    torch.testing.assert_close(module.norm.running_var, reference.running_var)
    assert not torch.allclose(module.eval()(x), module.train()(x))


@pytest.mark.parametrize("module", [Dice(3), MetaAcon(3)])
def test_batch_statistics_need_a_batch(module):
    with pytest.raises(InputError, match="needs a batch dimension"):
        module(torch.zeros(3))


def test_meta_acon_computes_one_switch_per_sample_and_channel():
    module = MetaAcon(4, reduction=2).eval()
    x = torch.randn(2, 4, 5, 5)
    shuffled = x.flatten(2)[..., torch.randperm(25)].view_as(x)
    # The order of positions is irrelevant to the switch, so each value keeps its image.
    values = module(x).flatten(2).sort(dim=-1).values
    torch.testing.assert_close(module(shuffled).flatten(2).sort(dim=-1).values, values)
    assert module.switch[0].out_features == 2
    assert MetaAcon(64).switch[0].out_features == 16
    assert MetaAcon(640).switch[0].out_features == 40


@pytest.mark.parametrize("init", CURVES)
def test_pwlu_starts_on_the_named_curve(init):
    module = PWLU(intervals=60, init=init)
    inside = torch.linspace(-3, 3, 997, dtype=torch.float64)
    # Linear interpolation errs by h^2 |f''| / 8 <= 0.0025 for these; a kink at a knot costs nothing.
    torch.testing.assert_close(value(module, inside), known_curve(init)(inside), atol=2.5e-3, rtol=0)
    outside = torch.tensor([-4.0, 4.0], dtype=torch.float64)
    torch.testing.assert_close(value(module, outside), known_curve(init)(outside), atol=0.1, rtol=0)


def test_pwlu_is_exactly_relu_and_continuous_when_changed():
    torch.testing.assert_close(value(PWLU()), F.relu(X))
    module = PWLU(intervals=5, bound=2.0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter))
    knots = torch.linspace(-2, 2, 6, dtype=torch.float64)
    torch.testing.assert_close(value(module, knots - 1e-9), value(module, knots + 1e-9), atol=1e-7, rtol=0)
    torch.testing.assert_close(value(module, knots), module.heights[0].double(), atol=1e-6, rtol=0)


def test_pwlu_passes_what_is_not_finite():
    result = PWLU()(torch.tensor([float("nan"), float("inf"), 1.0]))
    assert torch.isnan(result[0])
    assert result[1:].tolist() == [float("inf"), 1.0]


@pytest.mark.parametrize("init", CURVES)
@pytest.mark.parametrize("version", ["A", "B"])
def test_rational_starts_near_the_named_curve(init, version):
    inside = torch.linspace(-3, 3, 997, dtype=torch.float64)
    error = (value(RationalActivation(init, version=version), inside) - known_curve(init)(inside)).abs().max()
    assert error < (0.04 if init.endswith("relu") else 0.006)


def test_rational_denominator_never_vanishes():
    x = torch.linspace(-50, 50, 10_001, dtype=torch.float64)
    one = torch.tensor([1.0], dtype=torch.float64)
    hostile = torch.tensor([-3.0, 2.0, -5.0], dtype=torch.float64)
    for version in ("A", "B"):
        quotient = rational(x, one, hostile, version)
        assert ((quotient > 0) & (quotient <= 1)).all()


@pytest.mark.parametrize("version", ["A", "B"])
def test_rational_has_second_derivatives(version):
    torch.manual_seed(0)
    numerator, denominator = torch.randn(4, 3).double(), torch.randn(2, 3).double()
    x = torch.randn(5, 3).double()
    inputs = [t.requires_grad_() for t in (x, numerator, denominator)]
    assert torch.autograd.gradgradcheck(lambda *values: rational(*values, version), inputs)


def test_rational_keeps_one_tensor_for_backward():
    saved = []
    x = torch.randn(64, 64, requires_grad=True)
    module = RationalActivation(degrees=(8, 7))
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        module(x)
    assert sum(size >= x.numel() for size in saved) == 1


@pytest.mark.parametrize(
    "options",
    [{"degrees": (0, 2)}, {"degrees": (9, 2)}, {"degrees": (5,)}, {"version": "C"}, {"init": "curve"}],
)
def test_rational_refuses(options):
    with pytest.raises(InputError):
        RationalActivation(**options)


@pytest.mark.parametrize("name", ["swish", "snake", "acon_c", "xielu", "smu", "pwlu", "rational", "dice", "meta_acon"])
def test_autocast_keeps_the_inputs_type(name):
    module = build_activation(name, width=4).train()
    with torch.autocast("cpu", torch.bfloat16):
        x = nn.Linear(4, 4)(torch.randn(6, 4))
        result = module(x)
    assert x.dtype == result.dtype == torch.bfloat16
    result.float().sum().backward()
    assert all(parameter.grad.dtype == torch.float32 for parameter in module.parameters())


@pytest.mark.parametrize("name", ["swish", "snake", "smu", "xielu", "dice"])
def test_fixed_values_are_state_but_not_trained(name):
    module = build_activation(f"{name}(trainable=false)", width=3)
    assert list(module.parameters()) == []
    trained = build_activation(name, width=3)
    assert module.state_dict().keys() == trained.state_dict().keys()
    x = torch.randn(5, 3)
    torch.testing.assert_close(module.eval()(x), trained.eval()(x))


def test_conv1d_layout_by_channel_dim():
    module = Swish(num_parameters=3, channel_dim=1)
    with torch.no_grad():
        module.beta.copy_(torch.tensor([0.5, 1.0, 2.0]))
    x = torch.randn(2, 3, 7)
    torch.testing.assert_close(module(x), x * torch.sigmoid(module.beta[None, :, None] * x))


def test_activation_parameters_are_found_once():
    shared = Swish()
    model = nn.Sequential(nn.Linear(3, 4), shared, MetaAcon(4), nn.Linear(4, 2), shared, nn.PReLU(), nn.ReLU())
    names = [name for name, _ in named_activation_parameters(model)]
    expected = [
        "1.beta",
        "2.p1",
        "2.p2",
        *(f"2.switch.{i}.{n}" for i, n in [(0, "weight"), (1, "weight"), (1, "bias")]),
    ]
    assert names == [*expected, "2.switch.2.weight", "2.switch.3.weight", "2.switch.3.bias", "5.weight"]
    found = {id(parameter) for parameter in activation_parameters(model)}
    others = {id(parameter) for layer in (model[0], model[3]) for parameter in layer.parameters()}
    assert found | others == {id(parameter) for parameter in model.parameters()}
    assert not found & others


def test_activation_parameters_of_modules_that_specs_built():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.slope = nn.Parameter(torch.ones(1))

        def forward(self, x):
            return self.slope * x

    assert not is_activation(Own())
    model = nn.Sequential(nn.Linear(2, 2), build_activation(Own))
    assert [name for name, _ in named_activation_parameters(model)] == ["1.slope"]


def test_attention_is_no_activation():
    assert activation_parameters(nn.MultiheadAttention(4, 2)) == []


def test_random_starts_follow_the_seed():
    torch.manual_seed(3)
    first = AconC(5).p1
    torch.manual_seed(3)
    assert torch.equal(AconC(5).p1, first)
    many = AconC(20_000)
    np.testing.assert_allclose([many.p1.mean().item(), many.p2.std().item()], [0, 1], atol=0.03)


def test_the_page_lists_every_activation():
    page = (Path(__file__).parents[2] / "docs" / "activations" / "index.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `") and "arxiv" in line}
    public = {name for name in library.__all__ if isinstance(getattr(library, name), type)}
    assert rows == {name for name in public if issubclass(getattr(library, name), Activation)} - {"Activation"}
