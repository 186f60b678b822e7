"""EdgeLinear against torch's own dense linear map with a mask, in every backend."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import EdgeLinear
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

BACKENDS = ("bag", "csr", "gather", "dense")


def random_edges(inputs, outputs, count, seed=0):
    chosen = np.random.default_rng(seed).choice(inputs * outputs, count, replace=False)
    return torch.tensor(np.stack([chosen % inputs, chosen // inputs]))


def layer_of(backend="auto", inputs=13, outputs=7, count=30, **options):
    return EdgeLinear(random_edges(inputs, outputs, count), inputs, outputs, backend=backend, **options)


def reference(layer, x):
    """Fill a matrix edge by edge and multiply; independent of how the layer scatters."""
    matrix = torch.zeros(layer.out_features, layer.in_features, dtype=x.dtype)
    for value, (source, target) in zip(layer.weight.detach().tolist(), layer.edges.T.tolist(), strict=True):
        matrix[target, source] = value
    matrix.requires_grad_()
    bias = (
        torch.zeros(layer.out_features, dtype=x.dtype)
        if layer.bias is None
        else layer.bias.detach().to(x.dtype, copy=True)
    )
    bias.requires_grad_()
    mask = (matrix != 0).to(x.dtype)
    return nn.functional.linear(x, matrix * mask, bias), matrix, bias


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("shape", [(64, 449), (1, 449), (449,), (3, 5, 449)])
def test_output_and_gradients_equal_masked_dense(backend, dtype, tolerance, shape):
    layer = layer_of(backend, 449, 446, 2609, dtype=dtype)
    nn.init.normal_(layer.bias)
    x, x_reference = (torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    x.requires_grad_(), x_reference.requires_grad_()
    y = layer(x)
    y_reference, matrix, bias = reference(layer, x_reference)
    g = torch.randn_like(y)
    y.backward(g)
    y_reference.backward(g)
    scale = float(g.abs().max() * x.detach().abs().max())
    source, target = layer.edges
    assert y.shape == y_reference.shape
    for ours, theirs in [
        (y, y_reference),
        (x.grad, x_reference.grad),
        (layer.weight.grad, matrix.grad[target, source]),
        (layer.bias.grad, bias.grad),
    ]:
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance * scale)


@settings(max_examples=40)
@given(data=st.data(), inputs=st.integers(1, 9), outputs=st.integers(1, 9), batch=st.integers(0, 5))
def test_backends_agree_on_any_edges(data, inputs, outputs, batch):
    chosen = data.draw(st.lists(st.integers(0, inputs * outputs - 1), min_size=1, unique=True))
    edges = torch.tensor([[pair % inputs for pair in chosen], [pair // inputs for pair in chosen]])
    x = torch.randn(batch, inputs, dtype=torch.float64, requires_grad=True)
    results = []
    for backend in (*BACKENDS, "auto"):
        torch.manual_seed(0)
        layer = EdgeLinear(edges, inputs, outputs, backend=backend, dtype=torch.float64)
        y = layer(x)
        results.append((y, *torch.autograd.grad(y.square().sum(), (x, layer.weight, layer.bias))))
    for result in results[1:]:
        for ours, theirs in zip(result, results[0], strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("channels", [None, 3])
def test_derivatives_of_first_and_second_order(backend, channels):
    layer = layer_of(backend, 5, 4, 9, channels=channels, dtype=torch.float64)
    shape = (3, 5) if channels is None else (3, channels, 5)
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)

    def run(x, weight, bias):
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,)).tanh()

    inputs = (x, layer.weight, layer.bias)
    assert torch.autograd.gradcheck(run, inputs, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(run, inputs)


def test_only_the_gradients_asked_for_are_computed(monkeypatch):
    from axonlight.models.layers import _eager

    calls = []
    for name in ("product", "sampled"):
        kernel = getattr(_eager, name)
        monkeypatch.setattr(_eager, name, lambda *args, name=name, kernel=kernel: calls.append(name) or kernel(*args))
    layer, x = layer_of("bag"), torch.randn(4, 13)
    layer(x).sum().backward()
    assert calls == ["product", "sampled"]
    calls.clear()
    layer.requires_grad_(False)
    layer(x.requires_grad_()).sum().backward()
    assert calls == ["product", "product"]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("backend", BACKENDS)
def test_channels_are_layers_side_by_side(channels, backend):
    layer = layer_of(backend, channels=channels)
    single = layer_of(backend)
    x = torch.randn(2, 5, channels, 13)
    for index in range(channels):
        single.load_state_dict({**layer.state_dict(), "weight": layer.weight[index], "bias": layer.bias[index]})
        torch.testing.assert_close(layer(x)[..., index, :], single(x[..., index, :]))
        torch.testing.assert_close(layer(x[..., :1, :])[..., index, :], single(x[..., 0, :]))
    assert layer(x).shape == (2, 5, channels, 7)
    assert layer.weight.shape == (channels, 30)


@pytest.mark.parametrize("backend", BACKENDS)
def test_outputs_without_edges_give_their_bias(backend):
    layer = EdgeLinear(torch.tensor([[0, 2], [1, 1]]), 3, 4, backend=backend)
    nn.init.normal_(layer.bias)
    y = layer(torch.randn(6, 3))
    torch.testing.assert_close(y[:, [0, 2, 3]], layer.bias[[0, 2, 3]].expand(6, 3))
    assert y[:, 1].std() > 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_inputs_without_edges_have_no_influence_whatever_they_hold(backend):
    layer = EdgeLinear(torch.tensor([[0, 2], [1, 0]]), 3, 2, backend=backend)
    x = torch.randn(4, 3)
    x[:, 1] = 1e30
    assert layer(x).abs().max() < 1e3


def test_parameters_are_counted_exactly():
    layer = layer_of(inputs=449, outputs=446, count=2609)
    assert sum(parameter.numel() for parameter in layer.parameters()) == 2609 + 446
    assert sum(p.numel() for p in layer_of(count=30, bias=False).parameters()) == 30
    assert sum(p.numel() for p in layer_of(count=30, channels=4).parameters()) == 4 * (30 + 7)


def test_weight_decay_creates_no_edge():
    layer = layer_of()
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(5):
        optimizer.zero_grad()
        layer(torch.randn(16, 13)).square().sum().backward()
        optimizer.step()
    living = layer.dense_weight().detach().nonzero()
    assert sorted(map(tuple, living.tolist())) == sorted(map(tuple, layer.edges.flip(0).T.tolist()))


def test_values_lie_in_the_order_of_the_edges():
    layer = EdgeLinear(torch.tensor([[2, 0, 1], [0, 1, 0]]), 3, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([5.0, 7.0, 11.0]))
    assert layer.dense_weight().tolist() == [[0.0, 11.0, 5.0], [7.0, 0.0, 0.0]]
    assert layer.edges.tolist() == [[2, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_copies_are_equal_and_independent(copied):
    layer, x = layer_of(), torch.randn(4, 13)
    twin = copied(layer)
    expected = layer(x)
    torch.testing.assert_close(twin(x), expected, rtol=0, atol=0)
    nn.init.zeros_(twin.weight)
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=0)


def test_state_survives_a_file_and_other_edges_refuse_it():
    layer, x = layer_of(), torch.randn(4, 13)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    assert set(state) == {"weight", "bias", "edges_digest"}
    torch.manual_seed(5)
    twin = layer_of()
    twin.load_state_dict(state)
    torch.testing.assert_close(twin(x), layer(x), rtol=0, atol=0)
    reordered = EdgeLinear(layer.edges[:, torch.randperm(30)], 13, 7)
    network = nn.Sequential(EdgeLinear(random_edges(13, 7, 30, seed=1), 13, 7))
    with pytest.raises(InputError, match="the state of this layer belongs to other edges or to another order"):
        reordered.load_state_dict(state)
    with pytest.raises(InputError, match=r"the state of 0 belongs to other edges .* \(30 there, 30 here\)"):
        network.load_state_dict({f"0.{key}": value for key, value in state.items()})


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_types_round_only_at_the_ends(backend, dtype):
    layer = layer_of(backend, 100, 20, 300).to(dtype)
    x = torch.randn(8, 100).to(dtype)
    exact, _, _ = reference(layer, x.double())
    assert layer(x).dtype == dtype
    torch.testing.assert_close(layer(x), exact.to(dtype), rtol=torch.finfo(dtype).eps, atol=1e-6)
    layer(x.requires_grad_()).float().square().sum().backward()
    assert x.grad.dtype == layer.weight.grad.dtype == layer.bias.grad.dtype == dtype
    assert all(tensor.grad.isfinite().all() for tensor in (x, layer.weight, layer.bias))


@pytest.mark.parametrize("backend", BACKENDS)
def test_autocast_computes_in_float32_and_returns_its_type(backend):
    layer, x = layer_of(backend), torch.randn(8, 13)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(x)
        y.float().square().sum().backward()
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y, layer(x).bfloat16(), rtol=0, atol=0)
    assert layer.weight.grad.dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert copy.deepcopy(layer).double()(x.double()).dtype == torch.float64


def test_without_mkl_the_bags_still_work(monkeypatch):
    layer, x = layer_of("bag", 60, 40, 300), torch.randn(8, 60)
    expected = torch.autograd.grad(layer(x).square().sum(), layer.weight)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    torch.testing.assert_close(torch.autograd.grad(layer(x).square().sum(), layer.weight), expected)
    layer.backend = "csr"
    with pytest.raises(InputError, match="needs MKL"):
        layer(x)


def test_gathers_in_blocks_equal_one_gather(monkeypatch):
    from axonlight.models.layers import _kernels

    layer, x = layer_of("gather", 60, 40, 300), torch.randn(8, 60)
    whole = (layer(x), *torch.autograd.grad(layer(x).square().sum(), layer.weight))
    monkeypatch.setattr(_kernels, "_GATHERED_VALUES", 8 * 7)
    blocks = (layer(x), *torch.autograd.grad(layer(x).square().sum(), layer.weight))
    torch.testing.assert_close(blocks, whole)


def test_the_choice_follows_density_and_size():
    assert layer_of(inputs=28, outputs=1, count=28).chosen_backend(64) == "dense"
    assert layer_of(inputs=100, outputs=100, count=5000).chosen_backend(64) == "dense"
    large = layer_of(inputs=2000, outputs=500, count=4000)
    assert {large.chosen_backend(batch) for batch in (1, 10, 64, 512)} == {"bag"}
    assert large.chosen_backend(64, "mps") == "gather"
    assert layer_of("csr").chosen_backend(64) == "csr"


def test_the_structure_follows_the_layer_to_its_device():
    edges = random_edges(13, 7, 30)
    with torch.device("meta"):
        layer = EdgeLinear(edges, 13, 7)
    assert layer.weight.is_meta
    assert not layer.structure.source.is_meta
    layer.to_empty(device="cpu")
    layer.reset_parameters()
    torch.manual_seed(0)
    twin = layer_of()
    twin.load_state_dict(layer.state_dict())
    x = torch.randn(3, 13)
    torch.testing.assert_close(layer(x), twin(x))


@pytest.mark.parametrize(
    ("edges", "sentence"),
    [
        ([[0, 1], [0, 1]], "edges is a list"),
        (torch.tensor([[0, 1], [0, 1]], dtype=torch.int32), r"edges has type torch.int32; it must be torch.int64"),
        (torch.tensor([[0, 0], [1, 1], [2, 2]]), r"edges has shape \(3, 2\).*transpose it"),
        (torch.zeros(2, 0, dtype=torch.int64), "edges is empty"),
        (torch.tensor([[0, 9], [0, 1]]), "edge 1 goes from input 9 to output 1; inputs run from 0 to 3"),
        (torch.tensor([[0, 1], [0, -1]]), "edge 1 goes from input 1 to output -1; outputs run from 0 to 2"),
        (torch.tensor([[3, 1, 3], [2, 0, 2]]), "edges 0 and 2 both go from input 3 to output 2"),
    ],
)
def test_unusable_edges_are_refused(edges, sentence):
    with pytest.raises(InputError, match=sentence):
        EdgeLinear(edges, 4, 3)


def test_unusable_options_and_inputs_are_refused():
    edges = torch.tensor([[0], [0]])
    for options, sentence in [
        ({"backend": "dens"}, "did you mean 'dense'"),
        ({"init": "zeros"}, "init is 'zeros'"),
        ({"channels": 0}, "channels is 0"),
    ]:
        with pytest.raises(InputError, match=sentence):
            EdgeLinear(edges, 2, 2, **options)
    with pytest.raises(InputError, match="in_features is 0"):
        EdgeLinear(edges, 0, 2)
    layer = EdgeLinear(edges, 2, 2)
    with pytest.raises(InputError, match=r"shape \(4, 3\); its last dimension must be 2"):
        layer(torch.zeros(4, 3))
    with pytest.raises(InputError, match=r"type torch\.float64 and the weights torch.float32"):
        layer(torch.zeros(4, 2, dtype=torch.float64))
    with pytest.raises(InputError, match=r"\(3 or 1, 2\)"):
        EdgeLinear(edges, 2, 2, channels=3)(torch.zeros(4, 2))


def test_what_was_decided_about_a_kind_of_input_is_decided_anew_when_something_changes(monkeypatch):
    from axonlight.models.layers import _eager

    layer, x = layer_of(), torch.randn(4, 13)
    for _ in range(2):
        expected = layer(x)
    kernels = []
    product = _eager.product
    monkeypatch.setattr(_eager, "product", lambda *args: kernels.append(args[-1]) or product(*args))
    for backend in ("gather", "bag", "csr"):
        layer.backend = backend
        for _ in range(2):
            torch.testing.assert_close(layer(x), expected)
    assert kernels == ["gather", "gather", "bag", "bag", "csr", "csr"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    weights = {name: parameter.double() for name, parameter in layer.named_parameters()}
    with pytest.raises(InputError, match=r"type torch\.float32 and the weights torch.float64"):
        torch.func.functional_call(layer, weights, (x,))
    layer.double()
    torch.testing.assert_close(layer(x.double()), expected.double())
    with pytest.raises(InputError, match=r"type torch\.float32 and the weights torch.float64"):
        layer(x)


def test_kinds_of_input_are_forgotten_when_there_are_many():
    layer = layer_of()
    for batch in range(200):
        assert layer(torch.zeros(batch, 13)).shape == (batch, 7)
    assert len(layer._plans) <= 64
