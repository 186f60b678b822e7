"""The classes: batches, processes with unequal rows, undefined cases, refusals, what training does to modules."""

import importlib.util
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from axonlight.errors import InputError
from axonlight.metrics import (
    BrierScore,
    ConcordanceIndex,
    DCalibration,
    IntegratedBrierScore,
    TimeDependentAUC,
    UnoConcordance,
    brier_score,
    concordance_index,
    d_calibration,
    integrated_brier_score,
    time_dependent_auc,
    uno_concordance,
)
from torch import nn
from torchmetrics import MetricCollection

pytestmark = pytest.mark.xdist_group("survival_classes")  # its fixtures are made once

SCRIPT = Path(__file__).with_name("two_processes.py")
SPEC = importlib.util.spec_from_file_location("two_processes", SCRIPT)
two_processes = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(two_processes)
TIMES = two_processes.TIMES
PATIENTS = 60


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(0)

    def target(rows):
        time = torch.randint(1, 17, (rows,), generator=generator) / 2
        return torch.stack([time, (torch.rand(rows, generator=generator) < 0.6).float()], dim=1)

    # the longest training time is past all others
    training = torch.cat([target(80), torch.tensor([[9.0, 0.0]])])
    survival = torch.rand(PATIENTS, len(TIMES), generator=generator).sort(dim=1, descending=True).values
    risk = torch.randint(0, 9, (PATIENTS,), generator=generator) / 4
    own = torch.rand(PATIENTS, generator=generator)
    return {"training": training, "target": target(PATIENTS), "risk": risk, "survival": survival, "own": own}


@pytest.fixture(scope="module")
def expected(data):
    time, event = data["target"].T
    weighted = (time, event, TIMES, data["training"])
    return [
        concordance_index(data["risk"], time, event),
        uno_concordance(data["risk"], time, event, data["training"]),
        time_dependent_auc(data["risk"], *weighted).mean,
        brier_score(data["survival"], *weighted),
        integrated_brier_score(data["survival"], *weighted),
        d_calibration(data["own"], event, 4).p_value,
    ]


def assert_equal(found, expected):
    for (value, _), wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(value, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("batch", [1, 7, PATIENTS])
def test_batches_give_what_all_rows_give(data, expected, batch):
    metrics = two_processes.metrics_of(data["training"])
    found = two_processes.computed(two_processes.updated(metrics, data, torch.arange(PATIENTS), batch))
    assert_equal(found, expected)
    assert not any(torch.isnan(value).any() for value, _ in found)


def test_two_processes_with_unequal_rows_give_what_one_gives(data, expected, tmp_path):
    everyone = torch.arange(PATIENTS)
    cases = {
        "unequal": ((everyone[:13], everyone[13:]), False),
        "one without rows": ((everyone[:0], everyone), False),
        "both without rows": ((everyone[:0], everyone[:0]), False),
        # a sampler that fills up the shorter rank with patients of the other
        "repeated": ((everyone[:35], everyone[30:]), True),
    }
    torch.save({**data, "cases": cases}, tmp_path / "data.pt")
    processes = [subprocess.Popen([sys.executable, SCRIPT, str(rank), tmp_path]) for rank in range(2)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    for rank in range(2):
        found = torch.load(tmp_path / f"found_{rank}.pt")
        for name in ("unequal", "one without rows", "repeated"):
            assert_equal(found[name], expected)
            assert all(counts["patients"] == PATIENTS for _, counts in found[name]), name
        assert all(torch.isnan(value).all() for value, _ in found["both without rows"])
        assert all(counts["patients"] == 0 for _, counts in found["both without rows"])


def test_repeated_patients_count_once_only_if_they_are_numbered(data, expected):
    metric = ConcordanceIndex()
    repeated = torch.cat([torch.arange(PATIENTS), torch.arange(20)])
    metric.update(data["risk"][repeated], data["target"][repeated])
    assert metric.compute() != expected[0]
    assert metric.counts["patients"] == PATIENTS + 20
    metric.reset()
    metric.update(data["risk"][repeated], data["target"][repeated], repeated)
    assert metric.compute() == expected[0]
    assert metric.counts["patients"] == PATIENTS


@pytest.mark.parametrize(
    ("metric", "predicted"),
    [
        (ConcordanceIndex(), [0.5, 0.1]),
        (UnoConcordance(torch.tensor([[9.0, 0.0]])), [0.5, 0.1]),
        (TimeDependentAUC([1.0, 2.0], torch.tensor([[9.0, 0.0]])), [0.5, 0.1]),
        (BrierScore([4.0, 20.0], torch.tensor([[9.0, 1.0]])), [[0.5, 0.1], [0.5, 0.2]]),
        (IntegratedBrierScore([4.0, 20.0], torch.tensor([[9.0, 1.0]])), [[0.5, 0.1], [0.5, 0.2]]),
    ],
)
def test_undefined_is_nan_with_counts_and_a_warning(metric, predicted, caplog):
    # censored both; at 20 one is still alive, and the censoring is known up to 9
    metric.update(torch.tensor(predicted), torch.tensor([[3.0, 0.0], [30.0, 0.0]]))
    assert torch.isnan(metric.compute()).any()
    assert metric.counts["patients"] == 2
    assert metric.counts["events"] == 0
    assert f"{type(metric).__name__} is undefined (NaN): 2 patients, 0 events" in caplog.text


def test_without_update_everything_is_nan():
    for metric in (ConcordanceIndex(), UnoConcordance(torch.ones(3, 2)), DCalibration()):
        with pytest.warns(UserWarning, match="before the ``update``"):
            assert torch.isnan(metric.compute())
        assert metric.counts["patients"] == 0


def test_events_without_weight_are_counted():
    metric = UnoConcordance(torch.tensor([[1.0, 0.0], [4.0, 1.0]]))
    metric.update(torch.tensor([0.5, 0.1, 0.9]), torch.tensor([[2.0, 1.0], [6.0, 1.0], [7.0, 0.0]]))
    assert float(metric.compute()) == 0.5
    assert metric.counts["events_without_weight"] == 1
    assert metric.counts["events_with_comparable_patients"] == 1
    early = UnoConcordance(torch.tensor([[1.0, 0.0], [4.0, 1.0]]), tau=5.0)
    early.update(torch.tensor([0.5, 0.1, 0.9]), torch.tensor([[2.0, 1.0], [6.0, 1.0], [7.0, 0.0]]))
    assert float(early.compute()) == 0.5
    assert early.counts["events_without_weight"] == 0


def test_weights_need_training_patients(data):
    metric = UnoConcordance()
    metric.update(data["risk"], data["target"])
    with pytest.raises(InputError, match="UnoConcordance has no training patients"):
        metric.compute()
    metric.fit(data["training"])
    time, event = data["target"].T
    assert metric.compute() == uno_concordance(data["risk"], time, event, data["training"])


@pytest.mark.parametrize(
    ("predicted", "target", "message"),
    [
        ([0.1, float("nan"), 0.3], [[1.0, 1.0]] * 3, "risk is NaN in row 1 "),
        ([0.1, 0.2], [[1.0, 1.0]] * 3, r"risk has the shape \(2,\)"),
        ([0.1], [[-1.0, 1.0]], "time is negative or not finite in row 0 "),
        ([0.1], [[1.0, 0.5]], "event is neither 0 nor 1 in row 0 "),
        ([0.1], [[1.0]], r"target has the shape \(1, 1\)"),
    ],
)
def test_bad_rows_are_refused_and_not_kept(predicted, target, message):
    metric = ConcordanceIndex()
    with pytest.raises(InputError, match=message):
        metric.update(torch.tensor(predicted), torch.tensor(target))
    assert metric.rows == []


def test_other_predictions_are_refused_too(data):
    with pytest.raises(InputError, match=r"outside 0 \.\.\. 1 in rows 0, 1 "):
        BrierScore([1.0]).update(torch.tensor([1.5, -0.5]), data["target"][:2])
    with pytest.raises(InputError, match="NaN or outside"):
        DCalibration().update(torch.tensor([torch.nan]), data["target"][:1])
    with pytest.raises(InputError, match="risk is NaN in row 1 "):
        TimeDependentAUC([1.0, 2.0]).update(torch.tensor([[0.0, 1.0], [torch.nan, 1.0]]), data["target"][:2])
    with pytest.raises(InputError, match="an integral needs two or more"):
        IntegratedBrierScore([1.0])


def test_a_collection_shares_what_is_alike_and_keeps_values(data, expected):
    training = data["training"]
    metrics = MetricCollection(
        {"c_index": ConcordanceIndex(), "uno": UnoConcordance(training), "auc": TimeDependentAUC(TIMES, training)}
    )
    for rows in torch.arange(PATIENTS).split(16):
        metrics.update(data["risk"][rows], data["target"][rows])
    values = metrics.compute()
    assert [values[name] for name in ("c_index", "uno", "auc")] == expected[:3]
    metrics.reset()
    assert all(len(metric.rows) == 0 for metric in metrics.values())


def test_risks_that_change_with_time(data):
    risks = torch.stack([data["risk"], -data["risk"], data["risk"] ** 2], dim=1)
    metric = TimeDependentAUC(TIMES, data["training"])
    metric.update(risks, data["target"])
    time, event = data["target"].T
    assert metric.compute() == time_dependent_auc(risks, time, event, TIMES, data["training"]).mean
    assert metric.per_time.shape == (3,)


def test_modules_in_half_precision_keep_exact_rows(data, expected):
    module = nn.ModuleDict({"c": ConcordanceIndex(), "uno": UnoConcordance(data["training"])}).half()
    for metric, wanted in zip(module.values(), expected, strict=False):
        metric.update(data["risk"], data["target"])
        assert metric.compute() == wanted
        assert pickle.loads(pickle.dumps(metric)).compute() == wanted
    assert module.state_dict() == {}


def test_forward_gives_the_batch_and_keeps_all(data, expected):
    metric = ConcordanceIndex()
    first = metric(data["risk"][:30], data["target"][:30])
    metric(data["risk"][30:], data["target"][30:])
    time, event = data["target"][:30].T
    assert first == concordance_index(data["risk"][:30], time, event)
    assert metric.compute() == expected[0]
