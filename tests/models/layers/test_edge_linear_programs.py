"""EdgeLinear where more than plain eager code runs it: transforms, compilers, exporters, several processes."""

import os

import numpy as np
import pytest
import torch
from axonlight.models import EdgeLinear
from torch import multiprocessing, nn

SPARSE = ("bag", "csr", "gather")
BACKENDS = (*SPARSE, "dense")


def edges_of(inputs=13, outputs=7, count=30, seed=0):
    chosen = np.random.default_rng(seed).choice(inputs * outputs, count, replace=False)
    return torch.tensor(np.stack([chosen % inputs, chosen // inputs]))


def network_of(backend="bag", dtype=torch.float32):
    torch.manual_seed(0)
    edges = edges_of()
    return nn.Sequential(
        EdgeLinear(edges, 13, 7, backend=backend, dtype=dtype),
        nn.Tanh(),
        EdgeLinear(edges.flip(0), 7, 13, backend=backend, dtype=dtype),
    )


@pytest.fixture
def fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("backend", BACKENDS)
def test_transforms_equal_loops(backend):
    network, x = network_of(backend, torch.float64), torch.randn(4, 13, dtype=torch.float64)
    one_by_one = torch.stack([network(row) for row in x])
    torch.testing.assert_close(torch.func.vmap(network)(x), one_by_one)
    jacobian = torch.stack([torch.autograd.functional.jacobian(network, row) for row in x])
    torch.testing.assert_close(torch.func.vmap(torch.func.jacrev(network))(x), jacobian)
    torch.testing.assert_close(torch.func.vmap(torch.func.jacfwd(network))(x), jacobian)
    vectorized = torch.autograd.functional.jacobian(network, x[0], vectorize=True)
    torch.testing.assert_close(vectorized, jacobian[0])

    def loss(row):
        return network(row).sin().sum()

    hessian = torch.autograd.functional.hessian(loss, x[0])
    torch.testing.assert_close(torch.func.hessian(loss)(x[0]), hessian)


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_of_each_sample(backend):
    network, x = network_of(backend, torch.float64), torch.randn(4, 13, dtype=torch.float64)
    parameters = {name: parameter.detach() for name, parameter in network.named_parameters()}

    def loss(parameters, row):
        return torch.func.functional_call(network, parameters, (row,)).square().sum()

    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, x)
    for index, row in enumerate(x):
        expected = torch.autograd.grad(network(row).square().sum(), list(network.parameters()))
        for (name, _), gradient in zip(network.named_parameters(), expected, strict=True):
            torch.testing.assert_close(found[name][index], gradient)


@pytest.mark.parametrize("backend", BACKENDS)
def test_stacked_replicas_equal_their_loop(backend):
    edges = edges_of()
    layers = [EdgeLinear(edges, 13, 7, backend=backend, dtype=torch.float64) for _ in range(3)]
    parameters, buffers = torch.func.stack_module_state(layers)
    x = torch.randn(5, 13, dtype=torch.float64)

    def run(parameters, buffers, x):
        return torch.func.functional_call(layers[0], (parameters, buffers), (x,))

    y = torch.func.vmap(run, in_dims=(0, 0, None))(parameters, buffers, x)
    torch.testing.assert_close(y, torch.stack([layer(x) for layer in layers]))
    y.square().sum().backward()
    for index, layer in enumerate(layers):
        layer(x).square().sum().backward()
        torch.testing.assert_close(parameters["weight"].grad[index], layer.weight.grad)


def test_a_gradient_penalty_trains():
    network, x = network_of(dtype=torch.float64), torch.randn(4, 13, dtype=torch.float64, requires_grad=True)

    def penalty(network):
        (slope,) = torch.autograd.grad(network(x).sin().sum(), x, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), list(network.parameters()), materialize_grads=True)

    dense = network_of("dense", torch.float64)
    torch.testing.assert_close(penalty(network), penalty(dense))


@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.parametrize("backend", BACKENDS)
def test_compiled_graphs_have_no_breaks(backend):
    network = network_of(backend)
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    for batch in (4, 9):
        x = torch.randn(batch, 13, requires_grad=True)
        found = torch.autograd.grad(compiled(x).square().sum(), (x, *network.parameters()))
        expected = torch.autograd.grad(network(x).square().sum(), (x, *network.parameters()))
        torch.testing.assert_close(found, expected)


@pytest.mark.usefixtures("fresh_compiler")
def test_transforms_inside_compiled_graphs():
    network, x = network_of(), torch.randn(4, 13)
    jacobians = torch.func.vmap(torch.func.jacrev(network))
    torch.testing.assert_close(torch.compile(jacobians, fullgraph=True, backend="aot_eager")(x), jacobians(x))


@pytest.mark.usefixtures("fresh_compiler")
def test_generated_code_gives_the_same_numbers():
    network, x = network_of(), torch.randn(4, 13, requires_grad=True)
    compiled = torch.compile(network, fullgraph=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(compiled(x), network(x), rtol=2e-2, atol=2e-2)
    found = torch.autograd.grad(compiled(x).square().sum(), (x, *network.parameters()))
    expected = torch.autograd.grad(network(x).square().sum(), (x, *network.parameters()))
    torch.testing.assert_close(found, expected)


def test_the_operators_obey_the_rules_of_torch():
    from axonlight.models.layers._custom_operators import edge_product_operator, edge_sampled_operator

    structure = EdgeLinear(edges_of(), 13, 7).structure
    weight = torch.randn(30, dtype=torch.float64, requires_grad=True)
    x, y = (torch.randn(size, 4, dtype=torch.float64, requires_grad=True) for size in (13, 7))
    checks = ("test_schema", "test_faketensor", "test_autograd_registration", "test_aot_dispatch_static")
    for operator, arguments in [
        (edge_product_operator, (weight, x, *structure, False, "bag")),
        (edge_product_operator, (weight, y, *structure, True, "csr")),
        (edge_sampled_operator, (y, x, *structure, "gather")),
    ]:
        torch.library.opcheck(operator, arguments, test_utils=checks)
    assert torch.autograd.gradgradcheck(
        lambda *args: edge_product_operator(*args, *structure, True, "bag"), (weight, y)
    )


@pytest.mark.parametrize("channels", [None, 2])
def test_exported_programs_take_any_batch(channels, tmp_path):
    layer = EdgeLinear(edges_of(), 13, 7, channels=channels)
    x = torch.randn(4, 13) if channels is None else torch.randn(4, channels, 13)
    program = torch.export.export(layer, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, tmp_path / "layer.pt2")
    loaded = torch.export.load(tmp_path / "layer.pt2").module()
    torch.testing.assert_close(loaded(x[:3]), layer(x[:3]))
    used = {str(node.target) for node in program.graph.nodes}
    assert not [name for name in used if "axonlight" in name]


def test_onnx_runs_elsewhere(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    network, x = network_of().eval(), torch.randn(4, 13)
    path = tmp_path / "network.onnx"
    batch = ({0: torch.export.Dim("batch")},)
    torch.onnx.export(network, (x,), path, dynamo=True, dynamic_shapes=batch, verbose=False)
    session = onnxruntime.InferenceSession(path)
    (y,) = session.run(None, {session.get_inputs()[0].name: x[:3].numpy()})
    np.testing.assert_allclose(y, network(x[:3]).detach().numpy(), rtol=1e-5, atol=1e-6)


def train(network, x, steps=3):
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        network(x).square().mean().backward()
        optimizer.step()
    return [parameter.detach().numpy() for parameter in network.parameters()]


def train_one_rank(rank, rendezvous, folder):
    torch.distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=2)
    network = nn.parallel.DistributedDataParallel(network_of(dtype=torch.float64))
    x = torch.load(folder / "x.pt")
    np.savez(folder / f"rank{rank}.npz", *train(network, x[rank::2]))
    # Ending in the ordinary way can deadlock: the group's thread wants the interpreter, which waits for that thread.
    os._exit(0)


def test_two_processes_equal_one(tmp_path):
    x = torch.randn(8, 13, dtype=torch.float64)
    torch.save(x, tmp_path / "x.pt")
    rendezvous = (tmp_path / "rendezvous").as_uri()
    multiprocessing.spawn(train_one_rank, (rendezvous, tmp_path), nprocs=2)
    expected = train(network_of(dtype=torch.float64), x)
    for rank in range(2):
        found = np.load(tmp_path / f"rank{rank}.npz")
        for name, value in zip(found.files, expected, strict=True):
            np.testing.assert_allclose(found[name], value, rtol=1e-10, atol=1e-12)
