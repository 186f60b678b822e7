"""Metrics against scikit-learn, and NaN with a count where they are undefined."""

import numpy as np
import pytest
import torch
from axonlight.metrics import classification_metrics, regression_metrics
from sklearn import metrics as reference

RNG = np.random.default_rng(0)


def test_binary_metrics_equal_scikit_learn():
    score, target = RNG.random(300).round(2), RNG.integers(0, 2, 300)
    values = _updated(classification_metrics(2), torch.tensor(score), torch.tensor(target)).compute()
    expected = {
        "accuracy": reference.accuracy_score(target, score > 0.5),
        "auroc": reference.roc_auc_score(target, score),
        "average_precision": reference.average_precision_score(target, score),
        "f1": reference.f1_score(target, score > 0.5),
    }
    for name, value in expected.items():
        assert float(values[name]) == pytest.approx(value, abs=1e-6), name


def test_multiclass_metrics_equal_scikit_learn():
    score, target = RNG.dirichlet(np.ones(4), 400), RNG.integers(0, 4, 400)
    values = _updated(classification_metrics(4), torch.tensor(score), torch.tensor(target)).compute()
    expected = {
        "accuracy": reference.accuracy_score(target, score.argmax(1)),
        "auroc": reference.roc_auc_score(target, score, multi_class="ovr"),
        "average_precision": reference.average_precision_score(np.eye(4)[target], score),
        "f1": reference.f1_score(target, score.argmax(1), average="macro"),
    }
    for name, value in expected.items():
        assert float(values[name]) == pytest.approx(value, abs=1e-6), name


def test_absent_class_is_left_out_and_counted():
    score, target = RNG.dirichlet(np.ones(3), 50), RNG.integers(0, 2, 50)
    metrics = _updated(classification_metrics(3), torch.tensor(score), torch.tensor(target))
    values = metrics.compute()
    expected = np.mean([reference.roc_auc_score(target == c, score[:, c]) for c in (0, 1)])
    assert float(values["auroc"]) == pytest.approx(expected, abs=1e-6)
    assert metrics["auroc"].undefined_classes == 1


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_is_nan_never_a_number(label):
    metrics = _updated(classification_metrics(2), torch.tensor([0.1, 0.3]), torch.tensor([label, label]))
    values = metrics.compute()
    for name in ("auroc", "average_precision"):
        assert torch.isnan(values[name])
        assert metrics[name].undefined_classes == 1
    assert torch.isnan(values["f1"]) == (label == 0)


def test_regression_metrics_equal_scikit_learn():
    predicted, target = RNG.normal(size=100), RNG.normal(size=100)
    values = _updated(regression_metrics(), torch.tensor(predicted), torch.tensor(target)).compute()
    assert float(values["rmse"]) == pytest.approx(reference.root_mean_squared_error(target, predicted), abs=1e-6)
    assert float(values["mae"]) == pytest.approx(reference.mean_absolute_error(target, predicted), abs=1e-6)
    assert float(values["r2"]) == pytest.approx(reference.r2_score(target, predicted), abs=1e-5)


def test_constant_target_has_no_r2():
    values = _updated(regression_metrics(), torch.tensor([1.0, 2.0]), torch.tensor([3.0, 3.0])).compute()
    assert torch.isnan(values["r2"])


def _updated(metrics, predicted, target):
    for part, labels in zip(predicted.split(33), target.split(33), strict=True):
        metrics.update(part, labels)
    return metrics
