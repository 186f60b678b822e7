"""One contract for every activation of the package, against float64 references in NumPy."""

import copy
import pickle

import axonlight.activations as library
import numpy as np
import pytest
import torch
from axonlight.activations import Activation, build_activation
from scipy.special import erf, expit

UNITS = 4
# Shape and dimension of the units: dense networks, transformers, convolutions.
LAYOUTS = {"dense": ((6, UNITS), 1), "tokens": ((3, 5, UNITS), 2), "images": ((3, UNITS, 4, 5), 1)}


def over_units(values, x, dim):
    """Shape one float64 value per unit (or one for all) for broadcasting over x, without the package's own code."""
    values = np.asarray(values.detach().double())
    return values if values.size == 1 else values.reshape([-1 if d == dim else 1 for d in range(x.ndim)])


def sample_statistics(x):
    axes = tuple(range(1, x.ndim))
    return x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)


def ash(m, x, dim):
    mean, variance = sample_statistics(x)
    z, alpha = over_units(m.z, x, dim), over_units(m.alpha, x, dim)
    return x * expit(2 * alpha * (x - mean - z * np.sqrt(variance + 1e-5)))


def layer_act(m, x, dim):
    mean, variance = sample_statistics(x)
    return x * expit((x - mean) / np.sqrt(variance + 1e-5))


def dice(m, x, dim):
    mean, variance = (over_units(v, x, dim) for v in (m.norm.running_mean, m.norm.running_var))
    gate = expit((x - mean) / np.sqrt(variance + 1e-5))
    return gate * x + (1 - gate) * over_units(m.alpha, x, dim) * x


def acon(p1, p2, beta, x):
    return (p1 - p2) * x * expit(beta * (p1 - p2) * x) + p2 * x


def acon_c(m, x, dim):
    return acon(*(over_units(v, x, dim) for v in (m.p1, m.p2, m.beta)), x)


def meta_acon(m, x, dim):
    def normalise(layer, v):
        mean, variance, weight, bias = (
            np.asarray(t.detach()) for t in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
        )
        return (v - mean) / np.sqrt(variance + 1e-5) * weight + bias

    pooled = np.moveaxis(x, dim, 1).reshape(x.shape[0], UNITS, -1).mean(-1)
    hidden = normalise(m.switch[1], pooled @ np.asarray(m.switch[0].weight.detach()).T)
    beta = expit(normalise(m.switch[3], hidden @ np.asarray(m.switch[2].weight.detach()).T))
    beta = beta.reshape([x.shape[0] if d == 0 else UNITS if d == dim else 1 for d in range(x.ndim)])
    return acon(over_units(m.p1, x, dim), over_units(m.p2, x, dim), beta, x)


def xielu(m, x, dim):
    raw_p, raw_n = over_units(m.raw_alpha_p, x, dim), over_units(m.raw_alpha_n, x, dim)
    alpha_p, alpha_n = np.log1p(np.exp(raw_p)), 0.5 + np.log1p(np.exp(raw_n))
    return np.where(x > 0, alpha_p * x**2 + 0.5 * x, alpha_n * (np.exp(x) - 1) - alpha_n * x + 0.5 * x)


def per_unit_curve(curve, m, x, dim, count):
    moved = np.moveaxis(x, dim, -1)
    columns = [curve(m, moved[..., i], i if count > 1 else 0) for i in range(moved.shape[-1])]
    return np.moveaxis(np.stack(columns, axis=-1), -1, dim)


def pwlu_unit(m, x, unit):
    heights = np.asarray(m.heights.detach())[unit]
    left, right = m.left_slope[unit].item(), m.right_slope[unit].item()
    inside = np.interp(x, np.linspace(-3, 3, len(heights)), heights)
    return inside + np.minimum(x + 3, 0) * left + np.maximum(x - 3, 0) * right


def rational_unit(m, x, unit):
    numerator, denominator = (np.asarray(v.detach())[unit] for v in (m.numerator, m.denominator))
    terms = [b * x**j for j, b in enumerate(denominator, start=1)]
    bottom = sum(map(abs, terms)) if m.version == "A" else abs(sum(terms))
    return sum(a * x**j for j, a in enumerate(numerator)) / (1 + bottom)


def snake(m, x, dim):
    a = over_units(m.a, x, dim)
    return x + np.sin(a * x) ** 2 / a


def smu(m, x, dim):
    mu = over_units(m.mu, x, dim)
    return (1.25 * x + 0.75 * x * erf(mu * 0.75 * x)) / 2


# Spec, and the formula as (module, float64 input, dimension of the units) -> float64 output.
CASES = {
    "ASH": ("ash(z=0.3, alpha=0.8)", ash),
    "AconC": ("acon_c", acon_c),
    "Dice": ("dice(alpha=0.2)", dice),
    "Formula": ("formula(x*cos(a*x), a=1.3)", lambda m, x, dim: x * np.cos(over_units(m.a, x, dim) * x)),
    "GrowingCosine": ("growing_cosine", lambda m, x, dim: x * np.cos(x)),
    "LayerAct": ("layer_act", layer_act),
    "MetaAcon": ("meta_acon(reduction=3)", meta_acon),
    "PWLU": ("pwlu(init=silu)", lambda m, x, dim: per_unit_curve(pwlu_unit, m, x, dim, len(m.heights))),
    "RationalActivation": (
        "rational(init=gelu)",
        lambda m, x, dim: per_unit_curve(rational_unit, m, x, dim, len(m.numerator)),
    ),
    "RationalActivation-B": (
        "rational(init=tanh, version=B, degrees=[3, 2])",
        lambda m, x, dim: per_unit_curve(rational_unit, m, x, dim, len(m.numerator)),
    ),
    "SMU": ("smu(mu=0.7)", smu),
    "Snake": ("snake(a=1.4)", snake),
    "Swish": ("swish(beta=1.5)", lambda m, x, dim: x * expit(over_units(m.beta, x, dim) * x)),
    "TeLU": ("telu", lambda m, x, dim: x * np.tanh(np.exp(x))),
    "XIELU": ("xielu", xielu),
}
USES_BATCH_STATISTICS = ("Dice", "MetaAcon")


def make(name, *, per_unit=True, seed=0, moved=True):
    """Build an activation in evaluation mode, its values moved off their start so that units differ."""
    torch.manual_seed(seed)
    module = build_activation(CASES[name][0], width=UNITS, groups=None if per_unit else 1).eval()
    with torch.no_grad():
        for parameter in module.parameters() if moved else []:
            parameter.add_(0.1 * torch.randn_like(parameter))
        for buffer_name, buffer in module.named_buffers() if moved else []:
            if buffer_name.endswith(("running_mean", "running_var")):
                buffer.add_(0.3 * torch.rand_like(buffer))
    return module


def sample(shape, dtype=torch.float64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(shape, generator=generator, dtype=torch.float64)).to(dtype)


every_activation = pytest.mark.parametrize("name", CASES)
TRAINED = [name for name in CASES if name not in ("GrowingCosine", "LayerAct", "TeLU")]
GROUPED = [name for name in TRAINED if name != "MetaAcon"]


def test_every_public_activation_is_under_the_contract():
    public = {
        name
        for name in library.__all__
        if isinstance(getattr(library, name), type) and issubclass(getattr(library, name), Activation)
    }
    assert public - {"Activation"} == {name.partition("-")[0] for name in CASES}


@every_activation
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("per_unit", [True, False])
def test_equals_the_reference_in_float64(name, layout, per_unit):
    shape, dim = LAYOUTS[layout]
    module, x = make(name, per_unit=per_unit).double(), sample(shape)
    result = module(x)
    assert result.shape == x.shape
    assert result.dtype == torch.float64
    expected = CASES[name][1](module, x.numpy(), dim)
    np.testing.assert_allclose(result.detach().numpy(), expected, rtol=1e-10, atol=1e-10)


@every_activation
@pytest.mark.parametrize("layout", LAYOUTS)
def test_float32_agrees_with_float64(name, layout):
    module, x = make(name), sample(LAYOUTS[layout][0], torch.float32)
    result = module(x)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.double(), copy.deepcopy(module).double()(x.double()), rtol=2e-4, atol=1e-4)


@every_activation
def test_gradients_of_input_and_parameters(name):
    module = make(name).double()
    names = [key for key, _ in module.named_parameters()]

    def call(x, *values):
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), (x,))

    x = sample((3, UNITS)).requires_grad_()
    assert torch.autograd.gradcheck(call, (x, *module.parameters()))


@pytest.mark.parametrize("name", USES_BATCH_STATISTICS)
def test_gradients_through_batch_statistics(name):
    module = make(name).double().train()
    assert torch.autograd.gradcheck(module, (sample((4, UNITS)).requires_grad_(),))


GRID = torch.cat([-torch.logspace(4, -6, 61), torch.zeros(1), torch.logspace(-6, 4, 61)])


@every_activation
@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("one_sample", [False, True])
def test_finite_on_the_grid_in_float32(name, train, one_sample):
    module = make(name, moved=False).train(train)
    x = GRID.view(-1, 1).repeat(1, UNITS)
    # All of the grid in one sample, and beside it its mirror image; or each value in a sample of its own.
    x = torch.stack([x, -x]) if one_sample else x
    x.requires_grad_()
    result = module(x)
    gradients = torch.autograd.grad(result.sum(), [x, *module.parameters()])
    assert torch.isfinite(result).all()
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


@every_activation
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_half_precision(name, dtype, layout):
    module, x = make(name), sample(LAYOUTS[layout][0], dtype)
    if name == "MetaAcon":  # its linear layers want weights of the input's type
        module = module.to(dtype)
    exact = copy.deepcopy(module).double()(x.double())
    x.requires_grad_()
    result = module(x)
    (gradient,) = torch.autograd.grad(result.sum(), x)
    assert result.dtype == gradient.dtype == dtype
    assert torch.isfinite(gradient).all()
    bits = 8 if dtype is torch.bfloat16 else 11
    loose = 8 if name == "MetaAcon" else 2
    torch.testing.assert_close(result.double(), exact, rtol=loose * 2.0**-bits, atol=loose * 2.0**-bits)


@every_activation
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_all_of_the_module_in_half_precision(name, dtype):
    module, x = make(name).to(dtype), sample((6, UNITS), dtype)
    result = module(x)
    assert result.dtype == dtype
    assert torch.isfinite(result).all()
    torch.testing.assert_close(result.float(), make(name)(x.float()), rtol=0.1, atol=0.1)


@every_activation
def test_copies_pickles_and_states(name):
    module, x = make(name), sample((6, UNITS), torch.float32)
    expected = module(x)
    fresh = make(name, seed=5)
    fresh.load_state_dict(module.state_dict())
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), fresh):
        torch.testing.assert_close(other(x), expected, rtol=0, atol=0)
        assert not set(map(id, other.parameters())) & set(map(id, module.parameters()))


@every_activation
def test_compiles_to_one_graph(name):
    torch._dynamo.reset()
    module, x = make(name), sample((6, UNITS), torch.float32).requires_grad_()
    result = torch.compile(module, fullgraph=True, backend="aot_eager")(x)
    torch.testing.assert_close(result, module(x), rtol=1e-5, atol=1e-5)
    inputs = [x, *module.parameters()]
    gradients = torch.autograd.grad(result.square().sum(), inputs)
    expected = torch.autograd.grad(module(x).square().sum(), inputs)
    torch.testing.assert_close(gradients, expected, rtol=1e-4, atol=1e-4)


@every_activation
def test_exports(name):
    module, x = make(name), sample((6, UNITS), torch.float32)
    exported = torch.export.export(module, (x,)).module()
    torch.testing.assert_close(exported(x), module(x), rtol=1e-5, atol=1e-5)


@every_activation
def test_vmap_equals_the_loop(name):
    module, x = make(name).double(), sample((3, 5, UNITS))
    torch.testing.assert_close(torch.vmap(module)(x), torch.stack([module(part) for part in x]))

    def total(values, part):
        return torch.func.functional_call(module, values, (part,)).square().sum()

    values = {key: value.detach() for key, value in module.named_parameters()}
    if values:
        batched = torch.vmap(torch.func.grad(total), in_dims=(None, 0))(values, x)
        looped = [torch.func.grad(total)(values, part) for part in x]
        for key in values:
            torch.testing.assert_close(batched[key], torch.stack([gradient[key] for gradient in looped]))


@pytest.mark.parametrize("name", TRAINED)
def test_every_parameter_receives_a_gradient(name):
    module = make(name, moved=False).train()
    x = torch.linspace(-4, 4, 256).view(-1, 1).repeat(1, UNITS) + torch.arange(UNITS) / 10
    (module(x) * sample(x.shape, torch.float32)).sum().backward()
    for key, parameter in module.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key
        assert (parameter.grad != 0).all(), key


@pytest.mark.parametrize("name", GROUPED)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_group_shares_its_values(name, layout):
    labels = ["immune", "tumour", "immune", "stroma"]
    shape, _ = LAYOUTS[layout]
    grouped = build_activation(CASES[name][0], width=UNITS, groups=labels).eval().double()
    single = make(name, moved=False).double()
    assert grouped.group_names == ("immune", "tumour", "stroma")
    with torch.no_grad():
        singles = dict(single.named_parameters())
        for key, parameter in grouped.named_parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
            singles[key].copy_(parameter[[0, 1, 0, 2]])
    x = sample(shape)
    torch.testing.assert_close(grouped(x), single(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", GROUPED)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_units_values_touch_that_unit_only(name, layout):
    shape, dim = LAYOUTS[layout]
    module, x = make(name).double(), sample(shape)
    before = module(x)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter[1] += 0.5
    changed = (module(x) != before).movedim(dim, 0).flatten(1).any(dim=1)
    assert changed.tolist() == [False, True, False, False]


@every_activation
def test_two_builds_share_nothing(name):
    first, second = (build_activation(CASES[name][0], width=UNITS) for _ in range(2))
    assert first is not second
    storages = [
        {tensor.data_ptr() for tensor in module.state_dict().values() if torch.is_tensor(tensor)}
        for module in (first, second)
    ]
    assert not storages[0] & storages[1]


@pytest.mark.parametrize(("name", "key"), [("AconC", "p1"), ("MetaAcon", "p2"), ("MetaAcon", "switch.0.weight")])
def test_random_starts_differ(name, key):
    first, second = (build_activation(CASES[name][0], width=UNITS).state_dict()[key] for _ in range(2))
    assert not torch.equal(first, second)


@every_activation
def test_a_sample_is_independent_of_its_batch_mates_in_evaluation(name):
    module, x = make(name).double(), sample((6, UNITS))
    other = torch.cat([x[:1], 100 * x[1:].flip(0)])
    torch.testing.assert_close(module(other)[0], module(x)[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", TRAINED)
def test_wrong_width_is_refused_in_one_sentence(name):
    module = make(name)
    with pytest.raises(ValueError, match="units") as caught:
        module(torch.zeros(2, UNITS + 1))
    assert "\n" not in str(caught.value)
