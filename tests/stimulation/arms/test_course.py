"""Stopping, going on, packing, measuring: nothing of it changes a run."""

import pandas as pd
import pytest
import torch
from arms_lab import CLAMPS, RATE, alone, difference, sequences_data, small_transformer, table_data
from axonlight.models import DenseNetwork
from axonlight.stimulation import Clock, Conductor
from axonlight.stimulation.arms import Arms, measure_heads
from axonlight.stimulation.arms.crew import Crew
from axonlight.stimulation.conducting.installation import stimulators_of

pytestmark = pytest.mark.xdist_group("course")  # its fixtures are made once

SITE = "hidden_0.post"
STATEFUL = {
    "pulse": [
        {"target": {"site": SITE, "units": [0]}, "opsin": "silence", "light": {"pulse": {"period": 7, "width": 3}}}
    ],
    "mean": [{"target": {"site": SITE, "units": [1]}, "opsin": {"kind": "clamp", "value": "mean"}}],
    "loop": [
        {
            "target": {"site": SITE, "units": [2]},
            "opsin": "silence",
            "light": {
                "closed_loop": {
                    "kind": "trigger",
                    "sensor": "metric:val/loss/train",
                    "below": 0.69,
                    "hold": 2,
                    "refractory": 3,
                }
            },
        }
    ],
    "none": None,
}


def dense():
    return DenseNetwork(3, 2, hidden=[6], norm="layer").double()


@pytest.fixture(scope="module")
def table():
    return table_data()


def arms_of(protocols=STATEFUL, seeds=(0, 1), **options):
    return Arms(dense, protocols, list(seeds), compiled=False, **options)


def same(first, second):
    return all(
        difference(first.network(arm, seed), second.network(arm, seed)) == 0
        for arm in first.protocols
        for seed in first.seeds
    )


def test_going_on_from_a_file_equals_not_stopping(table, tmp_path):
    whole = arms_of()
    expected = whole.train(table, 26, RATE, evaluate_every=5)
    first = arms_of()
    first.train(table, 10, RATE, evaluate_every=5)
    first.save(tmp_path / "arms.pt")
    second = arms_of()
    second.load(tmp_path / "arms.pt")
    assert second.updates == 10
    assert same(first, second)
    found = second.train(table, 26, RATE, evaluate_every=5)
    assert same(whole, second)
    pd.testing.assert_frame_equal(found, expected)
    assert second.record("pulse", 0).to_dict() == whole.record("pulse", 0).to_dict()


def test_a_second_call_goes_on(table):
    whole, parts = arms_of(), arms_of()
    whole.train(table, 20, RATE, evaluate_every=10)
    parts.train(table, 10, RATE, evaluate_every=10)
    parts.train(table, 20, RATE, evaluate_every=10)
    assert same(whole, parts)


def test_a_run_that_finishes_stays_and_others_go_on(table):
    free = arms_of(seeds=range(4), runs_per_pass=4)
    curves = free.train(table, 60, 0.02, evaluate_every=10)
    arms = arms_of(seeds=range(4), runs_per_pass=4)
    limit = curves[curves.samples == 640].loss.median()
    found = arms.train(table, 60, 0.02, evaluate_every=10, stop_below=limit, patience=2)
    ends = found.groupby(["arm", "seed"]).samples.max()
    assert ends.nunique() > 2
    for (arm, seed), end in ends.items():
        own = curves[(curves.arm == arm) & (curves.seed == seed)]
        pd.testing.assert_frame_equal(
            found[(found.arm == arm) & (found.seed == seed)].reset_index(drop=True),
            own[own.samples <= end].reset_index(drop=True),
        )
        low = (own[own.samples <= end].loss < limit).tolist()
        assert end == 960 or low[-2:] == [True, True]
        network, _ = alone(dense, STATEFUL["pulse"], seed, table, end // 16, 0.02)
        if arm == "pulse":
            assert difference(arms.network(arm, seed), network) < 1e-10


def test_measures_see_the_network_under_its_protocol(table):
    lit = [{"target": {"site": SITE, "units": [0, 1]}, "opsin": "silence", "phases": ["train", "validate"]}]

    def measure(network, batch, shared):
        seen = []
        handle = network.layers[2].register_forward_hook(lambda module, args, output: seen.append(output))
        network(batch["input"])
        handle.remove()
        return {"silent": float((seen[0] == 0).all(0).sum()), "hooks": len(stimulators_of(network))}

    arms = arms_of({"lit": lit, "dark": STATEFUL["pulse"]}, [3])
    arms.train(table, 8, RATE, evaluate_every=4, measure=measure, measure_every=4)
    found = arms.measured.set_index(["arm", "samples", "measure"]).value
    assert found["lit", 64, "hooks"] == 1
    assert found["dark", 64, "hooks"] == 0
    assert found["lit", 128, "silent"] >= 2
    assert not stimulators_of(arms.network("lit", 3))


def test_heads_are_measured():
    data = sequences_data()
    clamped = [{**stimulus, "phases": ["train", "validate"]} for stimulus in CLAMPS["match"]]
    arms = Arms(small_transformer, {"match": clamped, "free": None}, [0], compiled=False)
    arms.train(data, 4, RATE, evaluate_every=4, measure=measure_heads)
    found = arms.measured.set_index(["arm", "measure"]).value
    assert found["match", "induction_strength/1.1"] == 1
    assert abs(found["free", "induction_strength/1.1"]) < 0.5
    assert set(arms.measured.measure) == {
        f"{name}.{head}" for name in ("previous_token/0", "induction_strength/1", "accuracy_alone/1") for head in (0, 1)
    }


def test_evaluations_are_those_of_the_network(table):
    lit = [{"target": {"site": SITE, "units": [0]}, "opsin": "silence", "phases": ["train", "validate"]}]
    arms = arms_of({"lit": lit, "none": None}, [0])
    rows = arms.train(table, 6, RATE, evaluate_every=6)
    x, y = table.evaluators["train"].values()
    for arm in ("lit", "none"):
        network = arms.network(arm, 0)
        if arm == "lit":
            network.layers[2].register_forward_hook(
                lambda module, args, output: output * torch.tensor([0, 1, 1, 1, 1, 1])
            )
        outputs = network(x)
        row = rows[(rows.arm == arm) & (rows.samples == 96)].iloc[0]
        assert row.loss == pytest.approx(torch.nn.functional.cross_entropy(outputs, y).item(), abs=1e-6)
        assert row.accuracy == pytest.approx((outputs.argmax(1) == y).double().mean().item())


def test_visits_and_the_record(table):
    arms, updates = arms_of({"pulse": STATEFUL["pulse"], "none": None}, [0]), []
    arms.train(table, 14, RATE, evaluate_every=7, measure_every=5, visit=lambda arms: updates.append(arms.updates))
    assert updates == [5, 10, 14]
    assert arms.record("none", 0) is None
    ledger = arms.record("pulse", 0).to_dict()["stimuli"][0]["phases"]["train"]
    assert ledger == _ledger_of(range(14))


def _ledger_of(steps):
    """What an ordinary conductor writes down."""
    conductor = Conductor(STATEFUL["pulse"], dense(), 0)
    for step in steps:
        conductor.begin(Clock(step, step // 4, step * 16, step * 16), {})
    return conductor.record.to_dict()["stimuli"][0]["phases"]["train"]


def test_threads_of_torch_are_as_before():
    before = torch.get_num_threads()
    with Crew(2) as crew:
        assert torch.get_num_threads() == 1
        assert crew.each(lambda number: (number, torch.get_num_threads()), [3, 4, 5]) == [(3, 1), (4, 1), (5, 1)]
    assert torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), Crew(2) as crew:
        crew.each(lambda number: 1 / number, [1, 0])
    assert torch.get_num_threads() == before
