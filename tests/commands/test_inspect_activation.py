"""Drawing an activation: the curve is right, the file is an image, mistakes are sentences."""

import pytest
import torch
from axonlight.activations import build_activation
from axonlight.activations.curves import activation_curve
from axonlight.commands.inspect_activation import draw_activation
from axonlight.errors import InputError
from torch.nn import functional as F

X = torch.linspace(-4, 4, 81, dtype=torch.float64)


def test_curve_of_an_elementwise_activation():
    value, derivative = activation_curve(build_activation("silu"), X)
    gate = torch.sigmoid(X)
    torch.testing.assert_close(value, F.silu(X))
    torch.testing.assert_close(derivative, gate * (1 + X * (1 - gate)))


@pytest.mark.parametrize("dims", ["sample", "channel", "last"])
def test_curve_of_a_gated_activation_is_that_within_a_normal_sample(dims):
    value, _ = activation_curve(build_activation(f"ash(z=0.5, dims={dims})").double(), X)
    # Mean 0 and deviation 1, but for the one value itself among 256.
    torch.testing.assert_close(value.detach(), X * torch.sigmoid(2 * (X - 0.5)), atol=0.05, rtol=0)


@pytest.mark.parametrize("spec", ["ash(z=0.5)", "formula(x*cos(a*x), a=2.0)", "dice", "meta_acon", "prelu", "pwlu"])
def test_draws_an_image(spec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = draw_activation(spec)
    assert path.parent.resolve() == tmp_path
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 10_000


def test_output_and_ends(tmp_path):
    path = tmp_path / "new" / "curve.svg"
    assert draw_activation("relu", path, low=-1.0, high=2.0) == path
    assert "<svg" in path.read_text()


def test_names_are_safe_for_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert draw_activation("formula(x/(1 + abs(x)))").name == "activation_formula_x_1_abs_x.png"
    assert [path.parent for path in tmp_path.glob("**/*.png")] == [tmp_path]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rellu",), "did you mean ReLU"),
        (("glu",), "keeps the shape"),
        (("relu", None, 2.0, 1.0), "low is 2.0 and high is 1.0"),
        (("relu", None, 0.0, float("inf")), "must be finite"),
    ],
)
def test_mistakes(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        draw_activation(*arguments)
    assert list(tmp_path.iterdir()) == []


def test_unknown_image_format(tmp_path):
    with pytest.raises(InputError, match=r"suffix must be one of \.png, \.pdf, \.svg"):
        draw_activation("relu", tmp_path / "curve.doc")
