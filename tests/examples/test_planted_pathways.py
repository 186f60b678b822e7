"""Planted pathways are found by attribution after training, and not without it; the tables say what the runs hold."""

import csv
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("examples are not installed with the package", allow_module_level=True)
sys.path.insert(0, str(EXAMPLES))
import _planted_report as tables  # noqa: E402
import planted_pathways as example  # noqa: E402

sys.path.remove(str(EXAMPLES))

SEEDS = (0, 1, 2)

# Nothing validates here, on purpose.
pytestmark = [
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`"),
    pytest.mark.xdist_group("planted_pathways"),  # its fixtures are made once
]


@pytest.fixture(scope="module")
def runs():
    """Three simulations of 3 planted among 20 pathways: every network, method and adjustment."""
    small = {"layer_sizes": [80, 20, 4], "num_causal": 3, "num_samples": 800, "signal": 0.9}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(example.SETTINGS, "small", small)
        patch.setattr(example, "EPOCHS", 40)
        patch.setattr(example, "LEARNING_RATE", 0.01)
        return [run for seed in SEEDS for run in example.run_seed("small", seed, None)]


def hits(runs, network, method, adjust="none"):
    return [run.hits for run in runs if (run.network, run.method, run.adjust) == (network, method, adjust)]


@pytest.mark.parametrize("method", example.METHODS)
@pytest.mark.parametrize("adjust", example.ADJUSTMENTS)
def test_trained_networks_find_what_was_planted(runs, method, adjust):
    group = [run for run in runs if (run.network, run.method, run.adjust) == ("trained", method, adjust)]
    assert len(group) == len(SEEDS)
    # 9 planted in all, 1.35 found by chance
    assert sum(run.hits for run in group) >= 8
    assert tables.chance_probability(group) < 1e-5


@pytest.mark.parametrize("network", ["untrained", "permuted labels"])
@pytest.mark.parametrize("method", example.METHODS)
def test_controls_find_no_more_than_chance(runs, network, method):
    assert sum(hits(runs, network, method)) <= 4


def test_the_network_beats_its_controls_and_stays_below_the_ceiling(runs):
    trained, permuted = (
        [run.auroc for run in runs if (run.network, run.method, run.adjust) == (network, "conductance", "none")]
        for network in ("trained", "permuted labels")
    )
    ceiling = [run.optimal_auroc for run in runs if run.method == "pathway mean"]
    assert np.mean(trained) > 0.8
    assert np.mean(permuted) < 0.65
    assert np.mean(trained) < np.mean(ceiling)
    assert sum(hits(runs, "none", "pathway mean")) >= 8


def test_similarity_is_one_where_all_are_found(runs):
    assert any(run.hits == run.causal for run in runs)
    for run in runs:
        assert (run.similarity == pytest.approx(1)) == (run.hits == run.causal)
        assert run.similarity >= run.hits / run.causal - 1e-12


def test_control_networks_start_alike_and_see_permuted_labels(monkeypatch):
    monkeypatch.setitem(example.SETTINGS, "small", {"layer_sizes": [20, 4, 2], "num_causal": 1, "num_samples": 100})
    data = example.simulate("small", 5, None)
    first, second = (example.make_task(data, 5).state_dict() for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    real, permuted = (example.training_rows(data, 5, permuted=flag).tensors for flag in (False, True))
    assert torch.equal(real[0], permuted[0])
    assert not torch.equal(real[1], permuted[1])
    assert real[1].sum() == permuted[1].sum()


# Statistics ------------------------------------------------------------------------------------------------------


def run_of(hits, seed=0, causal=2, candidates=5, **more):
    given = {"setting": "s", "network": "trained", "method": "conductance", "adjust": "none", **more}
    scores = {"auroc": 0.8, "optimal_auroc": 0.9, "similarity": 0.5}
    return tables.Run(
        seed=seed, hits=hits, causal=causal, candidates=candidates, axonlight="0", torch="0", **given, **scores
    )


@pytest.mark.parametrize("observed", [(0, 0), (1, 0), (1, 1), (2, 1), (2, 2)])
def test_chance_probability_is_the_share_of_all_draws(observed):
    draws = list(itertools.combinations(range(5), 2))
    totals = [len({0, 1} & set(a)) + len({0, 1} & set(b)) for a, b in itertools.product(draws, draws)]
    expected = np.mean([total >= sum(observed) for total in totals])
    assert tables.chance_probability([run_of(number) for number in observed]) == pytest.approx(expected)


def test_interval_is_that_of_the_mean():
    assert tables.interval([2, 2, 2]) == (2, 2)
    values = np.random.default_rng(1).integers(0, 6, size=60)
    low, high = tables.interval(values.tolist())
    half = 1.96 * values.std() / np.sqrt(60)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.06)


def test_table_shows_the_mean_per_network_method_and_adjustment():
    group = [run_of(2, 0), run_of(1, 1), run_of(0, 0, adjust="degree"), run_of(1, 1, adjust="degree")]
    lines = tables.recovery_table([*group, run_of(2, network="none", method="pathway mean")]).splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert cells[2][:2] == ["trained", "conductance"]
    assert cells[2][2].startswith("1.50 [1.00, 2.00], p = ")
    assert cells[2][3].startswith("0.50 [0.00, 1.00], p = ")
    assert cells[3][3] == ""
    assert cells[2][4] == cells[3][4] == "0.50"
    assert cells[-1][2:4] == ["0.80", "0.80"]


def test_differences_are_paired_by_simulation(monkeypatch):
    ours, theirs = ("trained", "conductance", "none"), ("none", "pathway mean", "none")
    monkeypatch.setattr(tables, "PAIRS", [(ours, theirs)])
    # In another order of the seeds; every simulation has one hit less, so the interval has no width.
    group = [run_of(1, 7), run_of(0, 3), run_of(1, 3, network="none", method="pathway mean")]
    group += [run_of(2, 7, network="none", method="pathway mean")]
    line = tables.differences_table(group).splitlines()[-1]
    assert line == "| trained, conductance, adjust none | pathway mean | -1.00 [-1.00, -1.00] |"


def test_command_resumes_and_leaves_what_people_wrote(tmp_path, monkeypatch):
    small = {"layer_sizes": [20, 4, 2], "num_causal": 1, "num_samples": 100}
    monkeypatch.setattr(example, "SETTINGS", {"small": small})
    monkeypatch.setattr(example, "EPOCHS", 1)
    given = ["--output", str(tmp_path), "--first-seed", "3"]
    example.main([*given, "--seeds", "1"])
    path, page = tmp_path / "planted_pathways.csv", tmp_path / "planted_pathways.md"
    first = path.read_text()
    assert len(list(csv.DictReader(first.splitlines()))) == 3 * 3 * 3 + 1
    page.write_text(f"# Title\n\n{page.read_text()}\nDiscussion.\n")
    calls = []
    original = example.run_seed
    monkeypatch.setattr(example, "run_seed", lambda *arguments: calls.append(arguments[1]) or original(*arguments))
    example.main([*given, "--seeds", "2"])
    assert calls == [4]
    assert path.read_text().startswith(first)
    text = page.read_text()
    assert text.startswith("# Title\n\n<!-- small: written by")
    assert text.endswith("Discussion.\n")
    assert "Seeds 3-4: 2 simulations." in text
    assert text.count("<!--") == 2
