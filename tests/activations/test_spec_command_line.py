"""Every form of spec from a command line and from YAML, as LightningCLI types a network's parameter."""

import warnings

import axonlight.activations as library
import pytest
import torch
import torch_geometric.nn
import yaml
from axonlight.activations import ASH, Formula, LayerActivations, Swish, build_activation
from axonlight.models.tasks.spec_types import register_spec_types
from jsonargparse import ArgumentParser
from torch import nn

register_spec_types()  # as importing the tasks does


class Network(nn.Module):
    def __init__(self, width: int = 4, activation: LayerActivations = "relu"):
        super().__init__()
        specs = activation if isinstance(activation, list) else [activation]
        self.layers = nn.ModuleList(build_activation(spec, width=width) for spec in specs)


def parse(arguments):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_subclass_arguments(Network, "model")
    config = parser.parse_args([f"--model={__name__}.Network", *arguments])
    # What a run saves must build the same again.
    again = parser.parse_object(yaml.safe_load(parser.dump(config)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jsonargparse 4.53 announces a new name of instantiate_classes
        layers = parser.instantiate_classes(config).model.layers
        assert [repr(m) for m in parser.instantiate_classes(again).model.layers] == [repr(m) for m in layers]
    return layers


def from_command_line(spec, tmp_path):
    return parse(["--model.activation", spec if isinstance(spec, str) else yaml.safe_dump(spec)])


def from_yaml(spec, tmp_path):
    path = tmp_path / "config.yaml"
    values = {"class_path": f"{__name__}.Network", "init_args": {"activation": spec}}
    path.write_text(yaml.safe_dump({"model": values}))
    return parse(["--config", str(path)])


FORMS = [
    ("relu", nn.ReLU, {}),
    ("ReLU", nn.ReLU, {}),
    ("leaky_relu(0.2)", nn.LeakyReLU, {"negative_slope": 0.2}),
    ("Tanh", nn.Tanh, {}),
    ("torch.nn.Tanh", nn.Tanh, {}),
    ("ASH", ASH, {"num_parameters": 4}),
    ("axonlight.activations.ASH", ASH, {"num_parameters": 4}),
    ("swish(beta=1.5)", Swish, {"num_parameters": 4}),
    ("swish(beta=1.5, num_parameters=1)", Swish, {"num_parameters": 1}),
    ("ash(z=0.5, dims=channel)", ASH, {"dims": "channel"}),
    ("formula(x*cos(a*x), a=2.0)", Formula, {"text": "x*cos(a*x)"}),
    ("formula(max(x, a*x), a=0.1)", Formula, {"text": "max(x, a*x)"}),
    ({"class_path": "ASH", "init_args": {"z": 0.5, "mode": "leaky"}}, ASH, {"mode": "leaky", "num_parameters": 4}),
    ({"class_path": "torch.nn.ELU", "init_args": {"alpha": 2.0}}, nn.ELU, {"alpha": 2.0}),
    ({"class_path": "Formula", "init_args": {"text": "x*cos(x)"}}, Formula, {"text": "x*cos(x)"}),
    ({"class_path": "Swish", "init_args": {"num_parameters": 2}}, Swish, {"num_parameters": 2}),
    ({"class_path": "axonlight.activations.PWLU", "init_args": {"init": "tanh"}}, library.PWLU, {"bound": 3.0}),
    ({"class_path": "Dice", "init_args": {"num_features": 4}}, library.Dice, {"num_features": 4}),
]
both_ways = pytest.mark.parametrize("way", [from_command_line, from_yaml])


@both_ways
@pytest.mark.parametrize(("spec", "expected", "attributes"), FORMS)
def test_every_form(way, spec, expected, attributes, tmp_path):
    (layer,) = way(spec, tmp_path)
    assert type(layer) is expected
    assert {name: getattr(layer, name) for name in attributes} == attributes


@both_ways
@pytest.mark.parametrize("spec", [{"formula": "x*cos(a*x)", "constants": {"a": 2.0}}, "formula: x*cos(a*x)"])
def test_a_formula_as_a_mapping(way, spec, tmp_path):
    (layer,) = way(spec, tmp_path)
    assert type(layer) is Formula
    assert layer.text == "x*cos(a*x)"
    assert layer.a.tolist() == [2.0 if isinstance(spec, dict) else 1.0] * 4


@both_ways
def test_a_misspelt_mapping_is_refused(way, tmp_path):
    with pytest.raises(Exception, match="formla"):
        way({"formla": "x*cos(x)"}, tmp_path)


@both_ways
def test_one_spec_per_layer(way, tmp_path):
    specs = ["relu", "ash(z=0.5)", {"class_path": "ASH", "init_args": {"z": 0.7}}, "formula(x*cos(x))", "Tanh"]
    layers = way(specs, tmp_path)
    assert [type(layer) for layer in layers] == [nn.ReLU, ASH, ASH, Formula, nn.Tanh]
    assert layers[1].z[0].item() == 0.5
    torch.testing.assert_close(layers[2].z, torch.full((4,), 0.7))


def test_dotted_overrides():
    (layer,) = parse(["--model.activation", "ASH", "--model.activation.z", "0.7"])
    torch.testing.assert_close(layer.z, torch.full((4,), 0.7))


def test_library_from_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setenv("AXONLIGHT_LIBRARY", str(tmp_path / "mine.yaml"))
    (tmp_path / "mine.yaml").write_text("wave: {formula: x*cos(a*x), constants: {a: 2.0}}\n")
    for way in (from_command_line, from_yaml):
        (layer,) = way("library:wave", tmp_path)
        assert layer.text == "x*cos(a*x)"


@both_ways
@pytest.mark.parametrize("spec", ["rellu", "swish(bta=1)", "ash(dims=chanel)"])
def test_mistakes_keep_their_sentence(way, spec, tmp_path):
    with pytest.raises(Exception, match=r"did you mean|it must be"):
        way(spec, tmp_path)


PUBLIC_CLASSES = [
    name
    for name in library.__all__
    if isinstance(getattr(library, name), type) and issubclass(getattr(library, name), nn.Module)
]


@pytest.mark.parametrize("name", PUBLIC_CLASSES)
def test_short_names_are_unique_beside_torch_and_torch_geometric(name):
    assert not hasattr(nn, name)
    assert not hasattr(torch_geometric.nn, name)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(nn.Module, "module", instantiate=False)
    needed = {"Dice": ["--module.num_features=2"], "MetaAcon": ["--module.num_features=2"]}
    needed["Formula"] = ["--module.text=x"]
    config = parser.parse_args([f"--module={name}", *needed.get(name, [])])
    assert config.module.class_path == f"axonlight.activations.{name}"
