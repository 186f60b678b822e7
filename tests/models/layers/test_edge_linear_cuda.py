"""EdgeLinear on a GPU: every kernel against a dense matrix in float64 and against each other, compiled, captured."""

import copy
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from axonlight.models import EdgeLinear
from torch import nn

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")
BACKENDS = ("bag", "csr", "gather", pytest.param("triton", marks=needs_triton), "dense")
EXACT = {torch.float32: 1e-5, torch.float64: 1e-10}


def edges_of(inputs=449, outputs=446, count=2609, seed=0):
    chosen = np.random.default_rng(seed).choice(inputs * outputs, count, replace=False)
    return torch.tensor(np.stack([chosen % inputs, chosen // inputs]))


def layer_of(backend, dtype=torch.float32, **options):
    torch.manual_seed(0)
    layer = EdgeLinear(edges_of(), 449, 446, backend=backend, **options)
    nn.init.normal_(layer.bias)
    return layer.to("cuda", dtype)


def results_of(network, x, g):
    """Return the output and all gradients."""
    x = x.clone().requires_grad_()
    y = network(x)
    return y, *torch.autograd.grad(y, (x, *network.parameters()), g)


@pytest.fixture(autouse=True)
def full_precision():
    """TF32 would round what dense products read."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32 = before
    torch._dynamo.reset()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [1, 10, 64, 512])
def test_output_and_gradients_equal_dense_in_float64(backend, dtype, batch):
    x, g = torch.randn(batch, 449, device="cuda"), torch.randn(batch, 446, device="cuda")
    exact = results_of(layer_of("dense", torch.float64), x.double(), g.double())
    found = results_of(layer_of(backend, dtype), x.to(dtype), g.to(dtype))
    for ours, theirs in zip(found, exact, strict=True):
        scale = float(theirs.abs().max())
        torch.testing.assert_close(ours.double(), theirs, rtol=EXACT[dtype], atol=EXACT[dtype] * scale)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_types_stay_close_to_float64(backend, dtype):
    layer = layer_of(backend, dtype)
    exact_layer = copy.deepcopy(layer).double()
    exact_layer.backend = "dense"
    x, g = torch.randn(64, 449, device="cuda").to(dtype), torch.randn(64, 446, device="cuda").to(dtype)
    exact, found = results_of(exact_layer, x.double(), g.double()), results_of(layer, x, g)
    for ours, theirs in zip(found, exact, strict=True):
        assert ours.dtype == dtype
        allowed = 4 * torch.finfo(dtype).eps
        torch.testing.assert_close(ours.double(), theirs, rtol=allowed, atol=allowed * float(theirs.abs().max()))


@pytest.mark.parametrize("backend", BACKENDS)
def test_channels_and_any_leading_shape(backend):
    layer = layer_of(backend, channels=3)
    x, g = torch.randn(2, 5, 3, 449, device="cuda"), torch.randn(2, 5, 3, 446, device="cuda")
    torch.testing.assert_close(results_of(layer, x, g), results_of(layer_of("dense", channels=3), x, g))


@pytest.mark.parametrize("backend", BACKENDS)
def test_derivatives_of_first_and_second_order(backend):
    layer = EdgeLinear(edges_of(5, 4, 9), 5, 4, backend=backend, dtype=torch.float64, device="cuda")
    x = torch.randn(3, 5, dtype=torch.float64, device="cuda", requires_grad=True)

    def run(x, weight, bias):
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,)).tanh()

    inputs = (x, layer.weight, layer.bias)
    # Kernels with atomic additions differ in the last bit from call to call.
    assert torch.autograd.gradcheck(run, inputs, check_forward_ad=True, nondet_tol=1e-12)
    assert torch.autograd.gradgradcheck(run, inputs, nondet_tol=1e-12)


@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_compiled_layers_give_the_same_numbers(backend, mode):
    layer = layer_of(backend)
    compiled = torch.compile(layer, fullgraph=True, mode=mode)
    x, g = torch.randn(64, 449, device="cuda"), torch.randn(64, 446, device="cuda")
    expected = results_of(layer, x, g)
    for _ in range(3):  # the third call replays a recorded graph, where one is recorded
        torch.compiler.cudagraph_mark_step_begin()
        found = [tensor.clone() for tensor in results_of(compiled, x, g)]
        torch.testing.assert_close(found, list(expected))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_captured_training_step_replays(backend):
    layer, x = layer_of(backend), torch.randn(64, 449, device="cuda")
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)

    def step():
        optimizer.zero_grad(set_to_none=True)
        layer(x).square().mean().backward()
        optimizer.step()

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        step()
    torch.cuda.current_stream().wait_stream(stream)
    twin = copy.deepcopy(layer)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    layer.load_state_dict(twin.state_dict())
    for _ in range(3):
        graph.replay()
    other = torch.optim.SGD(twin.parameters(), lr=0.01)
    for _ in range(3):
        other.zero_grad()
        twin(x).square().mean().backward()
        other.step()
    torch.testing.assert_close(list(layer.parameters()), list(twin.parameters()))


@needs_triton
def test_triton_gives_the_same_bits_in_every_run():
    layer = layer_of("triton")
    x, g = torch.randn(512, 449, device="cuda"), torch.randn(512, 446, device="cuda")
    first = results_of(layer, x, g)
    for _ in range(20):
        for again, before in zip(results_of(layer, x, g), first, strict=True):
            assert torch.equal(again, before)


def test_the_structure_follows_the_layer_there_and_back():
    layer, x = layer_of("auto"), torch.randn(4, 449)
    on_device = layer(x.cuda()).cpu()
    assert layer.structure.source.is_cuda
    torch.testing.assert_close(layer.cpu()(x), on_device)


def test_memory_grows_with_the_edges():
    layer = EdgeLinear(edges_of(9229, 1387, 20_000), 9229, 1387, device="cuda")
    x = torch.randn(64, 9229, device="cuda", requires_grad=True)
    layer(x).sum().backward()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    layer(x).sum().backward()
    # Input and output, each with its gradient and a copy in the other order; a dense weight alone would be 51 MB.
    assert torch.cuda.max_memory_allocated() - before < 5 * 64 * (9229 + 1387) * 4 + 20 * 20_000 * 4
