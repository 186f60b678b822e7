"""Exchanging the activations of a model: what is reached, what is reported, what stays."""

import pytest
import torch
from axonlight.activations import ASH, Dice, Swish, replace_activations
from axonlight.errors import InputError
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    """Convolution over a sequence, a module used under two names, and four functional calls."""

    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv1d(3, 6, 1)
        self.norm = nn.BatchNorm1d(6)
        self.first = nn.ReLU()
        self.linear = nn.Linear(6, 5)
        self.layer_norm = nn.LayerNorm(5)
        self.second = self.first

    def forward(self, x):
        x = self.first(self.norm(self.convolution(x)))
        x = self.second(self.layer_norm(self.linear(x.mean(-1))))
        return torch.tanh(F.relu(x)).sigmoid() + F.silu(x)


class Branching(nn.Module):
    """Its own forward cannot be traced; its parts can."""

    def __init__(self):
        super().__init__()
        self.block = Block()
        self.head = nn.Sequential(nn.Linear(5, 4), nn.Dropout(0.1), nn.GELU(), nn.Linear(4, 2))
        self.function = F.gelu

    def forward(self, x):
        x = self.head(self.block(x))
        return self.function(x) if x.sum() > 0 else x


class Residual(nn.Module):
    """One module called twice, behind layers of different width."""

    def __init__(self, hidden):
        super().__init__()
        self.up, self.down = nn.Linear(4, hidden), nn.Linear(hidden, 4)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(x + self.down(self.act(self.up(x))))


def paths(items):
    return [item.path for item in items]


def test_widths_layouts_and_functional_calls():
    model = Block()
    report = replace_activations(model, "swish")
    assert paths(report.replaced) == ["first", "second"]
    assert (model.first.num_parameters, model.first.channel_dim) == (6, 1)
    assert (model.second.num_parameters, model.second.channel_dim) == (5, None)
    assert model.first is not model.second
    calls = [(call.function, call.owner, call.owner_type) for call in report.functional]
    assert calls == [(name, "", "Block") for name in ("relu", "tanh", "sigmoid", "silu")]
    assert report.untraceable == []
    # Three dimensions with the channels in the middle: the width found must be applied there.
    assert model(torch.randn(2, 3, 9)).shape == (2, 5)


def test_what_cannot_be_traced_is_said_and_its_parts_are_seen():
    model = Branching()
    report = replace_activations(model, "ash(z=0.5)")
    assert paths(report.replaced) == ["block.first", "block.second", "head.2"]
    assert isinstance(model.head[2], ASH)
    assert model.head[2].z.tolist() == [0.5] * 4
    assert {(call.function, call.owner) for call in report.functional} == {
        ("gelu", ""),
        *((name, "block") for name in ("relu", "tanh", "sigmoid", "silu")),
    }
    ((path, reason),) = report.untraceable
    assert path == ""
    assert "control flow" in reason
    text = str(report)
    assert text.startswith("replaced 3, kept 0, functional 5\n")
    for part in ("head.2", "GELU -> ASH", "relu called in Block", "(model)", "not traceable: TraceError"):
        assert part in text


def test_globs_and_kept():
    model = Branching()
    report = replace_activations(model, "tanh", ["head.*", "*.second"])
    assert paths(report.replaced) == ["block.second", "head.2"]
    assert [(item.path, item.why) for item in report.kept] == [
        ("block.first", "its path does not match head.* or *.second")
    ]
    assert isinstance(model.block.first, nn.ReLU)
    assert paths(replace_activations(model, "tanh", "block.*").replaced) == ["block.first", "block.second"]


@pytest.mark.parametrize(("hidden", "expected"), [(4, 4), (8, 1)])
def test_a_module_called_twice_is_noted(hidden, expected):
    model = Residual(hidden)
    (item,) = replace_activations(model, "swish").replaced
    assert model.act.num_parameters == expected
    assert "called 2 times" in item.note
    assert ("width unknown" in item.note) == (expected == 1)
    assert model(torch.randn(2, 4)).shape == (2, 4)


def test_unknown_width_keeps_what_needs_it():
    model = Residual(8)
    report = replace_activations(model, "dice")
    assert report.replaced == []
    assert "num_features" in report.kept[0].why
    assert isinstance(model.act, nn.ReLU)


def test_widths_through_images():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
    report = replace_activations(model, "dice")
    assert paths(report.replaced) == ["2"]
    assert isinstance(model[2], Dice)
    assert model(torch.randn(2, 3, 6, 6)).shape == (2, 2)


def test_the_new_modules_take_type_and_mode():
    model = nn.Sequential(nn.Linear(3, 4), nn.PReLU(), nn.Linear(4, 1)).double().eval()
    replace_activations(model, "meta_acon")
    assert model[1].p1.dtype == torch.float64
    assert not model[1].training
    assert not model[1].switch[1].training
    assert model(torch.randn(2, 3, dtype=torch.float64)).dtype == torch.float64


def test_the_exchange_trains_and_computes_the_new_function():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    x = torch.randn(5, 3)
    replace_activations(model, "silu")
    torch.testing.assert_close(model(x), model[2](F.silu(model[0](x))))
    replace_activations(model, Swish)
    model(x).sum().backward()
    assert model[1].beta.grad.shape == (4,)


def test_nested_activations_count_as_one():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    replace_activations(model, "meta_acon")
    assert paths(replace_activations(model, "relu").replaced) == ["1"]
    assert str(model[1]) == "ReLU()"


def test_a_shared_parent_is_exchanged_once():
    block = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    model = nn.ModuleDict({"left": block, "right": block})
    report = replace_activations(model, "tanh")
    assert paths(report.replaced) == ["left.1"]
    assert [(item.path, item.why) for item in report.kept] == [
        ("right.1", "its parent is the same module as that of left.1")
    ]


def test_normalising_and_halving_modules_stay():
    model = nn.Sequential(nn.Linear(2, 4), nn.GLU(), nn.Linear(2, 3), nn.Softmax(dim=-1))
    report = replace_activations(model, "relu")
    assert report.replaced == []
    assert paths(report.kept) == ["1", "3"]


def test_an_activation_alone_cannot_be_exchanged():
    report = replace_activations(nn.ReLU(), "tanh")
    assert "build_activation" in report.kept[0].why
    assert report.functional == []


def test_functions_of_torchs_own_layers_are_named():
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True, activation="gelu"), 2)
    calls = [(call.function, call.owner) for call in replace_activations(model, "tanh").functional]
    assert calls == [("gelu", "layers.0"), ("gelu", "layers.1")]


@pytest.mark.parametrize("spec", ["rellu", "swish(beta=steep)", "xielu(alpha_n=0.1)"])
def test_a_bad_spec_changes_nothing(spec):
    model = Block()
    with pytest.raises(InputError):
        replace_activations(model, spec)
    assert isinstance(model.first, nn.ReLU)
    assert model.first is model.second


def test_tracing_leaves_shared_modules_shared():
    model = Block()
    replace_activations(model, "tanh", "nothing")
    assert model.first is model.second
