"""Runs side by side have the figures that they have one by one."""

from types import SimpleNamespace

import pytest
from axonlight.comparison.runs import execute, execute_batch, group_runs
from axonlight.comparison.runs.build import build_run, build_sibling
from axonlight.models import ReplicaTask

NULL = {"class_path": "DegreePreserving", "init_args": {}}
EARLY = {"class_path": "lightning.pytorch.callbacks.EarlyStopping", "init_args": {"monitor": "val/loss", "patience": 2}}


def draws(config, count=3):
    """The real hierarchy and draws of it."""
    recipe = {"kind": "network", "config": config}
    return [recipe, *({**recipe, "null": {**NULL, "seed": seed}} for seed in range(count))]


def assert_same(together, alone):
    assert together.error == alone.error
    assert together.metrics == pytest.approx(alone.metrics, abs=1e-5, nan_ok=True)
    assert together.curves.keys() == alone.curves.keys()
    for name, curve in alone.curves.items():
        assert together.curves[name] == pytest.approx(curve, abs=1e-5, nan_ok=True), name
    assert together.parameters == alone.parameters
    details = {name: value for name, value in together.details.items() if name != "side_by_side"}
    assert details == alone.details


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.05}}}},
        {"network": {"design": "pnet", "activation_parameters": "node"}, "data": {"val_fraction": 0.0}},
        {
            "model": {"optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 2.0}}},
            "trainer": {"max_epochs": 10, "callbacks": [EARLY, {"class_path": "TrainingCurves"}]},
        },
    ],
    ids=["plain", "heads", "stopping"],
)
def test_side_by_side_equals_one_by_one(pathway_config, changes):
    recipes = draws(pathway_config(**changes))
    for together, recipe in zip(execute_batch(recipes), recipes, strict=True):
        assert together.details["side_by_side"] == 4
        assert_same(together, execute(recipe))


def test_values_of_activations_differ_side_by_side(pathway_config):
    texts = ["ash(z=0.0)", "ash(z=1.0)"]
    recipes = [{"kind": "network", "config": pathway_config(network={"activation": text})} for text in texts]
    assert len(group_runs([SimpleNamespace(recipe=recipe) for recipe in recipes], 10)) == 1
    results = execute_batch(recipes)
    assert results[0].metrics != results[1].metrics
    for together, recipe in zip(results, recipes, strict=True):
        assert_same(together, execute(recipe))


def test_activations_that_are_different_functions_are_trained_side_by_side(pathway_config):
    specs = ["relu", "ash(z=0.5)", "formula(x*cos(x))", {"formula": "abs(x)", "normalize": True}, "tanh", None]
    configs = [pathway_config(network={"activation": spec}) for spec in specs]
    del configs[-1]["model"]["init_args"]["network"]["init_args"]["activation"]  # the design's own
    recipes = [{"kind": "network", "config": config} for config in configs]
    recipes.append({**recipes[2], "null": {**NULL, "seed": 1}})
    assert len(group_runs([SimpleNamespace(recipe=recipe) for recipe in recipes], 10)) == 1
    for together, recipe in zip(execute_batch(recipes), recipes, strict=True):
        assert together.details["side_by_side"] == 7
        assert_same(together, execute(recipe))


def test_an_activation_that_cannot_be_stacked_keeps_no_other_apart(pathway_config):
    recipes = [
        {**recipe, "config": pathway_config(network={"activation": text})}
        for text in ("rrelu", "tanh")
        for recipe in draws(pathway_config(), 1)
    ]
    results = execute_batch(recipes)
    assert [result.details.get("side_by_side") for result in results] == [None, None, 2, 2]
    for result, recipe in zip(results, recipes, strict=True):
        assert_same(result, execute(recipe))


def test_a_name_that_is_no_activation_leaves_the_others_side_by_side(pathway_config):
    texts = ["relu", "formula(import os)", "tanh"]
    recipes = [{"kind": "network", "config": pathway_config(network={"activation": text})} for text in texts]
    results = execute_batch(recipes)
    assert [result.details.get("side_by_side") for result in results] == [2, None, 2]
    assert results[1].error == execute(recipes[1]).error


def test_a_result_does_not_depend_on_its_company(pathway_config):
    recipes = draws(pathway_config(), 13)
    many, few = execute_batch(recipes), execute_batch(recipes[:1:-1])
    for one, other in zip(many[2:], reversed(few), strict=True):
        assert (one.metrics, one.curves) == (other.metrics, other.curves)


def test_a_network_that_cannot_be_built_leaves_the_others_side_by_side(pathway_config):
    recipes = draws(pathway_config())
    recipes[1] = {**recipes[1], "null": {"class_path": "Rewire", "init_args": {"fraction": 7}, "seed": 0}}
    results = execute_batch(recipes)
    assert "fraction" in results[1].error
    assert [result.details.get("side_by_side") for result in results] == [3, None, 3, 3]
    assert_same(results[1], execute(recipes[1]))


def test_networks_that_diverge_say_what_they_say_alone(pathway_config):
    sgd = {"class_path": "torch.optim.SGD", "init_args": {"lr": 1e30}}
    recipes = draws(pathway_config(network={"design": "kpnn", "activation": "relu"}, model={"optimizer": sgd}), 2)
    for together, recipe in zip(execute_batch(recipes), recipes, strict=True):
        # which sums overflow to an infinity and which to nan depends on their order
        together, alone = (result.error.rpartition("; ")[0] for result in (together, execute(recipe)))
        assert together == alone
        assert "the first layer whose output is not finite is" in alone


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"optimizer": {"class_path": "torch.optim.Adafactor"}}},
        {
            "trainer": {
                "callbacks": [
                    {
                        "class_path": "lightning.pytorch.callbacks.StochasticWeightAveraging",
                        "init_args": {"swa_lrs": 0.01},
                    }
                ]
            }
        },
    ],
    ids=["optimizer", "callback"],
)
def test_what_cannot_be_stacked_runs_one_by_one(pathway_config, changes):
    recipes = draws(pathway_config(**changes), 1)
    results = execute_batch(recipes)
    assert all("side_by_side" not in result.details for result in results)
    assert [result.error for result in results] == [None, None]


def test_a_batch_that_breaks_is_run_one_by_one(pathway_config, monkeypatch):
    def break_down(self, *args):
        raise RuntimeError("no memory")

    monkeypatch.setattr(ReplicaTask, "backward", break_down)
    recipes = draws(pathway_config(), 1)
    for result, recipe in zip(execute_batch(recipes), recipes, strict=True):
        assert_same(result, execute(recipe))


def test_groups_hold_what_can_be_stacked(pathway_config):
    config, other = pathway_config(), pathway_config()
    other["seed_everything"] = 4
    floors = [{"kind": "floor", "floor": name, "config": config} for name in ("constant", "ridge", "dense")]
    recipes = [
        *draws(config),
        *floors,
        {"kind": "network", "config": config, "dense": "nodes"},
        *draws(other, 1),
        {"kind": "network", "config": pathway_config(network={"activation": "tanh"})},
        {"kind": "network", "config": pathway_config(network={"activation": "formula(x*cos(x))"})},
        {"kind": "network", "config": pathway_config(network={"activation": "formula(x)"})},
        {"kind": "network", "config": pathway_config(data={"fold": 0, "num_folds": 3})},
    ]
    runs = [SimpleNamespace(recipe=recipe, place=place) for place, recipe in enumerate(recipes)]
    groups = [[run.place for run in group] for group in group_runs(runs, 3)]
    assert groups == [[0, 1, 2], [3, 10, 11], [4], [5], [6], [7], [8, 9], [12], [13]]


def test_a_sibling_is_the_run_that_would_be_built(pathway_config):
    config = pathway_config(model={"class_weights": [1.0, 2.0]})
    recipes = draws(config, 1)
    first, drawn = build_run(recipes[0]), build_run(recipes[1])
    sibling = build_sibling(first, recipes[1]["null"])
    assert sibling.task.hierarchy == drawn.task.hierarchy != first.task.hierarchy
    state, expected = sibling.task.state_dict(), drawn.task.state_dict()
    assert state.keys() == expected.keys()
    assert all(bool((state[name] == expected[name]).all()) for name in expected)
    assert sibling.details == drawn.details
    assert sibling.parameters == drawn.parameters
    assert sibling.task.hparams == drawn.task.hparams


def test_a_replica_is_a_checkpoint_for_the_command_line(pathway_config, scores_of, tmp_path):
    runs = [build_run(recipe) for recipe in draws(pathway_config(), 1)]
    task = ReplicaTask([run.task for run in runs], seeds=3)
    trainer = runs[0].trainer([])
    trainer.fit(task, datamodule=runs[0].data)
    trainer.test(task, datamodule=runs[0].data, verbose=False)
    task.save_replica(0, tmp_path / "replica.ckpt", runs[0].data)
    scores = {name.removeprefix("test/"): value for name, value in task.results()[0]["scores"].items()}
    assert scores_of(str(tmp_path / "replica.ckpt")) == pytest.approx(scores, abs=1e-6)
