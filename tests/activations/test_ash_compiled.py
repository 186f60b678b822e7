"""ASH under compilers and exporters: one graph, and the numbers of the eager path."""

import pytest
import torch
from axonlight.activations import ASH

X = torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("options", [{}, {"mode": "hard", "dims": "channel"}, {"mode": "leaky", "num_parameters": 5}])
def test_traces_as_one_graph(options):
    module = ASH(z=0.3, **options)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    x, y = X.clone().requires_grad_(), X.clone().requires_grad_()
    torch.testing.assert_close(compiled(x), module(y), atol=1e-6, rtol=0)
    g = X.flip(0)
    compiled(x).backward(g)
    got = [p.grad.clone() for p in module.parameters()]
    module.zero_grad()
    module(y).backward(g)
    torch.testing.assert_close(x.grad, y.grad, atol=1e-5, rtol=0)
    torch.testing.assert_close(got, [p.grad for p in module.parameters()], atol=1e-5, rtol=1e-5)


def test_masks_and_graphs_trace_as_one_graph():
    module = ASH(z=0.3)
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    mask = torch.arange(6) < torch.tensor([6, 2, 3, 1])[:, None]
    torch.testing.assert_close(compiled(X, mask=mask), module(X, mask=mask), atol=1e-6, rtol=0)
    nodes, batch = X.reshape(24, 5), torch.arange(24) // 7
    torch.testing.assert_close(compiled(nodes, batch=batch), module(nodes, batch=batch), atol=1e-6, rtol=0)
    exact = ASH(z=0.3, threshold="quantile")
    compiled = torch.compile(exact, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(X), exact(X), atol=1e-6, rtol=0)


def test_compiles_with_the_default_backend():
    module = ASH(z=0.3)
    compiled = torch.compile(module, fullgraph=True)
    x = X.clone().requires_grad_()
    compiled(x).sum().backward()
    y = X.clone().requires_grad_()
    module(y).sum().backward()
    torch.testing.assert_close(x.grad, y.grad, atol=1e-5, rtol=0)


def test_exports_with_a_free_batch_size():
    module = ASH(z=0.3)
    program = torch.export.export(module, (X,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    other = torch.cat([X, 2 * X])
    torch.testing.assert_close(program.module()(other), module(other), atol=1e-6, rtol=0)


@pytest.mark.parametrize("mode", ["smooth", "hard", "leaky"])
def test_onnx_computes_the_same(tmp_path, mode):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    module = ASH(z=0.3, mode=mode).eval()
    path = tmp_path / "ash.onnx"
    torch.onnx.export(module, (X,), path, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(path)
    (y,) = session.run(None, {session.get_inputs()[0].name: X.numpy()})
    torch.testing.assert_close(torch.from_numpy(y), module(X).detach(), atol=1e-6, rtol=0)
