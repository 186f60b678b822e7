import pytest
import torch
from axonlight.activations import ASH, ash, percentile_to_z, z_to_percentile
from axonlight.activations._ash_function import BLOCK, composed_ash
from axonlight.activations.base import unit_dimension
from axonlight.activations.statistics import reduced_dimensions
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

DIMS_SHAPES = [
    ("sample", (3, 5)),
    ("sample", (2, 4, 3)),
    ("sample", (2, 3, 4, 2)),
    ("channel", (2, 4, 3)),
    ("channel", (2, 3, 4, 2)),
    ("last", (3, 5)),
    ("last", (2, 4, 3)),
    ("last", (2, 3, 4, 2)),
]


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def plain_formula(x, z, alpha, dims, eps=1e-5, mode="smooth", slope=0.01):
    """The definition in composed operators, with torch's own statistics, differentiated by autograd."""
    reduced = reduced_dimensions(x, dims)
    threshold = x.mean(reduced, keepdim=True) + z * (x.var(reduced, correction=0, keepdim=True) + eps).sqrt()
    gate = torch.sigmoid(2 * alpha * (x - threshold))
    return x * (slope + (1 - slope) * gate if mode == "leaky" else gate)


def as_units(values, x):
    return values.view(-1, *(1,) * (x.dim() - unit_dimension(x) - 1)) if values.numel() > 1 else values


# --- limits of the definition ---------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(st.floats(-2, 2), st.integers(0, 2**16))
def test_large_alpha_is_the_hard_rectifier(z, seed):
    x = normal(3, 40, seed=seed)
    threshold = x.mean(1, keepdim=True) + z * (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(ash(x, z, 1e9), torch.where(x >= threshold, x, 0), atol=1e-4, rtol=0)
    torch.testing.assert_close(ash(x, z, 1.0, mode="hard"), torch.where(x >= threshold, x, 0), atol=0, rtol=0)


def test_small_alpha_is_half_the_input():
    x = normal(3, 40)
    torch.testing.assert_close(ASH(alpha=1e-9).double()(x), x / 2, atol=1e-6, rtol=0)


def test_alpha_one_half_at_threshold_zero_is_silu():
    x = normal(4, 8, 6)
    x = torch.cat([x, -x], 1)  # mean exactly 0, and z = 0
    torch.testing.assert_close(ash(x, 0.0, 0.5), nn.functional.silu(x), atol=1e-12, rtol=0)


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(512), nn.LayerNorm(512)])
def test_after_a_normalisation_it_is_swish_with_a_bias(norm):
    x = norm(3 + 5 * normal(256, 512, dtype=torch.float32)).detach()
    swish = x * torch.sigmoid(2 * 0.8 * (x - 0.5))
    difference = ash(x, 0.5, 0.8) - swish
    assert difference.abs().mean() < 0.03 * swish.abs().mean()  # mu and sigma of 512 values vary by some 4 %
    unnormalised = 3 + 5 * x
    far = ash(unnormalised, 0.5, 0.8) - unnormalised * torch.sigmoid(1.6 * (unnormalised - 0.5))
    assert far.abs().mean() > 10 * difference.abs().mean()


# --- a sample is alone ----------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(DIMS_SHAPES), st.sampled_from(["smooth", "hard", "leaky"]), st.integers(0, 2**16))
def test_batch_mates_and_their_order_change_nothing(dims_shape, mode, seed):
    dims, shape = dims_shape
    x = normal(*shape, seed=seed)
    y = ash(x, 0.3, 0.7, dims=dims, mode=mode)
    order = torch.randperm(shape[0], generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(ash(x[order], 0.3, 0.7, dims=dims, mode=mode), y[order], atol=1e-12, rtol=0)
    others = x.clone()
    others[1:] = 100 * normal(*shape, seed=seed + 1)[1:]
    torch.testing.assert_close(ash(others, 0.3, 0.7, dims=dims, mode=mode)[0], y[0], atol=1e-12, rtol=0)


def test_training_and_evaluation_agree():
    module, x = ASH(z=0.4), normal(4, 6, dtype=torch.float32)
    assert torch.equal(module.train()(x), module.eval()(x))


def test_blocks_of_samples_leave_no_seam():
    samples = 3 * BLOCK // (8 * 32 * 32) + 1  # a last block that is not full
    x = normal(samples, 8, 32, 32).requires_grad_()
    z, alpha = (torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in (0.3, 0.7))
    y, expected = ash(x, z, alpha), plain_formula(x, z, alpha, "sample")
    torch.testing.assert_close(y, expected, atol=1e-10, rtol=0)
    g = normal(*x.shape, seed=1)
    for ours, theirs in zip(
        torch.autograd.grad(y, (x, z, alpha), g), torch.autograd.grad(expected, (x, z, alpha), g), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-10)


# --- gradients ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", [False, True])
@pytest.mark.parametrize("mode", ["smooth", "leaky"])
@pytest.mark.parametrize(("dims", "shape"), DIMS_SHAPES)
def test_gradients_of_both_orders_check_numerically(dims, shape, mode, units):
    x = normal(*shape).requires_grad_()
    n = shape[unit_dimension(x)] if units else 1
    z = (0.3 + 0.2 * normal(n, seed=1)).requires_grad_()
    alpha = (0.7 + 0.3 * normal(n, seed=2).tanh()).requires_grad_()

    def function(x, z, alpha):
        return ash(x, as_units(z, x), as_units(alpha, x), dims=dims, mode=mode)

    assert torch.autograd.gradcheck(function, (x, z, alpha))
    assert torch.autograd.gradgradcheck(function, (x, z, alpha))


@pytest.mark.parametrize("units", [False, True])
@pytest.mark.parametrize("mode", ["smooth", "leaky"])
@pytest.mark.parametrize(("dims", "shape"), DIMS_SHAPES)
def test_analytic_equals_composed(dims, shape, mode, units):
    x = (2 + 3 * normal(*shape)).requires_grad_()
    n = shape[unit_dimension(x)] if units else 1
    z = (0.3 + normal(n, seed=1)).requires_grad_()
    alpha = (0.7 + normal(n, seed=2).abs()).requires_grad_()
    y = ash(x, as_units(z, x), as_units(alpha, x), dims=dims, mode=mode)
    expected = plain_formula(x, as_units(z, x), as_units(alpha, x), dims, mode=mode)
    torch.testing.assert_close(y, expected, atol=1e-10, rtol=0)
    g = normal(*shape, seed=3)
    for ours, theirs in zip(
        torch.autograd.grad(y, (x, z, alpha), g), torch.autograd.grad(expected, (x, z, alpha), g), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-10)


def test_hard_mode_has_the_smooth_gradient():
    x = normal(3, 10).requires_grad_()
    (hard,) = torch.autograd.grad(ash(x, 0.2, 0.9, mode="hard").sum(), x)
    (smooth,) = torch.autograd.grad(ash(x, 0.2, 0.9).sum(), x)
    torch.testing.assert_close(hard, smooth, atol=1e-14, rtol=0)  # a small smooth input sums in another order
    masked = ash(x, 0.2, 0.9, mode="hard", mask=torch.ones(3, dtype=torch.bool))
    torch.testing.assert_close(masked, ash(x, 0.2, 0.9, mode="hard"), atol=0, rtol=0)
    torch.testing.assert_close(torch.autograd.grad(masked.sum(), x)[0], smooth, atol=1e-12, rtol=0)


@pytest.mark.parametrize("mode", ["smooth", "hard", "leaky"])
@pytest.mark.parametrize("value", [0.0, 3.0, -1e4, 1e4])
def test_constant_input_has_a_finite_gradient(value, mode):
    module = ASH(z=0.5, mode=mode)
    x = torch.full((2, 32), value, requires_grad=True)
    y = module(x)
    y.sum().backward()
    assert y.isfinite().all()
    assert all(t.grad.isfinite().all() for t in (x, module.z, module.raw_alpha))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e3])
def test_wide_range_is_finite(dtype, alpha):
    module = ASH(alpha=alpha)
    x = torch.linspace(-1e4, 1e4, 257).to(dtype).view(1, -1).requires_grad_()
    y = module(x)
    y.sum().backward()
    assert y.dtype == dtype
    assert x.grad.dtype == dtype
    assert y.isfinite().all()
    assert all(t.grad.isfinite().all() for t in (x, module.z, module.raw_alpha))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_types_compute_in_float32(dtype):
    x = (2 * normal(4, 300, dtype=torch.float32)).to(dtype)
    torch.testing.assert_close(ash(x, 0.3), ash(x.float(), 0.3).to(dtype), rtol=0, atol=0)


def test_autocast_keeps_the_inputs_type():
    layer, module = nn.Linear(6, 8), ASH(num_parameters=8)
    with torch.autocast("cpu", torch.bfloat16):
        y = module(layer(normal(4, 6, dtype=torch.float32)))
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert all(p.grad.isfinite().all() for p in (*layer.parameters(), *module.parameters()))


# --- masks, graphs, quantiles ---------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", ["normal", "quantile"])
@pytest.mark.parametrize("mode", ["smooth", "hard", "leaky"])
@pytest.mark.parametrize("dims", ["sample", "channel", "last"])
def test_mask_equals_computing_on_the_unpadded_sample(dims, mode, threshold):
    module = ASH(z=0.3, alpha=0.8, dims=dims, mode=mode, threshold=threshold).double()
    x, lengths = normal(3, 6, 4), [6, 1, 4]
    mask = torch.arange(6) < torch.tensor(lengths)[:, None]
    x[~mask] = torch.nan  # whatever stands there
    x.requires_grad_()
    y = module(x, mask=mask)
    y.square().sum().backward()
    for i, length in enumerate(lengths):
        own = x.detach()[i : i + 1, :length].requires_grad_()
        own_y = module(own)
        own_y.square().sum().backward()
        torch.testing.assert_close(y[i, :length], own_y[0], atol=1e-10, rtol=0)
        torch.testing.assert_close(x.grad[i, :length], own.grad[0], atol=1e-10, rtol=0)
    assert (y[~mask] == 0).all()
    assert (x.grad[~mask] == 0).all()


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(0, 4), min_size=2, max_size=16),
    st.sampled_from(["sample", "last"]),
    st.sampled_from(["smooth", "hard", "leaky"]),
)
def test_graph_batch_equals_one_call_per_graph(labels, dims, mode):
    batch, x = torch.tensor(labels), normal(len(labels), 3, seed=len(labels))
    y = ash(x, 0.3, 0.8, dims=dims, mode=mode, batch=batch)
    for label in set(labels):
        rows = batch == label
        own = ash(x[rows][None], 0.3, 0.8, dims=dims, mode=mode)[0]
        torch.testing.assert_close(y[rows], own, atol=1e-10, rtol=0)


@pytest.mark.parametrize("z", [-1.0, 0.0, 0.5, 1.5])
def test_normal_threshold_is_near_the_exact_quantile_on_gaussian_input(z):
    # n = 65,536: the standard error of either threshold is below 0.01 sigma for |z| <= 1.5.
    x = 2 + 3 * normal(4, 64, 32, 32)
    difference = ash(x, z, 1.0) - ash(x, z, 1.0, threshold="quantile")
    scale = x.abs().mean()
    assert difference.abs().mean() < 0.01 * scale
    passed = (ash(x, z, 1.0, mode="hard") != 0).double().flatten(1).mean(1)
    assert ((passed - z_to_percentile(z) / 100).abs() < 0.005).all()


def test_quantile_mode_keeps_its_share_where_the_normal_model_fails():
    x = normal(4, 4096).exp() ** 2  # log-normal: far from normal
    hard = {"mode": "hard", "z": percentile_to_z(10)}
    exact = (ash(x, threshold="quantile", **hard) != 0).double().mean().item()
    normal_model = (ash(x, **hard) != 0).double().mean().item()
    assert exact == pytest.approx(0.10, abs=1e-3)
    assert normal_model < 0.05


def test_quantile_mode_trains_z_and_alpha():
    module = ASH(threshold="quantile").double()
    x = normal(3, 11).requires_grad_()

    def function(x, z, raw_alpha):
        return torch.func.functional_call(module, {"z": z, "raw_alpha": raw_alpha}, (x,))

    z = torch.tensor([0.37], dtype=torch.float64, requires_grad=True)
    raw_alpha = torch.tensor([0.4], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, (x, z, raw_alpha))


def test_percentiles_follow_the_published_convention():
    assert percentile_to_z(2.5) == pytest.approx(1.959964, abs=1e-6)
    assert percentile_to_z(50) == 0
    assert z_to_percentile(0) == 50


@given(st.floats(1e-6, 99.9999))
def test_percentile_and_z_are_inverse(percent):
    assert z_to_percentile(percentile_to_z(percent)) == pytest.approx(percent, rel=1e-9)


# --- function transforms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["smooth", "hard", "leaky"])
def test_vmap_and_function_transforms(mode):
    x = normal(3, 4, 5)
    z = torch.tensor([[0.1], [0.5], [0.9]], dtype=torch.float64)
    alpha = torch.ones(1, dtype=torch.float64)

    def function(x, z):
        return ash(x, z, alpha, mode=mode)

    expected = torch.stack([function(a, b) for a, b in zip(x, z, strict=True)])
    torch.testing.assert_close(torch.vmap(function)(x, z), expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(torch.vmap(function, (None, 0))(x[0], z)[1], function(x[0], z[1]), atol=1e-12, rtol=0)

    def loss(x, z):
        return function(x, z).square().sum()

    per_network = torch.vmap(torch.func.grad(loss, argnums=(0, 1)))(x, z)
    for i in range(3):
        own = torch.func.grad(loss, argnums=(0, 1))(x[i], z[i])
        for got, want in zip(per_network, own, strict=True):
            torch.testing.assert_close(got[i], want, atol=1e-12, rtol=0)


def test_second_derivative_by_function_transforms():
    x = normal(2, 4)
    z, alpha = (torch.tensor([v], dtype=torch.float64) for v in (0.3, 0.7))
    got = torch.func.jacrev(torch.func.jacrev(lambda x: ash(x, z, alpha).square().sum()))(x)
    expected = torch.func.hessian(lambda x: plain_formula(x, z, alpha, "sample").square().sum())(x)
    torch.testing.assert_close(got, expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize("mode", ["smooth", "hard", "leaky"])
def test_composed_expression_equals_the_fast_path(mode):
    x = normal(3, 7)
    mean, std = x.mean(1, keepdim=True), (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    alpha = torch.tensor([0.8], dtype=torch.float64)
    composed = composed_ash(x, mean + 0.3 * std, alpha, mode)
    torch.testing.assert_close(composed, ash(x, 0.3, 0.8, mode=mode), atol=1e-12, rtol=0)
