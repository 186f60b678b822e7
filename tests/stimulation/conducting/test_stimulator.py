"""The hook at a site: masked writes, types, outputs of several parts, copies, one graph."""

import copy
import pickle
from collections import OrderedDict

import pytest
import torch
from axonlight.errors import RunError
from axonlight.models import DenseNetwork, Electrode
from axonlight.stimulation import Clock, Conductor
from torch import nn
from torch._dynamo.testing import CompileCounter


class Named(nn.Module):
    """A network whose only site has names for its dimensions."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.site = Electrode("batch", "head", "unit", sizes={"head": 2, "unit": 2})

    def forward(self, x):
        return self.site(self.inner(x).unflatten(1, (2, 2)))


def lit(network, protocol, step=0, batch=None, **clock):
    """Return a conductor whose batch has begun."""
    conductor = Conductor(protocol, network)
    conductor.install()
    conductor.begin(Clock(step=step, **clock), batch or {})
    return conductor


def silence(site, **target):
    return [{"target": {"site": site, **target}, "opsin": "silence"}]


def test_only_what_is_chosen_is_written():
    network, x = Named(), torch.randn(5, 4)
    free = network(x)
    lit(network, silence("site", heads=[1], units=[0]))
    held = network(x)
    assert not held[:, 1, 0].any()
    held[:, 1, 0] = free[:, 1, 0]
    assert torch.equal(held, free)


def test_expression_and_light_multiply():
    network, x = Named(), torch.randn(5, 4)
    free = network(x)
    target = {"site": "site", "units": [0, 1], "gain": [1.0, 0.5]}
    lit(network, [{"target": target, "opsin": {"kind": "drive", "amount": 8.0}, "light": {"strength": 0.25}}])
    expected = free + torch.tensor([2.0, 1.0])
    torch.testing.assert_close(network(x), expected)


def test_order_of_precedence_at_one_place_under_two_names():
    network = DenseNetwork(3, 1, hidden=[2], norm="none")
    first = {"target": {"site": "layers.1"}, "opsin": "silence"}
    second = {"target": {"site": "hidden_0.post"}, "opsin": {"kind": "drive", "amount": 1.0}}
    seen = []
    lit(network, [first, second])
    network.layers[1].register_forward_hook(lambda module, args, output: seen.append(output))
    network(torch.randn(4, 3))
    assert not seen[0].any()  # silence has the last word, although drive stands behind it


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("opsin", ["silence", {"kind": "drive", "amount": 1.0}, {"kind": "noise", "sigma": 1.0}])
def test_the_type_of_the_activation_is_kept(dtype, opsin):
    network, seen = Named().to(dtype), []
    lit(network, [{"target": {"site": "site", "units": [0]}, "opsin": opsin}])
    network.site.register_forward_hook(lambda module, args, output: seen.append(output))
    network(torch.randn(3, 4, dtype=dtype)).sum().backward()
    assert seen[0].dtype == dtype
    assert network.inner.weight.grad.isfinite().all()


def test_what_is_not_finite_under_a_clamp_leaves_finite_gradients():
    network = nn.Sequential(OrderedDict(scale=Overflow(), read=nn.Linear(2, 1)))
    x = torch.tensor([[1.0, 2.0]], requires_grad=True)
    lit(network, [{"target": {"site": "scale", "units": [1]}, "opsin": {"kind": "shunt", "gain": 0.0}}])
    network(x).sum().backward()
    torch.testing.assert_close(x.grad, torch.tensor([[1.0, 0.0]]) * network.read.weight.detach())


class Overflow(nn.Module):
    """Infinite above 1."""

    def forward(self, x):
        return torch.where(x > 1, torch.inf, x)


def test_the_first_of_several_outputs_is_the_site():
    network = nn.Sequential(OrderedDict(rnn=nn.LSTM(3, 2, batch_first=True)))
    lit(network, silence("rnn"))
    output, (hidden, _) = network(torch.randn(2, 5, 3))
    assert not output.any()
    assert hidden.any()


def test_an_input_given_by_name_is_a_site():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Inner()

        def forward(self, x):
            return self.inner(values=x)

    class Inner(nn.Module):
        def forward(self, values):
            return values + 1

    network = Outer()
    lit(network, silence("inner:input"))
    assert torch.equal(network(torch.randn(2, 3)), torch.ones(2, 3))


class Dictionary(nn.Module):
    def forward(self, x):
        return {"logits": x}


class Whole(nn.Module):
    def forward(self, x):
        return x.long()


@pytest.mark.parametrize(("module", "message"), [(Dictionary(), "a dict"), (Whole(), "torch.int64")])
def test_what_cannot_be_written_is_refused(module, message):
    network = nn.Sequential(OrderedDict(place=module))
    lit(network, silence("place"))
    with pytest.raises(RunError, match=message):
        network(torch.randn(2, 3))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_copies_are_never_stimulated(duplicate):
    network, x = Named(), torch.randn(3, 4)
    before = duplicate(network)
    free = network(x)
    conductor = lit(network, silence("site"))
    during = duplicate(network)
    assert not network(x).any()
    assert torch.equal(before(x), free)
    assert torch.equal(during(x), free)
    conductor.remove()
    assert torch.equal(network(x), free)


def test_one_graph_while_light_and_samples_change():
    network, counter = Named(), CompileCounter()
    protocol = [
        {"target": {"site": "site", "heads": [1], "classes": [1]}, "opsin": "silence", "gradient": "pass"},
        {
            "target": {"site": "inner"},
            "opsin": {"kind": "noise", "sigma": 1.0},
            "light": {"pulse": {"period": 2, "width": 1}, "probability": 0.5},
        },
    ]
    conductor = Conductor(protocol, network, seed=1)
    conductor.install()
    compiled = torch.compile(network, backend=counter, fullgraph=True)
    for step in range(6):
        x, target = torch.randn(6, 4), torch.randint(2, (6,))
        conductor.begin(Clock(step=step, samples=6 * step), {"input": x, "target": target})
        torch.testing.assert_close(compiled(x), network(x))
        conductor.end()
    assert counter.frame_count == 1


def test_a_compiled_graph_is_dark_after_removal():
    network, x = Named(), torch.randn(3, 4)
    free = network(x)
    conductor = lit(network, silence("site"))
    compiled = torch.compile(network, backend="eager")
    assert not compiled(x).any()
    conductor.remove()
    assert torch.equal(compiled(x), free)


def test_a_network_that_was_compiled_before_is_traced_anew():
    network, x = Named(), torch.randn(3, 4)
    compiled = torch.compile(network, backend="eager")
    assert compiled(x).any()
    conductor = lit(network, silence("site"))
    assert not compiled(x).any()
    conductor.check_first_pass()


def test_graphs_of_one_class_are_not_mixed_up():
    x = torch.randn(3, 4)
    networks = [Named() for _ in range(3)]
    conductors = [lit(networks[0], silence("site", heads=[0])), lit(networks[1], silence("site", heads=[1]))]
    outputs = [torch.compile(network, backend="eager")(x) for network in networks]
    shines = [[bool(output[:, head].any()) for head in (0, 1)] for output in outputs]
    assert shines == [[False, True], [True, False], [True, True]]
    for conductor in conductors:
        conductor.check_first_pass()


def test_a_second_run_with_the_same_graph_finds_its_sites():
    network, x = Named(), torch.randn(3, 4)
    conductor = lit(network, silence("site"))
    compiled = torch.compile(network, backend="eager")
    for _ in range(2):
        conductor.watch()
        compiled(x)
        conductor.check_first_pass()
        conductor.remove()
        conductor.install()
