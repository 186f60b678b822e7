"""Deep supervision and covariates: what heads weigh, how a task trains and predicts with them."""

import math
from functools import partial

import pytest
import torch
from axonlight.errors import InputError
from axonlight.models import ClassificationTask, HeadOutputs, PathwayNetwork, RegressionTask, combined
from axonlight.models.layers.dropout import UnitDropout
from torch import nn

pytestmark = pytest.mark.xdist_group("pathways")  # its fixtures are made once

GENES = ["BRCA1", "TP53", "ATM"]


@pytest.mark.parametrize("kind", ["equal", "exponential"])
def test_weights_of_the_heads(small, kind):
    outputs = PathwayNetwork(3, 2, small, GENES, heads=kind, feature_layer="always")(torch.randn(5, 3))
    assert isinstance(outputs, HeadOutputs)
    assert outputs.outputs.shape == (3, 5, 2)
    raw = torch.tensor([math.exp(k) if kind == "exponential" else 1.0 for k in range(3)])
    torch.testing.assert_close(outputs.loss_weights, raw / raw.sum())
    torch.testing.assert_close(outputs.prediction_weights, torch.full((3,), 1 / 3))


def test_published_weights_of_six_heads(small):
    # 2, 7, 20, 54, 148, 400: e^k, rounded
    published = torch.tensor([2.0, 7.0, 20.0, 54.0, 148.0, 400.0])
    from axonlight.models.pathways.heads import LayerHeads

    weights = LayerHeads({str(k): 1 for k in range(6)}, 0, 1, "exponential", "mean").loss_weights
    torch.testing.assert_close(weights, published / published.sum(), atol=5e-3, rtol=0)


def test_prediction_by_the_last_head(small):
    outputs = PathwayNetwork(3, 1, small, heads="equal", prediction="last")(torch.randn(5, 3))
    assert torch.equal(combined(outputs), outputs.outputs[-1])
    assert outputs.prediction_weights.tolist() == [0.0, 1.0]


def test_learned_mix_starts_equal_and_learns(small):
    torch.manual_seed(1)
    network = PathwayNetwork(3, 1, small, heads="learned", norm="none", dropout=0.0)
    x = torch.randn(6, 3)
    states = [value.flatten(1) for value in network.node_activations(x).values()]
    heads = [head(state) for head, state in zip(network.heads.linear.values(), states, strict=True)]
    torch.testing.assert_close(network(x), (heads[0] + heads[1]) / 2)
    network(x).square().sum().backward()
    assert network.heads.mix.grad.abs().sum() > 0


def test_covariates_join_every_head(small):
    columns = [*GENES, "age", "sex=male"]
    network = PathwayNetwork(5, 1, small, columns, heads="equal", covariates=["sex=male", "age"])
    widths = {key: head.in_features for key, head in network.heads.linear.items()}
    assert widths == {"level_2": 3 + 2, "level_1": 1 + 2}
    x = torch.randn(4, 5)
    assert torch.equal(network.covariates(x), x[:, [4, 3]])
    assert network.unused_columns == ()


def test_an_entity_names_all_of_its_covariates(small):
    columns = [*GENES, "stage=II", "stage=III"]
    network = PathwayNetwork(5, 1, small, columns, covariates=["stage"])
    assert network.covariates.columns.tolist() == [3, 4]
    with pytest.raises(InputError, match="every column may stand once"):
        PathwayNetwork(5, 1, small, columns, covariates=["stage", "stage=II"])


def test_covariates_behind_hidden_layers(small):
    columns = [*GENES, "age"]
    options = {"covariates": ["age"], "covariate_hidden": [8, 4], "activation": ["relu", "silu"], "dropout": [0.0, 0.2]}
    network = PathwayNetwork(4, 1, small, columns, **options)
    kinds = [type(module) for module in network.covariates.hidden]
    assert kinds[0] is nn.Linear
    assert kinds[2:4] == [nn.SiLU, UnitDropout]
    assert network.heads.linear["level_1"].in_features == 1 + 4


def test_a_covariate_is_no_feature_even_if_the_hierarchy_knows_it(small):
    network = PathwayNetwork(3, 1, small, GENES, covariates=["ATM"])
    assert network.hierarchy.features == ("BRCA1", "TP53")
    assert network.column_nodes.tolist() == [0, 1, -1]


# Tasks -------------------------------------------------------------------------------------------------------------


def classification(small, classes=2, **options):
    network = partial(PathwayNetwork, design="pnet", dropout=0.0)
    return ClassificationTask(network, 3, classes, feature_names=GENES, hierarchy=small, **options)


def test_loss_is_the_weighted_sum_and_prediction_the_mean_of_probabilities(small):
    task = classification(small)
    x, target = torch.randn(8, 3), torch.randint(0, 2, (8,))
    outputs = task(x)
    losses = [nn.functional.binary_cross_entropy_with_logits(head[:, 0], target.float()) for head in outputs.outputs]
    expected = sum(math.exp(k) * loss for k, loss in enumerate(losses)) / sum(math.exp(k) for k in range(3))
    torch.testing.assert_close(task.total_loss(outputs, target), expected)
    torch.testing.assert_close(task.training_step((x, target), 0), expected)
    torch.testing.assert_close(task.predict_step((x, target), 0), outputs.outputs.sigmoid().mean(0)[:, 0])


def test_validation_loss_is_the_same_weighted_loss(small):
    task = classification(small).eval()
    batches = [(torch.randn(rows, 3), torch.randint(0, 2, (rows,))) for rows in (8, 3)]
    for batch in batches:
        task._evaluate(batch, task.val_metrics, task.val_loss)
    x, target = (torch.cat(parts) for parts in zip(*batches, strict=True))
    torch.testing.assert_close(task.val_loss.compute(), task.total_loss(task(x), target))
    accuracy = ((task.total_predictions(task(x)) > 0.5) == target).float().mean()
    torch.testing.assert_close(task.val_metrics.compute()["val/accuracy"], accuracy)


def test_probabilities_never_exceed_one(small):
    task = classification(small)
    weights = torch.full((6,), 1 / 6)
    for logit in (40.0, -40.0, 3.0):
        predictions = task.total_predictions(HeadOutputs(torch.full((6, 1000, 1), logit), weights, weights))
        assert predictions.max() <= torch.tensor(logit).sigmoid()
        assert predictions.min() >= torch.tensor(logit).sigmoid()


def test_several_classes_and_regression(small):
    x = torch.randn(8, 3)
    task = classification(small, classes=4)
    probabilities = task.predict_step(x, 0)
    assert probabilities.shape == (8, 4)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(8))
    task = RegressionTask(partial(PathwayNetwork, design="pnet"), 3, feature_names=GENES, hierarchy=small).eval()
    outputs = task(x)
    torch.testing.assert_close(task.predict_step(x, 0), outputs.outputs.mean(0)[:, 0])
    losses = outputs.outputs.square().mean(dim=(1, 2))
    torch.testing.assert_close(task.total_loss(outputs, torch.zeros(8)), (losses * outputs.loss_weights).sum())
