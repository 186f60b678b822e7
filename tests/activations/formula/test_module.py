"""The module: training, checkpoints, copies, processes, compilation and export."""

import copy
import io
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import onnxruntime
import pytest
import torch
from axonlight.activations import Formula
from axonlight.activations.formula import parse_formula
from axonlight.errors import InputError
from torch import nn
from torch._dynamo.testing import CompileCounter

TEXT = "tanh(a*x)/(b + x**2) + max(min(x, 2), -1)*log(x) + sqrt(x) + erf(x)*softplus(x) + 2**x + x**b - tan(x/9)"


def test_constants_are_trained_by_the_optimizer():
    torch.manual_seed(0)
    formula = Formula("c*x*cos(a*x)", constants={"a": 1.0})
    x = torch.linspace(-2, 2, 200)
    target = 0.5 * x * torch.cos(1.5 * x)
    optimizer = torch.optim.Adam(formula.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        nn.functional.mse_loss(formula(x), target).backward()
        optimizer.step()
    assert formula.a.item() == pytest.approx(1.5, abs=1e-2)
    assert formula.c.item() == pytest.approx(0.5, abs=1e-2)


def test_number_literals_stay_fixed_and_undeclared_names_start_at_one():
    formula = Formula("2*x + b + a", constants={"a": 0.25})
    assert {name: value.item() for name, value in formula.named_parameters()} == {"b": 1.0, "a": 0.25}
    assert list(formula.constants) == ["b", "a"]
    assert list(Formula("2*x + 3").parameters()) == []


@pytest.mark.parametrize(
    ("trainable", "expected"),
    [(True, ["a", "b"]), (False, []), (["a"], ["a"]), ({"b"}, ["b"]), ("b", ["b"]), ([], [])],
)
def test_trainable(trainable, expected):
    formula = Formula("a*x + b", trainable=trainable)
    assert [name for name, _ in formula.named_parameters()] == expected
    assert set(formula.state_dict()) == {"a", "b", "_extra_state"}
    assert set(formula.constants) == {"a", "b"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"constants": {"b": 1.0}}, "constants names 'b', which is not in the formula; its constants are a"),
        ({"constants": {"x": 1.0}}, "constant name 'x' is not allowed"),
        ({"constants": {"sin": 1.0}}, "constant name 'sin' is not allowed"),
        ({"constants": {"__class__": 1.0}}, "constant name '__class__' is not allowed"),
        ({"constants": {"a": float("nan")}}, "constant a is nan"),
        ({"constants": {"a": float("inf")}}, "constant a is inf"),
        ({"constants": {"a": 2e6}}, "number up to 1e"),
        ({"constants": {"a": True}}, "constant a is True"),
        ({"constants": {"a": "1"}}, "constant a is '1'"),
        ({"constants": {"a": [1.0, 2.0]}}, "list of 1 numbers"),
        ({"constants": [1.0]}, "must map names to numbers"),
        ({"trainable": ["b"]}, "trainable names 'b'"),
        ({"trainable": 3}, "trainable is 3"),
        ({"num_parameters": 0}, "num_parameters is 0"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(InputError, match=message) as caught:
        Formula("a*x", **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["half", "text", "program", "protect", "forward", "train", "groups", "curve"])
def test_constants_never_hide_an_attribute_of_the_module(name):
    with pytest.raises(InputError, match="is an attribute of every module"):
        Formula(f"{name}*x")


def test_integer_input_is_refused():
    with pytest.raises(InputError, match=r"torch.int64; it must be floating point"):
        Formula("x")(torch.arange(3))


@pytest.mark.parametrize("shape", [(), (3,), (0, 3), (2, 3), (2, 5, 3), (2, 3, 4, 5)])
def test_shape_is_kept(shape):
    x = torch.randn(shape)
    assert Formula("a*x + 1", normalize=True)(x).shape == shape
    if shape:
        assert Formula("a*x + exp(b)", num_parameters=3)(x).shape == shape


def test_each_unit_and_each_group_has_its_own_constants():
    per_unit = Formula("x*cos(a*x)", constants={"a": [0.5, 1.0, 2.0]}, num_parameters=3)
    scales = torch.tensor([0.5, 1.0, 2.0])
    x = torch.randn(4, 3)
    torch.testing.assert_close(per_unit(x), x * torch.cos(scales * x))
    image = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(per_unit(image), image * torch.cos(scales.view(3, 1, 1) * image))
    grouped = Formula("a*x", constants={"a": [1.0, 10.0]}, groups=["kinase", "receptor", "kinase"], num_parameters=2)
    torch.testing.assert_close(grouped(x), x * torch.tensor([1.0, 10.0, 1.0]))
    grouped(x).sum().backward()
    torch.testing.assert_close(grouped.a.grad, torch.stack([x[:, [0, 2]].sum(), x[:, 1].sum()]))
    with pytest.raises(InputError, match="has 5 units"):
        per_unit(torch.randn(2, 5))


@pytest.mark.parametrize("protect", ["smooth", "gplearn"])
def test_gradcheck_of_input_and_constants(protect):
    torch.manual_seed(3)
    formula = Formula(TEXT, protect=protect, constants={"b": 0.7}).double()
    x = torch.randn(12, dtype=torch.float64, requires_grad=True)

    def call(x, a, b):
        return torch.func.functional_call(formula, {"a": a, "b": b}, (x,))

    assert torch.autograd.gradcheck(call, (x, formula.a, formula.b))
    assert torch.autograd.gradgradcheck(call, (x, formula.a, formula.b))


def test_vmap_over_inputs_and_over_replicas_of_the_constants():
    formula = Formula("x*cos(a*x)")
    x = torch.randn(6, 4)
    torch.testing.assert_close(torch.vmap(formula)(x), formula(x))
    scales = torch.tensor([[0.5], [1.0], [2.0]])

    def replica(a):
        return torch.func.functional_call(formula, {"a": a}, (x,))

    expected = torch.stack([x * torch.cos(a * x) for a in scales])
    torch.testing.assert_close(torch.vmap(replica)(scales), expected)


def test_autocast_keeps_the_inputs_type():
    formula = Formula("exp(a*x) + x**b")
    with torch.autocast("cpu", torch.bfloat16):
        assert formula(torch.randn(3, dtype=torch.bfloat16)).dtype == torch.bfloat16
        assert formula(torch.randn(3)).dtype == torch.float32


def test_checkpoint_holds_the_text_and_loads_weights_only(tmp_path):
    network = nn.Sequential(nn.Linear(3, 4), Formula("x*cos(a*x)", constants={"a": 0.3}, num_parameters=4))
    path = tmp_path / "network.pt"
    torch.save(network.state_dict(), path)
    state = torch.load(path, weights_only=True)
    assert state["1._extra_state"]["text"] == "x*cos(a*x)"
    restored = nn.Sequential(nn.Linear(3, 4), Formula("x*cos(a*x)", num_parameters=4))
    weight = restored[1].a
    assert restored.load_state_dict(state).missing_keys == []
    assert restored[1].a is weight  # an optimizer may hold it
    x = torch.randn(5, 3)
    assert torch.equal(restored(x), network(x))


@pytest.mark.parametrize(
    "saved",
    [
        Formula("b*x + sin(c*x)", constants={"b": 0.5, "c": 3.0}, trainable="b"),
        Formula("exp(a*x)", constants={"a": 0.2}, normalize=True),
        Formula("div(a, X3)", protect="gplearn"),
        Formula("X1*X2*a", collapse=True),
        Formula("x"),
    ],
    ids=lambda formula: formula.text,
)
def test_loading_another_formula_rebuilds_and_says_so(saved):
    state = torch.load(_bytes(saved.state_dict()), weights_only=True)
    formula = Formula("x*cos(a*x)").double()
    with pytest.warns(UserWarning, match="replaces 'x\\*cos\\(a\\*x\\)'"):
        formula.load_state_dict(state)
    x = torch.randn(50, dtype=torch.float64)
    assert torch.equal(formula(x), copy.deepcopy(saved).double()(x))
    assert formula.text == saved.text
    assert {name: p.dtype for name, p in formula.named_parameters()} == {
        name: torch.float64 for name, _ in saved.named_parameters()
    }
    assert set(formula.state_dict()) == set(saved.state_dict())


def _bytes(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return buffer


def test_same_formula_written_otherwise_loads_without_a_warning(recwarn):
    formula = Formula("x * cos(a*x)", trainable=False)
    formula.load_state_dict(Formula("mul(X0, cos(mul(a, X0)))", constants={"a": 2.0}).state_dict())
    assert formula.a.item() == 2.0
    assert list(formula.parameters()) == []
    assert not recwarn.list


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": "__import__('os').system('true')"}, "the character '_' is not allowed"),
        ({"text": "x*half", "trainable": []}, "is an attribute"),
        ({"text": 3}, "the checkpoint's state"),
        ({"protect": "none"}, "protect is 'none'"),
        ({"trainable": [[]]}, "trainable is"),
        ({"trainable": ["zz"]}, "trainable names 'zz'"),
    ],
)
def test_hostile_checkpoints_are_refused_and_change_nothing(change, message):
    formula = Formula("x*cos(a*x)")
    state = Formula("x + b").state_dict()
    state["_extra_state"] |= change
    with pytest.raises(InputError, match=message):
        formula.load_state_dict(state)
    assert formula.text == "x*cos(a*x)"
    assert [name for name, _ in formula.named_parameters()] == ["a"]
    assert formula(torch.ones(2)).shape == (2,)


def test_state_of_something_else_is_refused():
    state = Formula("x").state_dict()
    state["_extra_state"] = torch.zeros(3)
    with pytest.raises(InputError, match="the checkpoint's state of a formula"):
        Formula("x").load_state_dict(state)


def test_copies_are_equal_and_independent():
    formula = Formula(TEXT, constants={"a": 0.3}, normalize=True)
    x = torch.randn(20)
    for twin in (copy.deepcopy(formula), pickle.loads(pickle.dumps(formula))):
        assert torch.equal(twin(x), formula(x))
        assert twin.tree == formula.tree
        with torch.no_grad():
            twin.a += 1
        assert not torch.equal(twin(x), formula(x))


def test_spawned_process_computes_the_same():
    formula, x = Formula(TEXT, constants={"a": 0.3}, trainable=False, normalize=True), torch.randn(20)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        result = pool.submit(formula, x).result(timeout=120)
        assert torch.equal(result, formula(x))


@pytest.mark.parametrize("protect", ["smooth", "gplearn"])
def test_compiles_to_one_graph_with_equal_gradients(protect):
    torch._dynamo.reset()
    formula = Formula(TEXT, protect=protect, num_parameters=8, normalize=True)
    # aot_eager traces forward and backward as the default does, without waiting for a C++ compiler.
    compiled = torch.compile(copy.deepcopy(formula), fullgraph=True, backend="aot_eager")
    x = torch.randn(16, 8)
    left, right = x.clone().requires_grad_(), x.clone().requires_grad_()
    formula(left).sum().backward()
    compiled(right).sum().backward()
    torch.testing.assert_close(compiled(x), formula(x))
    torch.testing.assert_close(right.grad, left.grad)
    torch.testing.assert_close(compiled.get_parameter("a").grad, formula.a.grad)


def test_trained_constants_do_not_recompile():
    torch._dynamo.reset()
    counter = CompileCounter()
    formula = Formula("x*cos(a*x) + 0.5")
    compiled = torch.compile(formula, fullgraph=True, backend=counter)
    x = torch.randn(4)
    for value in (1.0, 2.0, 3.0):
        with torch.no_grad():
            formula.a.fill_(value)
        torch.testing.assert_close(compiled(x), formula(x))
    assert counter.frame_count == 1


def test_torch_export():
    formula, x = Formula(TEXT), torch.randn(6, 3)
    exported = torch.export.export(formula, (x,))
    torch.testing.assert_close(exported.module()(x), formula(x))


@pytest.mark.parametrize("protect", ["smooth", "gplearn"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_onnx(protect, tmp_path):
    formula, x = Formula(TEXT, protect=protect, normalize=True), torch.randn(6, 3)
    path = str(tmp_path / "formula.onnx")
    torch.onnx.export(formula, (x,), dynamo=True, verbose=False).save(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    np.testing.assert_allclose(result, formula(x).detach().numpy(), rtol=2e-4, atol=2e-5)


def test_representation_names_text_and_constants():
    formula = Formula("x*cos(a*x)", constants={"a": 0.25})
    assert repr(formula) == "Formula('x*cos(a*x)', a=0.25, protect=smooth)"
    wide = Formula("X0*a", num_parameters=3, collapse=True, normalize=True, protect="gplearn")
    assert repr(wide) == "Formula('X0*a', a=[3 values], protect=gplearn, collapse, normalize)"


def test_text_forms():
    formula = Formula(" mul(X0, add(a, X0)) ")
    assert formula.text == "mul(X0, add(a, X0))"
    assert str(formula.tree) == "x * (a + x)"
    assert formula.tree == parse_formula("x*(a+x)")
    assert formula.to_prefix() == "mul(X0, add(a, X0))"
    assert formula.latex() == r"x \left(a + x\right)"
    assert formula.node_count == 5
