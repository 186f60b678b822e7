"""The importance study: labels of their own, what it finds where the truth is known, what it refuses."""

import functools

import numpy as np
import pytest
import torch
from axonlight.attribution import attribute
from axonlight.callbacks import StepSeed
from axonlight.comparison.importance import importance_study
from axonlight.comparison.importance.training import train_networks
from axonlight.comparison.runs.build import build_run, build_sibling
from axonlight.comparison.runs.quiet import quiet
from axonlight.datamodules import InMemoryLoader, SimulatedPathways
from axonlight.errors import InputError
from lightning.pytorch import Trainer

pytestmark = pytest.mark.xdist_group("importance")  # its fixtures are made once

OPTIONS = {
    "data.layer_sizes": [40, 10, 2],
    "data.num_causal": 2,
    "data.num_samples": 400,
    "data.signal": 1.0,
    "data.batch_size": 32,
    "trainer.max_epochs": 12,
    "model.optimizer.lr": 0.01,
}
study = functools.partial(importance_study, "pathways/simulation.yaml")


def config(**network):
    data = {"layer_sizes": [30, 6, 2], "num_samples": 120, "num_causal": 2, "val_fraction": 0.0, "batch_size": 20}
    arguments = {"design": "binn", **network}
    return {
        "seed_everything": 3,
        "model": {
            "class_path": "ClassificationTask",
            "init_args": {"network": {"class_path": "PathwayNetwork", "init_args": arguments}},
        },
        "data": {"class_path": "SimulatedPathways", "init_args": data},
        "trainer": {"max_epochs": 3, "accelerator": "cpu", "precision": "64-true"},
    }


@pytest.mark.filterwarnings("ignore::UserWarning:lightning")
@pytest.mark.parametrize("heads", ["last", "equal"])
def test_networks_with_labels_of_their_own_learn_what_they_would_alone(heads):
    recipe = {"kind": "network", "config": config(heads=heads)}
    with quiet():
        run = build_run(recipe)
    loader = run.data.train_dataloader()
    x, y = loader.tensors
    labels = [y[torch.randperm(len(y))] for _ in range(12)]  # more than one block
    trained = train_networks([run, *(build_sibling(run, None) for _ in labels[1:])], labels)
    for place in (0, 1, 11):
        with quiet():
            alone = build_run(recipe)
        rows = InMemoryLoader([x, labels[place]], 20, shuffle=True, seed=loader.seed)
        trainer = alone.trainer([StepSeed()])
        trainer.fit(alone.task, train_dataloaders=rows)
        theirs, ours = alone.task.network.state_dict(), trained.network(place).state_dict()
        for name, value in theirs.items():
            assert torch.allclose(ours[name].to(value.dtype), value, rtol=0, atol=1e-9), name
        scores = Trainer.test(trainer, alone.task, dataloaders=run.data.test_dataloader(), verbose=False)[0]
        assert trained.scores(place)["auroc"] == pytest.approx(scores["test/auroc"], abs=1e-9)


@pytest.fixture(scope="module")
def planted():
    return study(overrides=OPTIONS, draws=19, label_shuffles=19, seeds=2, folds=3)


def test_planted_pathways_matter_more_than_chance(planted):
    options = {key.removeprefix("data."): value for key, value in OPTIONS.items() if key.startswith("data.")}
    causal = set(SimulatedPathways(**options).causal_pathways)
    for name in ("DegreePreserving", "label shuffles"):
        found = planted.calibrated[name]
        assert (found.draws, found.floor) == (19, 0.05)
        table = found.table.query("layer == 'level_2'").set_index("node")
        assert set(table["z"].nlargest(2).index) == causal, name
        assert table.loc[list(causal), "p"].max() <= 0.1
    assert planted.metrics["real"]["auroc"] > planted.metrics["label shuffles"]["auroc"] + 0.2
    assert planted.metrics["label shuffles"]["auroc"] == pytest.approx(0.5, abs=0.1)
    assert planted.facts["networks"] == 2 * (1 + 19 + 19) + 3


def test_files_hold_every_table(planted, tmp_path):
    files = planted.write(tmp_path / "found")
    assert [path.name for path in files] == [
        "importance.csv",
        "importance_stability.csv",
        "importance_hub_bias.csv",
        "importance_DegreePreserving.png".lower(),
        "importance_label_shuffles.png",
    ]
    lines = [len(path.read_text().splitlines()) for path in files[:3]]
    # two nulls of 52 nodes; two of (3 layers x overlap@5, rbo, W), but 2 nodes have no 5 best, 10 no 10;
    # 3 layers x (none, degree, z of two nulls)
    assert lines == [1 + 2 * 52, 1 + 2 * (5 + 3 + 2), 1 + 3 * 4]
    assert all(path.stat().st_size > 1000 for path in files[3:])


def test_real_scores_are_the_mean_of_networks_trained_alone(planted):
    again = study(overrides=OPTIONS, draws=2, label_shuffles=0, seeds=2)
    assert "label shuffles" not in again.calibrated
    one, two = (
        found.calibrated["DegreePreserving"].table.set_index(["layer", "node"])["score"].sort_index()
        for found in (planted, again)
    )
    assert np.allclose(one, two, rtol=1e-4)  # other batches of replicas round otherwise


def test_scores_are_those_of_attribute():
    found = study(overrides=OPTIONS | {"trainer.max_epochs": 1}, draws=2, label_shuffles=0, seeds=1, rows="train")
    with quiet():
        run = build_run({"kind": "network", "config": _resolved(OPTIONS | {"trainer.max_epochs": 1})})
    trainer = run.trainer([StepSeed()])
    trainer.fit(run.task, train_dataloaders=run.data.train_dataloader())
    x = run.data.train_dataloader().tensors[0]
    scores = attribute(run.task.network, x, baseline=x.mean(dim=0), steps=16)
    expected = np.abs(scores.scores["level_2"]).mean(axis=0)
    table = found.calibrated["DegreePreserving"].table.query("layer == 'level_2'").set_index("node")["score"]
    assert table[list(scores.nodes["level_2"])].to_numpy() == pytest.approx(expected / expected.sum(), rel=1e-3)


def _resolved(options):
    from axonlight.comparison.design.overrides import ConfigResolver
    from axonlight.randomness import derive_seed

    found = ConfigResolver(["pathways/simulation.yaml"], {"data.val_fraction": 0.0, **options}).resolve({}, "here")
    return {**found, "seed_everything": derive_seed(0, "importance", 0) % 2**32}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": 0}, "seeds is 0; it must be at least 1"),
        ({"draws": 1}, "draws is 1; it must be at least 2"),
        ({"label_shuffles": 1}, "label_shuffles is 1; it must be 0 for none, or at least 2"),
        ({"nulls": [], "label_shuffles": 0}, "there is nothing to compare with"),
        ({"rows": "all"}, "rows is 'all'; it must be test or train"),
        ({"nulls": ["Degree"]}, "no null model is named 'Degree'"),
        ({"overrides": {"data.folder": 1}}, "data.folder is not an option"),
        ({"overrides": {"model.network": "DenseNetwork"}}, "importance of nodes needs a PathwayNetwork"),
        (
            {
                "overrides": {
                    "trainer.callbacks": [{"class_path": "EarlyStopping", "init_args": {"monitor": "train/loss"}}]
                }
            },
            "EarlyStopping; calibration needs one budget",
        ),
    ],
)
def test_what_cannot_be_calibrated_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        study(**options)
