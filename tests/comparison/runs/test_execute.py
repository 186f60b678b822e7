"""One run from a recipe has the figures of the command line."""

import math

import pytest
from axonlight.comparison.runs import Result, execute
from axonlight.comparison.runs.build import build_run

EARLY = {"class_path": "lightning.pytorch.callbacks.EarlyStopping", "init_args": {"monitor": "val/loss", "patience": 2}}


def test_a_recipe_gives_the_figures_of_fit_and_test(pathway_config, by_command_line):
    config = pathway_config(trainer={"callbacks": [{"class_path": "TrainingCurves"}], "gradient_clip_val": 0.5})
    result = execute({"kind": "network", "config": config})
    assert result.error is None
    scores, curves = by_command_line(config)
    assert result.metrics == scores
    assert result.curves == curves
    assert result.details["epochs"] == 3


def test_early_stopping_gives_the_figures_of_the_best_checkpoint(pathway_config, by_command_line):
    config = pathway_config(
        model={"optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 2.0}}},
        trainer={"max_epochs": 12, "callbacks": [EARLY]},
    )
    result = execute({"kind": "network", "config": config})
    losses = result.curves["val/loss"]
    assert result.details["epochs"] == len(losses) < 12
    assert result.details["best_epoch"] == losses.index(min(losses)) < len(losses) - 1
    scores, _ = by_command_line(config, "best")
    assert result.metrics == scores


def test_no_file_is_written(pathway_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = pathway_config(trainer={"callbacks": [{"class_path": "TrainingCurves"}, {"class_path": "PathwayReport"}]})
    assert execute({"kind": "network", "config": config}).error is None
    assert list(tmp_path.iterdir()) == []


def test_data_are_made_once(pathway_config, monkeypatch):
    from axonlight.datamodules import SimulatedPathways

    made = []
    monkeypatch.setattr(SimulatedPathways, "_report", lambda self: made.append(self))
    recipes = [{"kind": "network", "config": pathway_config(network={"design": name})} for name in ("binn", "kpnn")]
    first, *_ = [execute(recipe) for recipe in recipes]
    assert len(made) == 1
    assert execute(recipes[0]).metrics == first.metrics


def test_a_draw_takes_the_place_of_the_hierarchy(pathway_config):
    recipe = {"kind": "network", "config": pathway_config()}
    null = {"class_path": "DegreePreserving", "init_args": {}, "seed": 5}
    drawn, real = build_run({**recipe, "null": null}), build_run(recipe)
    assert drawn.task.hierarchy == drawn.data.hierarchy != real.task.hierarchy
    assert real.data.hierarchy == real.task.hierarchy
    result = execute({**recipe, "null": null})
    assert result.error is None
    assert 0 < result.details["null"]["edge_overlap"] < 1
    assert "null" not in execute(recipe).details


def test_a_null_that_needs_data_sees_training_rows_alone(pathway_config, monkeypatch):
    from axonlight.structures import PermuteInputsWithinBins

    seen = []
    fit = PermuteInputsWithinBins.fit
    monkeypatch.setattr(
        PermuteInputsWithinBins, "fit", lambda self, x, names: seen.append((x, names)) or fit(self, x, names)
    )
    null = {"class_path": "PermuteInputsWithinBins", "init_args": {"by": "mean", "bins": 3}}
    config = pathway_config(data={"missing": "median"})
    runs = [build_run({"config": config, "null": {**null, "seed": seed}}) for seed in range(2)]
    (x, names), data = seen[0], runs[0].data
    assert len(seen) == 1  # fitted once for all draws
    expected = data.table().iloc[data.rows.train][names].to_numpy()
    assert names == data.feature_names
    assert (x == expected).all()


@pytest.mark.parametrize("kind", ["parameters", "nodes"])
def test_a_dense_control_keeps_activation_and_size(pathway_config, kind):
    recipe = {"kind": "network", "config": pathway_config(data={"layer_sizes": [60, 20, 5]})}
    real, dense = build_run(recipe), build_run({**recipe, "dense": kind})
    layers = [type(layer).__name__.removeprefix("Unit") for layer in dense.task.network.layers]
    assert layers.count("ASH") == layers.count("Dropout") == layers.count("BatchNorm1d") == 2
    if kind == "nodes":
        assert [layer.out_features for layer in dense.task.network.layers if hasattr(layer, "out_features")] == [
            20,
            5,
            1,
        ]
    else:
        assert dense.parameters == pytest.approx(real.parameters, rel=0.35)


def test_the_dense_floor_is_the_dense_control(pathway_config):
    config = pathway_config()
    floor = execute({"kind": "floor", "floor": "dense", "config": config})
    control = execute({"kind": "network", "dense": "parameters", "config": config})
    assert floor.metrics == control.metrics
    assert floor.parameters == control.parameters > 0


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_floors_are_fitted_on_the_rows_of_the_network(pathway_config, task):
    from axonlight.baselines import classification_floors, regression_floors

    config = pathway_config(data={"simulated_task": task})
    config["model"]["class_path"] = "ClassificationTask" if task == "binary" else "RegressionTask"
    data = build_run({"config": config}).data
    x, y = (tensor.numpy() for tensor in data.train_dataloader().tensors)
    x_test, y_test = (tensor.numpy() for tensor in data.test_dataloader().tensors)
    assert len(x) == 72
    name, floors = ("ridge", regression_floors) if task == "regression" else ("ridge_logistic", classification_floors)
    expected = floors(x, y, x_test, y_test, seed=3, floors=[name])[name]
    assert execute({"kind": "floor", "floor": "ridge", "config": config}).metrics == expected


def test_a_run_that_diverges_is_a_result(pathway_config):
    config = pathway_config(
        network={"design": "kpnn", "activation": "relu"},
        model={"optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 1e30}}},
    )
    result = execute({"kind": "network", "config": config})
    assert result.failed
    assert result.metrics == {}
    assert result.error.startswith("the training loss is ")
    assert "\n" not in result.error


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"null": {"class_path": "DegreePreservin", "seed": 0}}, "DegreePreserving"),
        ({"dense": "width"}, "dense is 'width'"),
        ({"kind": "floor", "floor": "ridgelogistic"}, "there is no floor 'ridgelogistic'"),
    ],
)
def test_a_recipe_that_does_not_fit_is_a_result(pathway_config, recipe, said):
    result = execute({"kind": "network", "config": pathway_config(), **recipe})
    assert said in result.error


def test_a_null_needs_a_hierarchy():
    model = {"class_path": "ClassificationTask", "init_args": {"network": "DenseNetwork"}}
    config = {"seed_everything": 0, "model": model, "data": "BreastCancer", "trainer": {"max_epochs": 1}}
    null = {"class_path": "DegreePreserving", "seed": 0}
    result = execute({"kind": "network", "config": config, "null": null})
    assert result.error == (
        "null is DegreePreserving, but the data have no hierarchy; give data.hierarchy, or leave out null"
    )


@pytest.mark.parametrize("leave", [KeyboardInterrupt, SystemExit])
def test_whoever_ends_the_process_is_obeyed(pathway_config, monkeypatch, leave):
    def end(*args, **kwargs):
        raise leave

    monkeypatch.setattr("lightning.pytorch.Trainer.fit", end)
    with pytest.raises(leave):
        execute({"kind": "network", "config": pathway_config()})


def test_a_result_survives_json(pathway_config):
    import json

    result = Result({"auroc": math.nan, "accuracy": 0.5}, {"train/loss": [0.1]}, 3, 0.5, None, {"train_rows": 4})
    again = Result.from_dict(json.loads(json.dumps(result.to_dict())))
    assert math.isnan(again.metrics["auroc"])
    assert again.curves == result.curves
    assert again.details == result.details
