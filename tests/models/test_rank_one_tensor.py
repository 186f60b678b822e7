"""The rank-one tensor: what it computes, and that every factor that is clamped to the truth shortens its plateau."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from axonlight.models import RankOneTensor, find_sites
from axonlight.stimulation import Clock, Conductor, Protocol

ARMS = ("", "c", "bc")
# Updates to 1 % of the first loss of an independent program, three seeds of its own.
ELSEWHERE = {"": (253, 206, 936), "c": (73, 123, 145), "bc": (59, 58, 38)}


def train(arm, seed, updates=1_000, scale=0.5):
    """Gradient descent at rate 1 with factors clamped to the truth; the loss before every update."""
    network, x = RankOneTensor(seed=seed, scale=scale), torch.zeros(1, 1)
    truth = dict(zip("abc", network.truth.tolist(), strict=True))
    stimuli = [{"target": name, "opsin": {"kind": "clamp", "value": truth[name]}} for name in arm]
    conductor = Conductor(Protocol.build(stimuli), network, 0) if stimuli else None
    optimizer, losses = torch.optim.SGD(network.parameters(), lr=1.0), []
    if conductor is not None:
        conductor.install()
        conductor.begin(Clock(), {"input": x})
    for _ in range(updates):
        loss = network.loss(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return network, np.array(losses)


def reference(seed, clamped, updates, scale=0.5):
    """The same in NumPy, with gradients written out."""
    network = RankOneTensor(seed=seed, scale=scale)
    truth = network.truth.double().numpy()
    factors = [network.factors[name].detach().double().numpy() for name in "abc"]
    factors = [truth[k] if "abc"[k] in clamped else factors[k] for k in range(3)]
    target = np.einsum("i,j,k->ijk", *truth)
    losses = []
    for _ in range(updates):
        error = np.einsum("i,j,k->ijk", *factors) - target
        losses.append(0.5 * (error**2).mean())
        gradients = [np.einsum("ijk,j,k->i", error, factors[1], factors[2]) / error.size]
        gradients += [np.einsum("ijk,i,k->j", error, factors[0], factors[2]) / error.size]
        gradients += [np.einsum("ijk,i,j->k", error, factors[0], factors[1]) / error.size]
        factors = [factors[k] if "abc"[k] in clamped else factors[k] - gradients[k] for k in range(3)]
    return np.array(losses)


@pytest.mark.parametrize("arm", ARMS)
def test_losses_are_those_of_written_out_gradients(arm):
    _, losses = train(arm, seed=3, updates=80)
    np.testing.assert_allclose(losses, reference(3, arm, 80), rtol=2e-4)


def test_with_two_factors_clamped_the_error_falls_by_one_factor():
    network, losses = train("bc", seed=0, updates=60)
    squares = network.truth.double().square().sum(dim=1)
    factor = 1 - float(squares[1] * squares[2]) / 20**3
    np.testing.assert_allclose(losses, losses[0] * factor ** (2 * np.arange(60)), rtol=1e-3)


def test_clamped_factors_do_not_move():
    network, _ = train("bc", seed=0, updates=5)
    fresh = RankOneTensor(seed=0)
    moved = {name: not torch.equal(network.factors[name], fresh.factors[name]) for name in "abc"}
    assert moved == {"a": True, "b": False, "c": False}


def updates_to_one_percent(losses):
    below = np.flatnonzero(losses < 0.01 * losses[0])
    return below[0] if len(below) else np.inf


def test_every_clamped_factor_shortens_the_plateau():
    times = {arm: [updates_to_one_percent(reference(seed, arm, 1_000)) for seed in range(5)] for arm in ARMS}
    for first, second, third in zip(*(times[arm] for arm in ARMS), strict=True):
        assert first > 1.5 * second
        assert second > 1.2 * third
    for arm, elsewhere in ELSEWHERE.items():
        # same order of magnitude as the other program, whose seeds draw other numbers
        assert 0.5 < np.median(times[arm]) / np.median(elsewhere) < 2


def test_sites_and_shapes():
    network = RankOneTensor(width=6)
    assert [(site.name, site.size("unit")) for site in find_sites(network, ["a", "b", "c"])] == [
        ("a", 6),
        ("b", 6),
        ("c", 6),
    ]
    assert network(torch.zeros(3, 1)).shape == (3, 6, 6, 6)
    assert torch.equal(network.truth, RankOneTensor(width=6).truth)
    assert not torch.equal(network.truth, RankOneTensor(width=6, seed=1).truth)


EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="examples are not installed with the package")
def test_the_example_trains_by_the_callback(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    sys.modules.pop("rank_one_tensor", None)
    import rank_one_tensor as example

    np.testing.assert_allclose(example.losses_of("c", 0, 30), reference(0, "c", 30), rtol=2e-4)
    example.main(["--output", str(tmp_path), "--seeds", "2", "--updates", "40"])
    rows = (tmp_path / "rank_one_tensor.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["arm", *example.ARMS]
    assert (tmp_path / "rank_one_tensor.png").stat().st_size > 10_000
