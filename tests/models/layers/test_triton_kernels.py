"""The Triton kernels without a GPU: run by Triton's interpreter, and compiled for a GPU that is not there.

The interpreter is chosen when the kernels are first loaded, so those tests run in a process of their own.
"""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import EdgeLinear
from axonlight.models.layers import EdgeStructure
from axonlight.models.layers import choice as choice_module
from torch import nn

pytest.importorskip("triton", reason="triton is not installed; torch brings it along for CUDA")

IS_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
interpreted = pytest.mark.skipif(not IS_INTERPRETED, reason="needs Triton's interpreter")
compiled = pytest.mark.skipif(IS_INTERPRETED, reason="the interpreter compiles nothing")

# inputs, outputs, edges, samples: one sample; more than a block of samples; more edges than a block into an output
SIZES = [(13, 7, 30, 1), (5, 4, 9, 200), (40, 2, 60, 3)]
TYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
TOLERANCES = {torch.float32: {"rtol": 1e-5, "atol": 1e-5}}


def edges_of(inputs=13, outputs=7, count=30, is_sorted=False):
    chosen = np.random.default_rng(0).choice(inputs * outputs, count, replace=False)
    chosen = np.sort(chosen) if is_sorted else chosen
    return torch.tensor(np.stack([chosen % inputs, chosen // inputs]))


@compiled
def test_the_interpreter_runs_them():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    finished = subprocess.run(command, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert int(re.search(r"(\d+) passed", finished.stdout)[1]) >= 30


@compiled
@pytest.mark.parametrize("kind", ["fp32", "fp64", "bf16"])
def test_they_compile_for_a_gpu_without_atomic_additions(kind, tmp_path, monkeypatch):
    import triton
    from axonlight.models.layers import _triton_kernels as kernels
    from triton import language as tl
    from triton.backends.compiler import GPUTarget

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    constants = {"is_ordered": False, "edge_block": 8, "sample_block": 32}
    constants["kind"] = tl.float64 if kind == "fp64" else tl.float32
    integers = ("pointer", "index", "order", "source", "target")
    for kernel in (kernels._product_kernel, kernels._sampled_kernel):
        types = {name: "*i32" if name in integers else f"*{kind}" for name in kernel.arg_names}
        types |= {name: "i32" for name in ("samples", "count") if name in types} | dict.fromkeys(constants, "constexpr")
        source = triton.compiler.ASTSource(kernel, types, constexprs=constants)
        made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 1})
        assert "ld.global" in made.asm["ptx"]
        assert not re.search(r"\b(atom|red)\.", made.asm["ptx"])


@compiled
def test_a_processor_and_a_missing_package_are_refused(monkeypatch):
    layer = EdgeLinear(edges_of(), 13, 7, backend="triton")
    with pytest.raises(InputError, match="needs a GPU, and the input lies on a processor"):
        layer(torch.zeros(2, 13))
    monkeypatch.setattr(choice_module, "_has_triton", lambda: False)
    with pytest.raises(InputError, match=r"the package triton, .*, is not installed"):
        layer(torch.zeros(2, 13))


@interpreted
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("is_sorted", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
def test_products_equal_a_dense_matrix_in_float64(sizes, is_sorted, dtype):
    from axonlight.models.layers._kernels import product, sampled

    inputs, outputs, count, samples = sizes
    edges = edges_of(inputs, outputs, count, is_sorted)
    structure = EdgeStructure.from_edges(edges, inputs, outputs)
    weight, x, y = (torch.randn(shape).to(dtype) for shape in [(count,), (inputs, samples), (outputs, samples)])
    found = (
        product(weight, x, structure, False, "triton"),
        product(weight, y, structure, True, "triton"),
        sampled(y, x, structure, "triton"),
    )
    weight, x, y = weight.double(), x.double(), y.double()
    matrix = torch.zeros(outputs, inputs, dtype=torch.float64).index_put((edges[1], edges[0]), weight)
    exact = (matrix @ x, matrix.T @ y, (y @ x.T)[edges[1], edges[0]])
    for ours, theirs in zip(found, exact, strict=True):
        assert ours.dtype == dtype
        torch.testing.assert_close(ours, theirs.to(dtype), **TOLERANCES.get(dtype, {}))


@interpreted
@pytest.mark.parametrize("is_sorted", [False, True])
def test_what_no_edge_reads_has_no_influence(is_sorted):
    edges = torch.tensor([[0, 2], [1, 0] if not is_sorted else [0, 1]])
    layer = EdgeLinear(edges, 3, 4, backend="triton")
    nn.init.normal_(layer.bias)
    x = torch.randn(5, 3)
    x[:, 1] = torch.nan
    y = layer(x)
    assert y.isfinite().all()
    torch.testing.assert_close(y[:, 2:], layer.bias[2:].expand(5, 2))


@interpreted
def test_derivatives_of_first_and_second_order():
    layer = EdgeLinear(edges_of(3, 2, 4), 3, 2, backend="triton", dtype=torch.float64)
    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)

    def run(x, weight, bias):
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,)).tanh()

    inputs = (x, layer.weight, layer.bias)
    assert torch.autograd.gradcheck(run, inputs, check_forward_ad=True, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True)


def results_of(network, x):
    x = x.clone().requires_grad_()
    y = network(x)
    return y, *torch.autograd.grad(y.float().square().sum(), (x, *network.parameters()))


def pair_of_layers(dtype, **options):
    dense = EdgeLinear(edges_of(), 13, 7, backend="dense", **options).to(dtype)
    layer = EdgeLinear(edges_of(), 13, 7, backend="triton", **options).to(dtype)
    layer.load_state_dict(dense.state_dict())
    return dense, layer


@interpreted
@pytest.mark.parametrize("channels", [None, 2])
@pytest.mark.parametrize("dtype", TYPES)
def test_layers_and_their_gradients_equal_dense_ones(dtype, channels):
    dense, layer = pair_of_layers(dtype, channels=channels)
    x = torch.randn(3, 13).to(dtype) if channels is None else torch.randn(3, channels, 13).to(dtype)
    torch.testing.assert_close(results_of(layer, x), results_of(dense, x))


@interpreted
def test_compiled_graphs_have_no_breaks():
    dense, layer = pair_of_layers(torch.float32)
    x = torch.randn(3, 13)
    compiled_layer = torch.compile(layer, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(results_of(compiled_layer, x), results_of(dense, x))


@interpreted
def test_transforms_equal_loops():
    layer = EdgeLinear(edges_of(), 13, 7, backend="triton", dtype=torch.float64)
    x = torch.randn(3, 13, dtype=torch.float64)
    jacobians = torch.func.vmap(torch.func.jacrev(layer))(x)
    torch.testing.assert_close(jacobians, layer.dense_weight().expand(3, 7, 13))
    torch.testing.assert_close(torch.func.vmap(torch.func.jacfwd(layer))(x), jacobians)


@interpreted
def test_no_samples_give_no_outputs():
    layer = EdgeLinear(edges_of(), 13, 7, backend="triton")
    y = layer(torch.zeros(0, 13, requires_grad=True))
    y.sum().backward()
    assert y.shape == (0, 7)
    assert not layer.weight.grad.any()
