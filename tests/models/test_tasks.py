"""Tasks: outputs by number of classes, optimizer groups, plain hyperparameters."""

from functools import partial

import pytest
import torch
from axonlight.errors import InputError, RunError
from axonlight.models import ClassificationTask, DenseNetwork, RegressionTask
from axonlight.models.tasks.hyperparameters import describe
from axonlight.models.tasks.optimization import check_gradients, check_groups, parameter_groups
from torch import nn


def test_two_classes_take_one_logit_and_more_take_one_each():
    assert ClassificationTask(DenseNetwork, 4, 2)(torch.zeros(3, 4)).shape == (3, 1)
    assert ClassificationTask(DenseNetwork, 4, 7)(torch.zeros(3, 4)).shape == (3, 7)


def test_binary_loss_equals_the_two_class_cross_entropy():
    task = ClassificationTask(DenseNetwork, 4, 2)
    logits, target = torch.randn(9, 1), torch.randint(0, 2, (9,))
    two = torch.cat([torch.zeros(9, 1), logits], dim=1)
    torch.testing.assert_close(task.loss(logits, target), nn.functional.cross_entropy(two, target))
    torch.testing.assert_close(task.predictions(logits), two.softmax(1)[:, 1])


def test_one_class_is_refused():
    with pytest.raises(InputError, match="num_classes of the data is 1"):
        ClassificationTask(DenseNetwork, 4, 1)


def test_regression_errors():
    outputs, target = torch.tensor([[1.0], [3.0]]), torch.tensor([0.0, 0.0])
    for error, expected in [("squared", 5.0), ("absolute", 2.0), ("huber", (0.5 + 2.5) / 2)]:
        assert RegressionTask(DenseNetwork, 4, error=error).loss(outputs, target) == expected


def test_activation_parameters_have_a_group_without_decay():
    task = ClassificationTask(
        partial(DenseNetwork, activation="ash(z=0.5)"),
        4,
        optimizer=partial(torch.optim.AdamW, lr=0.1, weight_decay=0.3),
        activation_lr=0.01,
    )
    weights, activations = task.configure_optimizers().param_groups
    assert (weights["weight_decay"], weights["lr"]) == (0.3, 0.1)
    assert (activations["weight_decay"], activations["lr"]) == (0.0, 0.01)
    assert len(activations["params"]) == 4
    everything = {id(parameter) for parameter in task.network.parameters()}
    assert {id(parameter) for group in (weights, activations) for parameter in group["params"]} == everything


def test_bad_optimizer_is_refused_at_construction():
    with pytest.raises(InputError, match="learning rate"):
        ClassificationTask(DenseNetwork, 4, optimizer=partial(torch.optim.Adam, lr=-1.0))


def test_checks_name_the_parameters():
    module = nn.Linear(2, 2)
    with pytest.raises(RunError, match="in no optimizer group: bias"):
        check_groups(module, [torch.optim.SGD([module.weight], lr=0.1)])
    doubled = [torch.optim.SGD(module.parameters(), lr=0.1), torch.optim.SGD([module.weight], lr=0.1)]
    with pytest.raises(RunError, match="in several optimizer groups: weight"):
        check_groups(module, doubled)
    with pytest.raises(RunError, match="without a gradient in the first 3 steps: weight"):
        check_gradients(module, {"bias"}, 3)


def test_frozen_parameters_are_in_no_group():
    module = nn.Sequential(nn.Linear(2, 2), nn.PReLU())
    module[0].requires_grad_(False)
    assert [len(group["params"]) for group in parameter_groups(module)] == [1]


def test_feature_names_reach_a_network_that_declares_them():
    class Named(nn.Linear):
        def __init__(self, in_features: int, out_features: int, feature_names: list[str] | None = None):
            super().__init__(in_features, out_features)
            self.names = feature_names

    task = ClassificationTask(Named, 2, feature_names=["a", "b"])
    assert task.network.names == ["a", "b"]
    assert ClassificationTask(DenseNetwork, 2, feature_names=["a", "b"]).feature_names == ["a", "b"]


def test_descriptions_are_plain():
    assert describe(torch.optim.SGD) == {"class_path": "torch.optim.sgd.SGD"}
    nested = describe(partial(DenseNetwork, hidden=(3, 4), activation={"formula": "x*cos(x)"}))
    assert nested["init_args"] == {"hidden": [3, 4], "activation": {"formula": "x*cos(x)"}}
    for live in (nn.ReLU(), lambda x: x, torch.zeros(1)):
        with pytest.raises(TypeError):
            describe(live)


def test_one_row_is_refused_where_the_batch_normalises():
    task = ClassificationTask(DenseNetwork, in_features=3)
    with pytest.raises(InputError, match=r"one row.*data.drop_last=true"):
        task.training_step((torch.zeros(1, 3), torch.zeros(1)), 0)
    task = ClassificationTask(partial(DenseNetwork, norm="layer"), in_features=3)
    assert task.training_step((torch.zeros(1, 3), torch.zeros(1)), 0).isfinite()
