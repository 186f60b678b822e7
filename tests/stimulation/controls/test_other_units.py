"""The rest of a site: what a protocol reaches once it is turned round."""

import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import DenseNetwork
from axonlight.stimulation import Protocol
from axonlight.stimulation.controls import complement

NETWORK = DenseNetwork(30, 1, hidden=[6, 4])


def turned(*targets, opsin="silence"):
    return complement(Protocol.build([{"target": target, "opsin": opsin} for target in targets]), NETWORK)


def expressed(protocol):
    return {item.site.name: item.expression() for item in protocol.bind(NETWORK)}


@pytest.mark.parametrize("units", [[0], [1, 4], ["0:5"]])
def test_target_and_rest_make_the_whole_site(units):
    target = {"site": "hidden_0.post", "units": units, "gain": 0.5}
    own = expressed(Protocol.build([{"target": target, "opsin": "silence"}]))["hidden_0.post"]
    rest = expressed(turned(target))["hidden_0.post"]
    assert torch.equal(own + rest, torch.full((6,), 0.5))
    assert not torch.any((own > 0) & (rest > 0))


def test_a_random_share_leaves_the_share_it_would_have_drawn():
    target = {"site": "*.post", "fraction": 0.5}
    own = expressed(Protocol.build([{"target": target, "opsin": "silence"}]))
    rest = expressed(turned(target))
    assert own.keys() == rest.keys()
    for site, values in own.items():
        assert torch.equal(values + rest[site], torch.ones_like(values))


def test_what_another_stimulus_names_is_spared_too():
    found = turned({"site": "hidden_0.post", "units": [0, 1]}, {"site": "hidden_0.post", "units": [2]}, opsin="sham")
    assert [stimulus.target.units for stimulus in found.stimuli] == [(3, 4, 5), (3, 4, 5)]


def test_turning_round_twice_gives_the_targets_back():
    protocol = Protocol.build([{"target": {"site": "hidden_0.post", "units": [1, 3]}, "opsin": "silence"}])
    assert complement(complement(protocol, NETWORK), NETWORK) == protocol


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("hidden_0.post", "neither units nor heads"),
        ({"site": "hidden_0.post", "units": ["0:6"]}, "reaches every unit of the site, so that there is no rest"),
        ({"site": "hidden_0.post", "units": [0, 1], "gain": [1.0, 0.5]}, "a gain per unit"),
        ({"site": "hidden_0.post", "units": [9]}, "the site has 6 units"),
    ],
)
def test_what_has_no_rest_is_refused(target, words):
    with pytest.raises(InputError, match=rf"^stimulus 1 \(silence at hidden_0.post\): .*{words}"):
        turned(target)
