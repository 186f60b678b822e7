"""Every run among many is the run that it would be alone."""

import pytest
import torch
from arms_lab import CLAMPS, RATE, alone, difference, sequences_data, small_transformer, table_data
from axonlight.models import AttentionOnlyTransformer, DenseNetwork
from axonlight.stimulation.arms import Arms

pytestmark = pytest.mark.xdist_group("separate_runs")  # its fixtures are made once

HIDDEN = "hidden_0.post"
LIGHTS = {
    "pulse": [
        {"target": {"site": HIDDEN, "units": [0, 1]}, "opsin": "silence", "light": {"pulse": {"period": 4, "width": 2}}}
    ],
    "noise": [{"target": HIDDEN, "opsin": {"kind": "noise", "sigma": 0.5}, "light": {"probability": 0.5}}],
    "mean, frozen": [
        {
            "target": {"site": HIDDEN, "units": [2, 3]},
            "opsin": {"kind": "clamp", "value": "mean"},
            "optimizer": "freeze",
            "light": {"window": [10, 60]},
            "phases": ["train", "validate"],
        }
    ],
    "classes": [
        {"target": {"site": HIDDEN, "classes": [1]}, "opsin": {"kind": "drive", "amount": 0.3, "unit": "sigma"}}
    ],
    "loss": [
        {
            "target": {"site": HIDDEN, "units": [0]},
            "opsin": "silence",
            "light": {"closed_loop": {"kind": "trigger", "sensor": "loss", "below": 0.6, "hold": 3, "refractory": 2}},
        }
    ],
    "statistic": [
        {
            "target": HIDDEN,
            "opsin": {"kind": "shunt", "gain": 0.5},
            "gradient": "pass",
            "light": {"closed_loop": {"kind": "trigger", "sensor": "statistic:hidden_1.pre:mean", "above": 0.0}},
        }
    ],
    "first pass": [
        {
            "target": {"site": "hidden_1.post", "units": [0]},
            "opsin": {"kind": "patch", "source": "first"},
        },
        {"target": {"site": HIDDEN, "units": [1]}, "opsin": "silence"},
    ],
    "none": None,
}


@pytest.fixture(scope="module")
def table():
    return table_data()


@pytest.fixture(scope="module")
def sequences():
    return sequences_data()


def dense():
    return DenseNetwork(3, 2, hidden=[6, 5], norm="layer").double()


def test_transformer_under_the_clamps_of_the_study(sequences):
    arms = Arms(small_transformer, CLAMPS, [0, 7], compiled=False)
    arms.train(sequences, 104, RATE, evaluate_every=104)
    for number, (arm, protocol) in enumerate(CLAMPS.items()):
        seed = (0, 7)[number % 2]
        network, _ = alone(small_transformer, protocol, seed, sequences, 104)
        assert difference(arms.network(arm, seed), network) < 1e-10, (arm, seed)
    # and what is compared is not the same everywhere
    assert difference(arms.network("free", 0), arms.network("none", 0)) > 1e-3
    assert difference(arms.network("none", 0), arms.network("none", 7)) > 1e-3


@pytest.fixture(scope="module")
def lit(table):
    """Arms under every kind of light."""
    arms = Arms(dense, LIGHTS, [0, 3], compiled=False)
    arms.train(table, 104, RATE, evaluate_every=52)
    return arms


@pytest.mark.parametrize("arm", LIGHTS)
def test_dense_network_under_every_kind_of_light(table, lit, arm):
    network, _ = alone(dense, LIGHTS[arm], 3, table, 104)
    assert difference(lit.network(arm, 3), network) < 1e-10
    if arm != "none":
        assert difference(lit.network(arm, 3), lit.network("none", 3)) > 1e-4


def test_packs_of_any_size(table, lit):
    """Three at a time, the last pack filled up: the same but for the order of summation."""
    packs = Arms(dense, LIGHTS, [0, 3], compiled=False, runs_per_pass=3)
    packs.train(table, 104, RATE, evaluate_every=104)
    for arm in LIGHTS:
        assert difference(lit.network(arm, 0), packs.network(arm, 0)) < 1e-12, arm


def test_running_statistics_of_batch_norm(table):
    def factory():
        return DenseNetwork(3, 2, hidden=[6], norm="batch")

    arms = Arms(lambda: factory().double(), {"pulse": LIGHTS["pulse"], "none": None}, [1], compiled=False)
    arms.train(table, 20, RATE, evaluate_every=20)
    for arm in ("pulse", "none"):
        network, _ = alone(lambda: factory().double(), LIGHTS["pulse"] if arm == "pulse" else None, 1, table, 20)
        found = arms.network(arm, 1)
        for name, value in network.named_buffers():
            torch.testing.assert_close(dict(found.named_buffers())[name], value, rtol=0, atol=1e-8)
        assert int(found.layers[1].num_batches_tracked) == 20


@pytest.mark.slow
def test_compiled(sequences):
    """One graph of two arms, with the batch last in memory, against runs alone."""

    def factory():
        return AttentionOnlyTransformer(12, 5, num_layers=1, num_heads=2, head_width=4).double()

    pulsed = {"pulse": {"period": 4, "width": 2}}
    target = {"site": "blocks.0.attention.pattern", "heads": [1]}
    protocols = {"free": None, "pulsed": [{"target": target, "opsin": "previous_token", "light": pulsed}]}
    arms = Arms(factory, protocols, [2], compiled=True)
    arms.train(sequences, 104, RATE, evaluate_every={})
    for arm, protocol in protocols.items():
        network, _ = alone(factory, protocol, 2, sequences, 104)
        assert difference(arms.network(arm, 2), network) < 1e-10, arm
    assert difference(arms.network("pulsed", 2), arms.network("free", 2)) > 1e-4


def test_single_precision_has_the_same_curves(table):
    def factory():
        return DenseNetwork(3, 2, hidden=[6, 5], norm="layer")

    x, y = table.evaluators["train"].values()
    rows = type(table).from_rows(x.float(), y, batch_size=16)
    arms = Arms(factory, {"pulse": LIGHTS["pulse"]}, [0], compiled=False)
    found = arms.train(rows, 100, RATE, evaluate_every=100)
    network, _ = alone(factory, LIGHTS["pulse"], 0, rows, 100)
    expected = torch.nn.functional.cross_entropy(network.eval()(x.float()), y)
    assert found.loss.iloc[-1] == pytest.approx(expected.item(), rel=1e-3)
    assert found.loss.iloc[-1] < 0.9 * found.loss.iloc[0]


def test_own_initialisation_and_own_order(sequences):
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    arms = Arms(small_transformer, {"none": None}, [4, 5], compiled=False)
    assert torch.equal(torch.random.get_rng_state(), before)
    for seed in (4, 5):
        torch.manual_seed(seed)
        assert difference(small_transformer(), arms.network("none", seed)) == 0
    batches = [sequences.read(seed, 0, 3)["exemplars"] for seed in (4, 5)]
    assert not torch.equal(*batches)
    assert torch.equal(sequences.read(4, 2, 3)["exemplars"][0], batches[0][2])
