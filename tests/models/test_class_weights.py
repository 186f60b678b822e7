"""Class weights: by definition, over batches of any mix, for two classes and more."""

import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import ClassificationTask, DenseNetwork


@pytest.mark.parametrize("classes", [2, 3])
def test_rows_count_by_their_class(classes):
    weights = [0.75, 1.5, 4.0][:classes]
    task = ClassificationTask(DenseNetwork, 4, classes, class_weights=weights)
    logits = torch.randn(9, 1 if classes == 2 else classes, dtype=torch.float64)
    target = torch.arange(9) % classes
    scores = torch.cat([torch.zeros(9, 1), logits], dim=1) if classes == 2 else logits
    log_probabilities = (scores.softmax(1)[torch.arange(9), target]).log()
    expected = -(torch.tensor(weights, dtype=torch.float64)[target] * log_probabilities).mean()
    torch.testing.assert_close(task.loss(logits, target), expected)
    # the mean over a split does not depend on how its rows fall into batches
    parts = [task.loss(logits[rows], target[rows]) * len(rows) for rows in (torch.arange(2), torch.arange(2, 9))]
    torch.testing.assert_close(sum(parts) / 9, expected)


@pytest.mark.parametrize("classes", [2, 3])
def test_equal_weights_change_nothing(classes):
    logits, target = torch.randn(9, 1 if classes == 2 else classes), torch.arange(9) % classes
    plain, weighted = (
        ClassificationTask(DenseNetwork, 4, classes, class_weights=weights) for weights in (None, [1.0] * classes)
    )
    torch.testing.assert_close(weighted.loss(logits, target), plain.loss(logits, target))


def test_weights_are_a_setting_and_no_state():
    task = ClassificationTask(DenseNetwork, 4, 2, class_weights=[0.75, 1.5])
    assert task.hparams["class_weights"] == [0.75, 1.5]
    assert "class_weights" not in task.state_dict()
    assert task.half().loss(torch.zeros(2, 1, dtype=torch.half), torch.tensor([0, 1])).dtype == torch.half


@pytest.mark.parametrize("weights", [[1.0], [1.0, 2.0, 3.0], [0.0, 1.0], [-1.0, 1.0], [float("nan"), 1.0]])
def test_refusals(weights):
    with pytest.raises(InputError, match=r"class_weights is .* must be 2 positive numbers"):
        ClassificationTask(DenseNetwork, 4, 2, class_weights=weights)
