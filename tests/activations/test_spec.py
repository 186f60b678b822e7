"""Specs: every form builds the right module, every mistake is one sentence that helps."""

import functools

import axonlight.activations as library
import pytest
import torch
from axonlight.activations import (
    ASH,
    Formula,
    Swish,
    allow_imports,
    allowed_import,
    build_activation,
    is_activation,
    read_spec,
)
from axonlight.activations.specs.text import SpecText, read_literal
from axonlight.errors import InputError
from torch import nn
from torch.nn.modules import activation as torch_activations

NEEDS = {"Threshold": {"threshold": 0.1, "value": 20.0}}


@pytest.mark.parametrize("name", [n for n in torch_activations.__all__ if n not in ("Module", "MultiheadAttention")])
def test_every_torch_activation_has_its_own_name(name):
    expected = getattr(nn, name)
    arguments = ", ".join(f"{key}={value}" for key, value in NEEDS.get(name, {}).items())
    for spelling in (name, name.lower(), f"torch.nn.{name}"):
        module = build_activation(f"{spelling}({arguments})")
        assert type(module) is expected
        assert is_activation(module)


@pytest.mark.parametrize(
    ("spec", "expected", "attributes"),
    [
        ("swish(beta=1.5)", Swish, {"beta": torch.tensor([1.5])}),
        ("swish(1.5)", Swish, {"beta": torch.tensor([1.5])}),
        ("  Swish ( beta = 1.5 , trainable = False )  ", Swish, {"beta": torch.tensor([1.5])}),
        ("ash(z=0.5, dims=channel)", ASH, {"z": torch.tensor([0.5]), "dims": "channel"}),
        ("ash(dims='last')", ASH, {"dims": "last"}),
        ("Leaky-ReLU(0.2)", nn.LeakyReLU, {"negative_slope": 0.2}),
        ("leaky_relu", nn.LeakyReLU, {"negative_slope": 0.01}),
        ("torch.nn.ELU(alpha=2)", nn.ELU, {"alpha": 2}),
        ({"class_path": "torch.nn.ELU", "init_args": {"alpha": 2.0}}, nn.ELU, {"alpha": 2.0}),
        ({"class_path": "ELU"}, nn.ELU, {"alpha": 1.0}),
        ({"class_path": "axonlight.activations.ASH", "init_args": {"z": 1.0}}, ASH, {"z": torch.tensor([1.0])}),
        (nn.Tanh, nn.Tanh, {}),
        (functools.partial(nn.ELU, alpha=3.0), nn.ELU, {"alpha": 3.0}),
        (functools.partial(Swish, 1.5), Swish, {"beta": torch.tensor([1.5])}),
        (lambda: nn.ELU(4.0), nn.ELU, {"alpha": 4.0}),
        ("identity", nn.Identity, {}),
    ],
)
def test_forms(spec, expected, attributes):
    module = build_activation(spec)
    assert type(module) is expected
    assert module.built_from_spec is True
    for name, value in attributes.items():
        found = getattr(module, name)
        assert torch.equal(found, value) if isinstance(value, torch.Tensor) else found == value


@pytest.mark.parametrize(
    ("spec", "text", "constants", "protect"),
    [
        ("formula(x*cos(a*x), a=2)", "x*cos(a*x)", {"a": 2.0}, "smooth"),
        ("formula(max(x, min(a*x, 1)), a=0.5, protect=gplearn)", "max(x, min(a*x, 1))", {"a": 0.5}, "gplearn"),
        ("formula('x*cos(a*x)', a=-1e-1)", "x*cos(a*x)", {"a": -0.1}, "smooth"),
        ("formula(text=x*cos(x))", "x*cos(x)", {}, "smooth"),
        ("formula: x*cos(a*x)", "x*cos(a*x)", {"a": 1.0}, "smooth"),
        ({"formula": "x*cos(a*x)", "constants": {"a": 3.0}}, "x*cos(a*x)", {"a": 3.0}, "smooth"),
        ({"formula": "x*cos(a*x)", "a": 3.0, "protect": "gplearn"}, "x*cos(a*x)", {"a": 3.0}, "gplearn"),
        ({"class_path": "Formula", "init_args": {"text": "x*cos(x)"}}, "x*cos(x)", {}, "smooth"),
    ],
)
def test_formulas(spec, text, constants, protect):
    module = build_activation(spec)
    assert type(module) is Formula
    assert module.text == text
    assert module.protect == protect
    assert {name: value.item() for name, value in module.constants.items()} == pytest.approx(constants)


def test_formula_options_are_not_taken_for_constants():
    module = build_activation("formula(x*cos(a*x), a=2, trainable=false)")
    assert list(module.parameters()) == []
    assert list(module.constants) == ["a"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("rellu", "unknown activation 'rellu'; did you mean ReLU"),
        ("qqqq", "known are "),
        ("swish(bta=1)", "Swish has no parameter 'bta'; allowed are beta, trainable.*did you mean beta"),
        ("relu(z=0.5)", "ReLU has no parameter 'z'; allowed are inplace"),
        ("swish(beta=high)", "Swish: beta is 'high'; it must be a number"),
        ("swish(beta=true)", "Swish: beta is True; it must be a number"),
        ("leaky_relu(negative_slope=steep)", "LeakyReLU: negative_slope is 'steep'; it must be a number"),
        ("ash(dims=chanel)", "ASH: dims is 'chanel'; it must be 'sample' or"),
        ("ash(alpha=-1)", "ASH.*alpha is -1.*positive"),
        ("rational(version=C)", "version is 'C'; it must be 'A' or 'B'"),
        ("pwlu(init=rleu)", "init is 'rleu'.*did you mean relu"),
        ("pwlu(intervals=0)", "intervals is 0"),
        ("xielu(alpha_n=0.1)", "alpha_n is 0.1; it must be greater than beta"),
        ("swish(beta=1e999)", "beta is inf; it must be a finite number"),
        ("threshold", "Threshold needs the parameter threshold"),
        ("swish(1, 2, 3)", "Swish takes 1 unnamed arguments, not 3"),
        ("swish(1, beta=2)", "beta twice"),
        ("swish(beta=1, beta=2)", "beta twice"),
        ("swish(beta=1, 2)", "must stand before"),
        ("swish(beta=1", "cannot read"),
        ("swish(beta=(1)", "lacks a closing"),
        ("swish(beta=1))", "unexpected '\\)'"),
        ("swish(beta='1)", "lacks a closing"),
        ("swish(,)", "empty argument"),
        ("", "cannot read"),
        ("swish(beta=__import__('os'))", "it must be a number, a word"),
        ("swish(beta=[].__class__)", "it must be a number, a word"),
        ("os.system(ls)", "outside what a spec may import"),
        ("torch.load", "outside what a spec may import"),
        ("torch.nnx.ReLU", "outside what a spec may import"),
        ("axonlight.activations.specs.read.nn.Tanh", "cannot be imported"),
        ("axonlight.activations.specs.read.read_spec", "not a class of torch modules"),
        ("torch.nn.Tnah", "cannot be imported"),
        ("formula()", "needs the parameter text"),
        ("formula(x.real)", "attribute"),
        ("formula(x, x)", "takes one formula, but 2"),
        ("formula(x*cos(x), protct=gplearn)", "no option 'protct'.*options are.*protect"),
        (nn.ReLU(), "ReLU module, which several layers would share"),
        (["relu", "tanh"], "one spec per layer"),
        (None, "None; it must be a name"),
        (3, "3; it must be a name"),
        (dict, "must be a name"),
        ({"name": "relu"}, "must hold formula or class_path"),
        ({"class_path": "relu", "init_arg": {}}, "must hold formula or class_path"),
        ({"class_path": "relu", "init_args": [1]}, "must be a mapping"),
        ({"class_path": "builtins.exec"}, "outside what a spec may import"),
        (torch.tanh, "cannot be built"),
        (lambda: torch.zeros(1), "it must return a module"),
    ],
)
def test_mistakes(spec, message):
    with pytest.raises(InputError, match=message) as caught:
        build_activation(spec)
    assert "\n" not in str(caught.value)


def test_text_is_never_evaluated(tmp_path):
    target = tmp_path / "touched"
    for spec in (f"swish(beta=open('{target}','w'))", f"formula(open('{target}','w'))", f"open('{target}','w')"):
        with pytest.raises(InputError):
            build_activation(spec)
    assert not target.exists()


@pytest.mark.parametrize("brackets", ["()", "[]", "{}"])
def test_deep_nesting_is_refused(brackets):
    deep = brackets[0] * 3000 + brackets[1] * 3000
    for spec in (f"swish(beta={deep})", f"swish(beta={'-' * 6000}1)", f"formula({deep})", f"swish(beta={'9' * 9000})"):
        with pytest.raises(InputError):
            build_activation(spec)
    with pytest.raises(InputError, match="at most"):
        build_activation("swish(beta=" + "1" * 20_000)


def test_factories_must_return_fresh_modules():
    kept = nn.ReLU()
    build_activation(lambda: kept)
    with pytest.raises(InputError, match="same module twice"):
        build_activation(lambda: kept)


def test_the_spec_stays_readable_as_plain_data():
    assert build_activation(" ash(z=0.5) ").spec == "ash(z=0.5)"
    given = {"class_path": "Swish", "init_args": {"beta": 2.0}}
    module = build_activation(given)
    assert module.spec == given
    module.spec["class_path"] = "changed"
    assert given["class_path"] == "Swish"
    assert build_activation(functools.partial(nn.ELU, 2.0)).spec["init_args"] == {"alpha": 2.0}
    for spec in ("relu", given, nn.Tanh, functools.partial(Swish, beta=2.0), {"formula": "x*cos(x)"}):
        module = build_activation(spec)
        again = build_activation(module.spec)
        assert type(again) is type(module)
        torch.testing.assert_close(again(torch.ones(1, 2)), module(torch.ones(1, 2)), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("spec", "width", "groups", "expected"),
    [
        ("swish", None, None, 1),
        ("swish", 6, None, 6),
        ("swish", 6, 1, 1),
        ("swish", 6, 3, 3),
        ("swish", 6, ["a", "a", "b", "b", "c", "a"], 3),
        ("swish(num_parameters=1)", 6, None, 1),
        ("swish(num_parameters=2)", 6, 3, 2),
        ("swish(groups=[a, b, a])", 3, None, 2),
        ("prelu", 6, None, 6),
        ("prelu", 6, ["a", "a", "b", "b", "c", "a"], 6),
        ("prelu(num_parameters=1)", 6, None, 1),
        (nn.PReLU, 6, 1, 1),
        (functools.partial(Swish, num_parameters=1), 6, None, 1),
        ("formula(x*cos(a*x))", 6, None, 6),
        ("dice", 6, None, 6),
        ("dice(num_features=4)", 6, None, 4),
        ("meta_acon", 6, 1, 6),
    ],
)
def test_sizes(spec, width, groups, expected):
    module = build_activation(spec, width=width, groups=groups)
    assert module.num_parameters == expected


def test_labels_name_the_groups():
    module = build_activation("ash", width=3, groups=["immune", "tumour", "immune"])
    assert module.group_names == ("immune", "tumour")
    assert module.z.shape == (2,)


@pytest.mark.parametrize(
    ("spec", "width", "groups", "message"),
    [
        ("dice", None, None, "Dice needs num_features"),
        ("meta_acon", None, 1, "MetaAcon needs num_features"),
        ("swish", 3, ["a", "b"], "2 labels for 3 units"),
        ("swish", 3, "abc", "groups is the text 'abc'"),
        ("swish", 0, None, "must be a positive integer"),
    ],
)
def test_wrong_sizes(spec, width, groups, message):
    with pytest.raises(InputError, match=message):
        build_activation(spec, width=width, groups=groups)


def test_allowed_imports():
    assert allowed_import("torch.nn.Tanh")
    assert allowed_import("axonlight.activations.ASH")
    assert not allowed_import("torch.nnn")
    assert not allowed_import("axonlightx.ASH")
    with pytest.raises(InputError, match="outside"):
        build_activation("email.mime.text.MIMEText")
    with pytest.raises(InputError, match="dotted name"):
        allow_imports(["email mime"])


def test_allowing_a_package_opens_it(monkeypatch, tmp_path):
    monkeypatch.setattr("axonlight.activations.specs.imports._allowed", {"axonlight", "torch.nn"})
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_curves.py").write_text("from torch import nn, load\nclass Own(nn.Tanh): pass\n")
    with pytest.raises(InputError, match="outside"):
        build_activation("own_curves.Own")
    allow_imports(["own_curves"])
    assert type(build_activation("own_curves.Own")).__name__ == "Own"
    with pytest.raises(InputError, match="not a class of torch modules"):
        build_activation("own_curves.load")


def test_a_reexported_class_of_another_package_stays_outside(monkeypatch, tmp_path):
    monkeypatch.setattr("axonlight.activations.specs.imports._allowed", {"allowed_curves"})
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "hidden_curves.py").write_text("from torch import nn\nclass Own(nn.Tanh): pass\n")
    (tmp_path / "allowed_curves.py").write_text("from hidden_curves import Own\n")
    with pytest.raises(InputError, match="leads to hidden_curves"):
        build_activation("allowed_curves.Own")


@pytest.fixture
def library_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AXONLIGHT_LIBRARY", raising=False)
    return tmp_path / "activations.yaml"


def test_library(library_file, monkeypatch, tmp_path):
    with pytest.raises(InputError, match=r"library:wave needs a file activations.yaml"):
        build_activation("library:wave")
    library_file.write_text("wave: {formula: x*cos(a*x), constants: {a: 2.0}}\nflat: 3\n")
    module = build_activation("library:wave", width=3)
    assert module.text == "x*cos(a*x)"
    assert module.a.tolist() == [2.0, 2.0, 2.0]
    assert module.spec == {"formula": "x*cos(a*x)", "constants": {"a": 2.0}}
    with pytest.raises(InputError, match=r"library:wawe is not in .*did you mean wave"):
        build_activation("library:wawe")
    with pytest.raises(InputError, match="must be a mapping with the key formula"):
        build_activation("library:flat")
    other = tmp_path / "elsewhere.yaml"
    monkeypatch.setenv("AXONLIGHT_LIBRARY", str(other))
    with pytest.raises(InputError, match=r"elsewhere.yaml, named by AXONLIGHT_LIBRARY, which does not exist"):
        build_activation("library:wave")
    other.write_text("wave: {formula: x}\n")
    assert build_activation("library:wave").text == "x"


@pytest.mark.parametrize("content", ["- a\n- b\n", "a: [1", "!!python/object/apply:os.getcwd []"])
def test_broken_library_files(library_file, content):
    library_file.write_text(content)
    with pytest.raises(InputError, match=r"activations.yaml") as caught:
        build_activation("library:a")
    assert "\n" not in str(caught.value)


def test_parts_of_the_text():
    parts = SpecText("f(g(a, [1, 2]), {'k': 3}, key='a, b', other=(1, 2))")
    assert parts.arguments == ["g(a, [1, 2])", "{'k': 3}"]
    assert parts.keywords == {"key": "'a, b'", "other": "(1, 2)"}
    assert SpecText("relu").arguments == SpecText("relu()").arguments == []
    assert SpecText("f(a, b,)").arguments == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-1.5e-3", -0.0015),
        ("TRUE", True),
        ("None", None),
        ("null", None),
        ("channel", "channel"),
        ("'a b'", "a b"),
        ("[a, 1, true]", ["a", 1, True]),
        ("(5, 4)", (5, 4)),
        ("{'a': 1}", {"a": 1}),
    ],
)
def test_literals(text, value):
    assert read_literal(text, "here") == value
    assert type(read_literal(text, "here")) is type(value)


def test_request_keeps_explicit_arguments_only():
    assert read_spec("swish").arguments == {}
    assert read_spec(functools.partial(Swish, beta=1.0)).arguments == {"beta": 1.0}


def test_a_class_of_ones_own_has_a_short_name_but_hides_none():
    class OwnGate(library.Activation):
        def forward(self, x):
            return 2 * x

    class ReLU(library.Activation):
        def forward(self, x):
            return x

    assert type(build_activation("own_gate")) is OwnGate
    assert type(build_activation("relu")) is nn.ReLU
    assert ReLU is not nn.ReLU
