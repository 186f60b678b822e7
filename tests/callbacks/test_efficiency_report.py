"""Costs against counts by hand, E against published figures, parameters at equal score against closed forms."""

import copy
import json
import math
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.baselines import classification_floors, regression_floors
from axonlight.callbacks import EfficiencyReport
from axonlight.callbacks.efficiency import (
    efficiency_score,
    measure_network,
    parameters_at_equal_score,
    read_runs,
    sweep_sizes,
)
from axonlight.datamodules import BreastCancer, TabularData
from axonlight.errors import InputError
from axonlight.models import ClassificationTask, DenseNetwork, EdgeLinear, RegressionTask
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger
from torch import nn


@pytest.mark.parametrize(
    ("inputs", "hidden", "parameters"),
    [(54, [64, 32], 5_825), (54, [200, 100], 31_801), (28, [64, 32], 4_161), (57, [64, 32], 6_017)],
)
def test_parameters_and_operations_of_the_published_networks(inputs, hidden, parameters):
    cost = measure_network(DenseNetwork(inputs, 1, hidden=hidden), [torch.zeros(4, inputs)], warmup=0, repeats=1)
    assert cost.parameters == cost.trainable == parameters
    widths = [inputs, *hidden, 1]
    assert cost.flops_per_row == 2 * sum(a * b for a, b in pairwise(widths))


@pytest.mark.parametrize("backend", ["bag", "dense", "gather"])
def test_sparse_layers_count_by_their_edges(backend):
    edges = torch.tensor([[0, 1, 2, 5, 7], [0, 0, 3, 1, 2]])
    network = nn.Sequential(EdgeLinear(edges, 8, 4, backend=backend), nn.ReLU(), nn.Linear(4, 3))
    cost = measure_network(network, [torch.randn(6, 8)], warmup=0, repeats=1)
    assert cost.parameters == 5 + 4 + 15
    assert cost.flops_per_row == 2 * 5 + 2 * 12


def test_memory_is_what_tensors_take():
    network = nn.Sequential(nn.Linear(10, 100, bias=False), nn.Tanh(), nn.Linear(100, 1, bias=False))
    cost = measure_network(network, [torch.zeros(50, 10)], warmup=0, repeats=1)
    hidden = 50 * 100 * 4
    assert cost.inference_bytes == 2 * hidden  # the product and its tanh, at the moment when both are there
    # kept for the backward pass: both; and then the gradients
    assert 2 * hidden < cost.training_bytes <= 5 * hidden


def test_measuring_leaves_no_trace():
    torch.manual_seed(0)
    network = DenseNetwork(6, 1, hidden=[5], dropout=0.5, activation="ash")
    network(torch.randn(8, 6)).sum().backward()
    before, gradients = copy.deepcopy(network.state_dict()), [value.grad.clone() for value in network.parameters()]
    state = torch.get_rng_state()
    measure_network(network, [torch.randn(8, 6, generator=torch.Generator().manual_seed(1))], repeats=2)
    assert torch.equal(state, torch.get_rng_state())
    assert network.training
    for name, value in network.state_dict().items():
        assert not isinstance(value, torch.Tensor) or torch.equal(value, before[name])
    assert all(torch.equal(value.grad, old) for value, old in zip(network.parameters(), gradients, strict=True))
    assert not any(part._forward_hooks for part in network.modules())


def test_latency_is_measured_at_both_sizes():
    class Slow(nn.Module):
        def forward(self, x):
            import time

            time.sleep(0.002 if len(x) == 1 else 0.006)
            return x

    one, batch = measure_network(Slow(), [torch.zeros(7, 2)], warmup=1, repeats=5).latencies
    assert (one.rows, batch.rows) == (1, 7)
    assert 0.002 <= one.lower <= one.median <= one.upper
    assert batch.median >= 0.006
    assert one.median < batch.median


def test_e_is_the_published_one():
    published = [(0.915, 31_801, 0.203), (0.904, 5_825, 0.240), (0.791, 26_601, 0.179), (0.967, 6_017, 0.256)]
    for score, parameters, expected in published:
        assert efficiency_score(score, parameters) == pytest.approx(expected, abs=6e-4)
    assert math.isnan(efficiency_score(0.9, 1))


def test_parameters_at_equal_score_by_closed_form():
    runs = {10**power: [0.5 + 0.1 * power - 0.01, 0.5 + 0.1 * power + 0.01] for power in (1, 2, 3)}
    found = parameters_at_equal_score(0.65, runs)
    assert math.log10(found.parameters) == pytest.approx(1.5)
    assert found.low < found.parameters < found.high
    assert parameters_at_equal_score(0.95, runs).parameters == math.inf
    assert parameters_at_equal_score(0.3, runs).text == "10 parameters or fewer"
    single = parameters_at_equal_score(0.65, {size: scores[:1] for size, scores in runs.items()})
    assert math.isnan(single.low)
    # a larger network that happened to do worse: pooled with its neighbour, as isotonic regression does
    bent = parameters_at_equal_score(0.75, {10: [0.6], 100: [0.9], 1_000: [0.7], 10_000: [1.0]})
    assert math.log10(bent.parameters) == pytest.approx(1 + 0.15 / 0.2)


def test_the_interval_holds_what_it_says():
    generator = np.random.default_rng(0)
    hits = 0
    for repeat in range(40):
        runs = {10**p: (0.5 + 0.1 * p + 0.02 * generator.standard_normal(10)).tolist() for p in (1, 2, 3, 4)}
        found = parameters_at_equal_score(0.75, runs, draws=100, seed=repeat)
        hits += found.low <= 10**2.5 <= found.high
    assert 33 <= hits <= 40  # 38 expected


def test_a_sweep_halves():
    asked = []

    def train(width):
        asked.append(width)
        return width * 10, [math.log2(width) / 10]

    runs = sweep_sizes(0.45, train, [2**power for power in range(10)])
    assert asked == [1, 512, 16, 64, 32]
    assert math.log2(parameters_at_equal_score(0.45, runs).parameters / 10) == pytest.approx(4.5)
    assert sweep_sizes(0.0, train, [4, 8]) == {40: [0.2]}
    with pytest.raises(InputError, match="in rising order"):
        sweep_sizes(0.5, train, [4, 2])


def run_with(folder, report, task, data, epochs=2):
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[report],
        logger=CSVLogger(folder, name=None, version="run"),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(task, datamodule=data)
    trainer.test(task, datamodule=data, verbose=False)
    return trainer


def test_the_report_of_a_test(tmp_path, capsys):
    runs = tmp_path / "runs.csv"
    pd.DataFrame({"parameters": [31, 31, 90_000, 90_000], "auroc": [0.3, 0.4, 1.0, 1.0]}).to_csv(runs, index=False)
    data = BreastCancer(batch_size=64)
    task = ClassificationTask(partial(DenseNetwork, hidden=[8]), in_features=30)
    report = EfficiencyReport(repeats=3, warmup=1, batch_size=200, runs=str(runs))
    trainer = run_with(tmp_path, report, task, data)
    found = json.loads((tmp_path / "run" / "efficiency.json").read_text())
    assert found["parameters"] == 30 * 8 + 8 + 16 + 9
    assert [latency["rows"] for latency in found["latencies"]] == [1, 200]
    score = float(trainer.callback_metrics["test/auroc"])
    assert found["score"] == pytest.approx(score)
    assert found["efficiency"] == pytest.approx(score / math.log10(273))
    rows = (*data.train_dataloader().tensors, *data.test_dataloader().tensors)
    floor = classification_floors(*rows, floors=["ridge_logistic"])["ridge_logistic"]["auroc"]
    assert found["floor"] == {
        "name": "ridge logistic regression",
        "parameters": 31,
        "score": pytest.approx(floor),
        "efficiency": pytest.approx(floor / math.log10(31)),
    }
    assert 31 < found["equal_score"]["parameters"] < 90_000
    said = capsys.readouterr().out
    assert f"DenseNetwork: 273 parameters, test/auroc {score:.4f}, E = {found['efficiency']:.3f}, less than" in said
    assert "E rewards any small model; the other runs reach this score with" in said
    assert "| latency, 200 rows |" in (tmp_path / "run" / "efficiency.md").read_text()


def test_regression_has_its_own_score_and_floor(tmp_path):
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(generator.standard_normal((120, 3)), columns=["a", "b", "c"])
    frame["y"] = frame["a"] - 2 * frame["b"] + 0.1 * generator.standard_normal(120)
    frame.to_csv(tmp_path / "table.csv", index=False)
    data = TabularData(str(tmp_path / "table.csv"), target="y", task="regression", batch_size=32)
    run_with(
        tmp_path, EfficiencyReport(repeats=1), RegressionTask(partial(DenseNetwork, hidden=[4]), in_features=3), data
    )
    found = json.loads((tmp_path / "run" / "efficiency.json").read_text())
    rows = (*data.train_dataloader().tensors, *data.test_dataloader().tensors)
    assert found["metric"] == "test/r2"
    assert found["floor"]["score"] == pytest.approx(regression_floors(*rows, floors=["ridge"])["ridge"]["r2"])
    assert found["floor"]["parameters"] == 4


def test_what_is_refused(tmp_path):
    for options, message in [
        ({"repeats": 0}, "repeats is 0; it must be at least 1"),
        ({"batch_size": 0}, "batch_size is 0; it must be at least 1"),
        ({"runs": "nowhere.csv"}, "runs is nowhere.csv, and there is no such file"),
    ]:
        with pytest.raises(InputError, match=message):
            EfficiencyReport(**options)
    task = ClassificationTask(partial(DenseNetwork, hidden=[4]), in_features=30)
    with pytest.raises(
        InputError, match="metric is 'test/auc', which this test did not log; logged were test/accuracy"
    ):
        run_with(tmp_path, EfficiencyReport("test/auc", repeats=1), task, BreastCancer(), epochs=1)
    (tmp_path / "runs.csv").write_text("size,auroc\n1,2\n")
    with pytest.raises(InputError, match="whose columns are size, auroc; it needs 'parameters' and one of test/auroc"):
        read_runs(tmp_path / "runs.csv", "test/auroc")
    with pytest.raises(InputError, match="every one needs at least one finite score"):
        parameters_at_equal_score(0.5, {10: [math.nan]})
    with pytest.raises(InputError, match="hold no row"):
        measure_network(nn.Linear(2, 1), [torch.zeros(0, 2)])
