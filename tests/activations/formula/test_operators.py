"""Values and derivatives of every function, against NumPy, gplearn and central differences."""

import numpy as np
import pytest
import scipy.special
import torch
from axonlight.activations import Formula
from axonlight.activations.formula import compile_program, parse_formula
from axonlight.activations.formula.operators import ARITY
from axonlight.errors import InputError
from gplearn import functions as gplearn_functions
from gplearn._program import _Program
from torch.utils._python_dispatch import TorchDispatchMode

EPS = 1e-6
EDGES = np.array([0.0, -0.0, 1e-9, 1e-4, 9.99e-4, 1e-3, 1.001e-3, np.pi / 2, 1e2, 1e3, 1e4])
POINTS = np.concatenate([np.linspace(-10, 10, 401), EDGES, -EDGES])

SMOOTH = {
    "abs(x)": np.abs,
    "cos(x)": np.cos,
    "erf(x)": scipy.special.erf,
    "exp(x)": lambda x: np.exp(np.minimum(x, 40)),
    "inv(x)": lambda x: x / (x**2 + EPS),
    "log(x)": lambda x: 0.5 * np.log(x**2 + EPS),
    "max(x, sin(x))": lambda x: np.maximum(x, np.sin(x)),
    "min(x, sin(x))": lambda x: np.minimum(x, np.sin(x)),
    "max(x, 0.5) + min(2, x)": lambda x: np.maximum(x, 0.5) + np.minimum(2, x),
    "neg(x)": np.negative,
    "relu(x)": lambda x: np.maximum(x, 0),
    "sigmoid(x)": scipy.special.expit,
    "sin(x)": np.sin,
    # torch's softplus is x itself above 20, where the difference is below 2.1e-9
    "softplus(x)": lambda x: np.where(x > 20, x, np.logaddexp(0, x)),
    "sqrt(x)": lambda x: (x**2 + EPS) ** 0.25,
    "square(x)": np.square,
    "tan(x)": lambda x: np.sin(x) * np.cos(x) / (np.cos(x) ** 2 + EPS),
    "tanh(x)": np.tanh,
    "cos(x)/x": lambda x: np.cos(x) * x / (x**2 + EPS),
    "1/(1 + x)": lambda x: (1 + x) / ((1 + x) ** 2 + EPS),
    "x/0.001": lambda x: x * 1000,
    "x**3": lambda x: x * x * x,
    "x**-2": lambda x: x**2 / (x**4 + EPS),
    "x**0": np.ones_like,
    "x**1.5": lambda x: (x**2 + EPS) ** 0.75,
    "x**-0.5": lambda x: (x**2 + EPS) ** 0.25 / ((x**2 + EPS) ** 0.5 + EPS),
    "x**sin(x)": lambda x: (x**2 + EPS) ** (np.sin(x) / 2),
    "2**x": lambda x: np.exp(np.minimum(x * np.log(2), 40)),
    "(-2)**x": lambda x: np.exp(np.minimum(x / 2 * np.log(4 + EPS), 40)),
    "0**x": lambda x: np.exp(np.minimum(x / 2 * np.log(EPS), 40)),
}


@pytest.mark.parametrize("text", SMOOTH)
def test_smooth_functions_match_numpy(text):
    result = Formula(text)(torch.from_numpy(POINTS)).numpy()
    np.testing.assert_allclose(result, SMOOTH[text](POINTS), rtol=1e-12, atol=1e-12)


def test_every_function_has_a_reference():
    used = {name for text in SMOOTH for name in ARITY if f"{name}(" in text}
    assert used == set(ARITY) - {"add", "sub", "mul", "div", "pow"}


KNOWN = {
    "x*0.5*(1 + erf(x/sqrt(2)))": torch.nn.functional.gelu,
    "x*sigmoid(x)": torch.nn.functional.silu,
    "x*tanh(softplus(x))": torch.nn.functional.mish,
    "max(x, 0.01*x)": torch.nn.functional.leaky_relu,
    "max(0, min(6, x))": torch.nn.functional.relu6,
    "x/(1 + abs(x))": torch.nn.functional.softsign,
}


@pytest.mark.parametrize("text", KNOWN)
def test_known_activations_written_as_formulas(text):
    x = torch.from_numpy(POINTS).requires_grad_()
    ours, theirs = Formula(text)(x), KNOWN[text](x)
    torch.testing.assert_close(ours, theirs, rtol=2e-6, atol=1e-9)
    smooth = ~np.isin(POINTS, [0, 6])  # at a kink any slope between the two sides is one
    ours, theirs = (torch.autograd.grad(y.sum(), x)[0][smooth] for y in (ours, theirs))
    torch.testing.assert_close(ours, theirs, rtol=2e-6, atol=1e-8)


TRUE = {
    "inv(x)": lambda x: 1 / x,
    "log(x)": np.log,
    "sqrt(x)": np.sqrt,
    "tan(x)": np.tan,
    "cos(x)/x": lambda x: np.cos(x) / x,
    "x**1.5": lambda x: x**1.5,
    "x**-0.5": lambda x: x**-0.5,
    "2**x": lambda x: 2**x,
}


@pytest.mark.parametrize("text", TRUE)
def test_smooth_functions_agree_with_the_true_ones_far_from_the_singularity(text):
    x = np.linspace(0.5, 1.2, 50)
    np.testing.assert_allclose(Formula(text)(torch.from_numpy(x)).numpy(), TRUE[text](x), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("protect", ["smooth", "gplearn"])
@pytest.mark.parametrize("text", SMOOTH)
def test_derivatives_by_gradcheck(text, protect):
    formula = Formula(text + " + x", protect=protect)
    # Clear of the kinks and jumps at 0, 0.5, 2, +-1e-3 and pi/2.
    x = torch.tensor([-2.3, -0.7, -0.11, 0.13, 0.8, 1.9, 2.7], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(formula, (x,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("protect", ["smooth", "gplearn"])
@pytest.mark.parametrize("text", SMOOTH)
def test_value_and_derivative_are_finite(text, protect, dtype):
    x = torch.from_numpy(POINTS).to(dtype).requires_grad_()
    y = Formula(text, protect=protect)(x)
    assert y.dtype == dtype
    assert torch.isfinite(y).all()
    if y.requires_grad:  # x**0, and gplearn's x/0.001, are 1 everywhere
        (gradient,) = torch.autograd.grad(y.sum(), x)
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_float32_rounded_once(dtype):
    x = torch.linspace(-200, 200, 4001).to(dtype)
    formula = Formula("x*cos(a*x) + x**2/100", constants={"a": 0.7})
    expected = formula(x.float()).to(dtype)
    assert torch.equal(formula(x), expected)
    assert torch.equal(formula.to(dtype)(x).isfinite(), torch.ones_like(x, dtype=torch.bool))


GPLEARN = gplearn_functions._function_map


@pytest.mark.parametrize("name", GPLEARN)
def test_gplearn_functions_are_bit_faithful(name):
    function = GPLEARN[name]
    generator = np.random.default_rng(0)
    sides = [np.concatenate([generator.permutation(POINTS), POINTS]), np.concatenate([POINTS, POINTS])]
    text = f"{name}(x)" if function.arity == 1 else f"{name}(x, 0*x + b)"
    program = compile_program(parse_formula(text), "gplearn")
    x, b = (torch.from_numpy(side) for side in sides)
    with np.errstate(all="ignore"):
        expected = function(*sides[: function.arity])
    result = program.run(x, [b] if function.arity == 2 else []).numpy()
    if name in {"sin", "cos", "tan", "log", "sqrt"}:  # the two libraries' own differ in the last place
        np.testing.assert_allclose(result, expected, rtol=5e-16, atol=0)
    else:
        np.testing.assert_array_equal(result, expected)


def random_programs(count, n_features):
    functions = list(GPLEARN.values())
    arities = {arity: [f for f in functions if f.arity == arity] for arity in (1, 2)}
    state = np.random.RandomState(7)
    while count:
        program = _Program(
            function_set=functions,
            arities=arities,
            init_depth=(2, 5),
            init_method="half and half",
            n_features=n_features,
            const_range=(-1.0, 1.0),
            metric=None,
            p_point_replace=0.05,
            parsimony_coefficient=0.001,
            random_state=state,
        )
        if any(isinstance(token, int) for token in program.program):
            count -= 1
            yield program


@pytest.mark.parametrize("n_features", [1, 3])
def test_random_gplearn_programs_give_gplearns_values(n_features):
    x = np.random.default_rng(1).normal(size=300) * 3
    table = np.repeat(x[:, None], n_features, axis=1)
    compared = 0
    for program in random_programs(150, n_features):
        try:
            formula = Formula.from_prefix(program, protect="gplearn", collapse=True)
        except InputError:  # a number part beyond 1e6; how many is checked below
            continue
        with np.errstate(all="ignore"):
            expected = program.execute(table)
        result = formula(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-9, err_msg=str(program))
        compared += 1
    assert compared > 140


def test_random_gplearn_programs_have_no_nan_gradient():
    x = torch.from_numpy(POINTS)
    for program in random_programs(100, 1):
        try:
            formula = Formula.from_prefix(program, protect="gplearn")
        except InputError:
            continue
        leaf = x.clone().requires_grad_()
        y = formula(leaf)
        (gradient,) = torch.autograd.grad(y.sum(), leaf)
        assert not gradient[torch.isfinite(y)].isnan().any(), str(program)


def test_prefix_text_of_a_program_keeps_its_constants():
    program = next(p for p in random_programs(50, 1) if any(isinstance(t, float) for t in p.program))
    constants = [token for token in program.program if isinstance(token, float)]
    text = Formula.from_prefix(program).text
    assert all(repr(float(constant)) in text for constant in constants)


def test_from_prefix_refuses_other_objects():
    with pytest.raises(InputError, match="it must be text in prefix form"):
        Formula.from_prefix(3)
    program = next(random_programs(1, 1))
    program.program[0] = gplearn_functions.sig1
    with pytest.raises(InputError, match="gplearn function 'sig'"):
        Formula.from_prefix(program)


def test_common_parts_are_evaluated_once_and_slots_reused():
    program = compile_program(parse_formula("sin(x)*sin(x) + cos(sin(x)) + cos(sin(x))"))
    assert [name for name, _, _ in program.steps] == ["sin", "mul", "cos", "add", "add"]
    chain = compile_program(parse_formula("sin(cos(sin(cos(sin(x)))))"))
    assert {target for _, _, target in chain.steps} == {1}


class _Recorder(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.devices = set()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.names.add(function._schema.name)
        self.devices |= {t.device.type for t in (*args, result) if isinstance(t, torch.Tensor)}
        return result


@pytest.mark.parametrize("protect", ["smooth", "gplearn"])
def test_forward_creates_no_tensor_on_another_device(protect):
    text = " + ".join(t for t in SMOOTH if "**" not in t) + " + x**-2 + x**1.5 + x**a + 2**x"
    formula = Formula(text, protect=protect, normalize=True).to("meta")
    x = torch.empty(4, 3, device="meta")
    with _Recorder() as recorder:
        y = formula(x)
    assert y.shape == x.shape
    assert recorder.devices == {"meta"}
    assert not {name for name in recorder.names if "scalar_tensor" in name or "lift" in name}


def test_unknown_protection_is_refused():
    with pytest.raises(InputError, match="protect is 'none'; allowed are smooth, gplearn"):
        Formula("x", protect="none")
