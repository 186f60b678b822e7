"""A hierarchy from the config to the network and into the checkpoint, which rebuilds without any file."""

import importlib
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml
from axonlight.datamodules import TabularData
from axonlight.models import ClassificationTask, DenseNetwork, PathwayNetwork, RegressionTask
from axonlight.structures import Hierarchy
from lightning.pytorch import Trainer
from torch import nn

from .conftest import SHORT

FILES = {"reader": "edges", "path": "edges.csv"}
MODEL = ["--model", "ClassificationTask", "--model.network", "PathwayNetwork"]
DATA = ["--data", "TabularData", "--data.path", "genes.csv", *SHORT]
FLAGS = ["--data.hierarchy.path", "edges.csv", "--data.hierarchy.reader", "edges"]
EDGES = "cell,repair\ncell,death\nrepair,BRCA1\nrepair,TP53\ndeath,TP53\ndeath,CASP3\n"


class NamedSums(nn.Module):
    """A network of somebody else: one weight per feature of the hierarchy."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hierarchy: Hierarchy | None = None,
        feature_names: list[str] | None = None,
    ) -> None:
        super().__init__()
        self.hierarchy = hierarchy
        self.register_buffer("places", torch.from_numpy(hierarchy.feature_positions(feature_names)))
        self.weights = nn.Linear(len(hierarchy.features), out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weights(x[:, self.places])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(120, 3, generator=generator).tolist()
    lines = [f"{a:.3f},{b:.3f},{c:.3f},{int(a + b > 0)}" for a, b, c in rows]
    (tmp_path / "genes.csv").write_text("TP53,BRCA1,CASP3,label\n" + "\n".join(lines) + "\n")
    (tmp_path / "edges.csv").write_text(f"parent,child\n{EDGES}")
    return tmp_path


def checkpoint_of(run, name="last") -> Path:
    return run.run_folder / "checkpoints" / f"{name}.ckpt"


@pytest.fixture
def fitted(axonlight, table):
    run = axonlight("fit", *MODEL, *DATA, *FLAGS)
    assert run.code == 0, run.err
    return run


def test_the_config_is_saved_and_the_checkpoint_alone_rebuilds(fitted, axonlight):
    assert fitted.config["data"]["init_args"]["hierarchy"] == FILES
    assert "hierarchy" not in fitted.config["model"]["init_args"]
    run = axonlight("validate", "--ckpt_path", "last")
    assert run.code == 0, run.err
    assert run.metric("val/loss") == fitted.metric("val/loss")
    assert axonlight("test", "--ckpt_path", "best").code == 0
    predicted = axonlight("predict", "--ckpt_path", "best")
    assert predicted.code == 0, predicted.err
    assert "predictions: " in predicted.out


def test_loggers_hold_the_files_and_checkpoints_the_hierarchy(fitted):
    logged = yaml.safe_load((fitted.run_folder / "hparams.yaml").read_text())
    assert logged["hierarchy"] == FILES
    checkpoint = fitted.checkpoint()
    assert checkpoint["datamodule_hyper_parameters"]["hierarchy"] == FILES
    stored = Hierarchy.from_dict(checkpoint["hyper_parameters"]["hierarchy"])
    edges = [tuple(line.split(",")) for line in EDGES.split()]
    assert stored == Hierarchy.from_edges(edges, features=["TP53", "BRCA1", "CASP3"])
    assert [source.name for source in stored.sources] == ["edges.csv"]


def test_a_checkpoint_loads_without_any_file(fitted):
    path, before = checkpoint_of(fitted), fitted.checkpoint()
    for name in ("edges.csv", "genes.csv"):
        (fitted.folder / name).unlink()
    task = ClassificationTask.load_from_checkpoint(path, weights_only=True)
    assert task.hierarchy.sizes == (3, 2, 1)
    assert task.network.hierarchy == task.hierarchy
    assert "hierarchy" not in {**task.hparams, **task.hparams_initial}
    state = task.state_dict()
    assert all(torch.equal(state[name], value) for name, value in before["state_dict"].items())


def test_a_loaded_task_saves_the_hierarchy_again(fitted, tmp_path):
    task = ClassificationTask.load_from_checkpoint(checkpoint_of(fitted), weights_only=True)
    trainer = Trainer(max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.fit(task, datamodule=TabularData("genes.csv", hierarchy=FILES))
    trainer.save_checkpoint(tmp_path / "again.ckpt")
    again = ClassificationTask.load_from_checkpoint(tmp_path / "again.ckpt", weights_only=True)
    assert again.hierarchy == task.hierarchy
    assert torch.equal(again.eval()(torch.ones(2, 3)), task.eval()(torch.ones(2, 3)))


def test_flags_change_single_keys_of_a_config(axonlight, table):
    config = {"model": "ClassificationTask", "data": {"class_path": "TabularData", "init_args": {"path": "genes.csv"}}}
    config["data"]["init_args"]["hierarchy"] = {**FILES, "levels": 2}
    (table / "own.yaml").write_text(yaml.safe_dump(config))
    network = ["--model.network", "PathwayNetwork", *SHORT]
    run = axonlight("fit", "-c", "own.yaml", *network, "--data.hierarchy.levels", "1")
    assert run.code == 0, run.err
    assert run.config["data"]["init_args"]["hierarchy"] == {**FILES, "levels": 1}
    assert Hierarchy.from_dict(run.checkpoint()["hyper_parameters"]["hierarchy"]).sizes == (3, 1)
    run = axonlight("fit", "-c", "own.yaml", *network, "--data.hierarchy.levels", "all", "--print_config")
    assert yaml.safe_load(run.out)["data"]["init_args"]["hierarchy"]["levels"] == "all"


def test_another_hierarchy_is_refused(fitted, axonlight):
    path = str(checkpoint_of(fitted))
    other = axonlight("test", "--ckpt_path", path, "--data.hierarchy.levels", "1")
    assert other.code == 2
    assert "its layers have 3-2-1 nodes, those of the data 3-1; give data.hierarchy" in other.err
    edges = fitted.folder / "edges.csv"
    for old, new, difference in [
        ("death,CASP3\n", "", "3-2-1 nodes, those of the data 2-2-1"),
        ("death", "decay", "layer level_2 has death where that of the data has decay"),
        ("death,CASP3", "repair,CASP3", "the nodes are the same, their edges are not (6 and 6)"),
    ]:
        edges.write_text(f"parent,child\n{EDGES.replace(old, new)}")
        run = axonlight("test", "--ckpt_path", path)
        assert run.code == 2, run.out
        assert "was trained on another hierarchy than that of the data: " in run.err
        assert difference in run.err
    assert len(list(fitted.folder.glob("runs/version_*"))) == 1


MISTAKES = {
    "no hierarchy": ([], "needs a hierarchy"),
    "unknown reader": (["--data.hierarchy.reader", "edge"], "data.hierarchy.reader is 'edge'; it must be one of"),
    "no reader": (["--data.hierarchy.path", "edges.csv"], "hierarchy has no key 'reader'"),
    "missing key": (["--data.hierarchy.reader", "gmt"], "hierarchy has no key 'path'"),
    "unknown key": ([*FLAGS, "--data.hierarchy.level", "3"], "the key 'level' is not accepted; did you mean levels?"),
    "wrong type": ([*FLAGS, "--data.hierarchy.levels", "few"], "data.hierarchy.levels is 'few'; it must be an integer"),
    "no such file": (["--data.hierarchy", "{reader: gmt, path: none.gmt}"], "there is no file none.gmt in ."),
    "text": (["--data.hierarchy", "edges.csv"], "data.hierarchy is 'edges.csv'; it must be a mapping"),
    "cycle": (["--data.hierarchy", "{reader: edges, path: cycle.csv}"], "cycle"),
    "foreign": (["--data.hierarchy", "{reader: edges, path: foreign.csv}"], "none of the 3 features"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_leave_nothing_behind(mistake, axonlight, table):
    (table / "cycle.csv").write_text("parent,child\na,b\nb,a\nb,TP53\n")
    (table / "foreign.csv").write_text("parent,child\ncell,P08603\ncell,P02671\n")
    before = sorted(table.iterdir())
    flags, message = MISTAKES[mistake]
    run = axonlight("fit", *MODEL, *DATA, *flags)
    assert run.code == 2
    assert message in run.err
    assert run.err.strip().splitlines()[-1].startswith("axonlight: error: ")
    assert sorted(table.iterdir()) == before


def test_a_network_without_hierarchy_trains_on_such_data(axonlight, table):
    run = axonlight("fit", *MODEL[:2], "--model.network", "DenseNetwork", *DATA, *FLAGS)
    assert run.code == 0, run.err
    assert "hierarchy" not in run.checkpoint()["hyper_parameters"]
    # and another hierarchy is no other network
    assert axonlight("test", "--ckpt_path", "last", "--data.hierarchy", "null").code == 0
    (table / "edges.csv").unlink()
    assert axonlight("test", "--ckpt_path", "last").code == 2


def test_a_module_of_somebody_else_trains_on_such_data_and_loads_again(axonlight, table, monkeypatch):
    (table / "ownmodule.py").write_text(
        "import torch\nfrom lightning.pytorch import LightningModule\n\n\nclass Own(LightningModule):\n"
        "    def __init__(self, in_features: int):\n        super().__init__()\n        self.save_hyperparameters()\n"
        "        self.layer = torch.nn.Linear(in_features, 1)\n\n"
        "    def training_step(self, batch):\n        return self.layer(batch[0]).square().mean()\n\n"
        "    def configure_optimizers(self):\n        return torch.optim.SGD(self.parameters(), lr=0.1)\n"
    )
    run = axonlight("fit", "--allow_imports", "ownmodule", "--model", "ownmodule.Own", *DATA, *FLAGS)
    assert run.code == 0, run.err
    settings = run.checkpoint()["hyper_parameters"]
    assert {name for name in settings if name[0] != "_"} == {"in_features"}
    monkeypatch.syspath_prepend(table)
    again = importlib.import_module("ownmodule").Own.load_from_checkpoint(checkpoint_of(run), weights_only=True)
    assert again.layer.in_features == 3


@pytest.mark.parametrize("task_class", [ClassificationTask, RegressionTask])
def test_a_task_made_in_python_with_a_network_of_somebody_else(task_class, table, monkeypatch):
    monkeypatch.chdir(table)
    kind = "binary" if task_class is ClassificationTask else "regression"
    described = TabularData("genes.csv", task=kind, hierarchy=FILES)
    data = TabularData("genes.csv", task=kind, hierarchy=described.hierarchy)
    task = task_class(NamedSums, in_features=3, feature_names=data.feature_names, hierarchy=data.hierarchy)
    assert task.network.hierarchy is data.hierarchy
    trainer = Trainer(max_epochs=1, default_root_dir="out", enable_progress_bar=False)
    trainer.fit(task, datamodule=data)
    trainer.save_checkpoint("task.ckpt")
    stored = torch.load("task.ckpt", weights_only=True)
    assert "hierarchy" not in stored["datamodule_hyper_parameters"]
    assert "hierarchy" not in trainer.logger.hparams
    again = task_class.load_from_checkpoint("task.ckpt", weights_only=True)
    assert torch.equal(again(torch.ones(2, 3)), task(torch.ones(2, 3)))


def test_a_checkpoint_of_a_live_hierarchy_is_tested_with_a_saved_one(axonlight, table):
    hierarchy = Hierarchy.from_edges("edges.csv")
    data = TabularData("genes.csv", hierarchy=hierarchy)
    task = ClassificationTask(
        partial(PathwayNetwork, activation="tanh"), 3, feature_names=data.feature_names, hierarchy=hierarchy
    )
    trainer = Trainer(max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.fit(task, datamodule=data)
    trainer.save_checkpoint("task.ckpt")
    hierarchy.save("own.npz")
    test = ["test", *MODEL, "--model.network.activation", "tanh", *DATA, "--ckpt_path", "task.ckpt"]
    refused = axonlight(*test)
    assert refused.code == 2
    assert "needs a hierarchy" in refused.err
    run = axonlight(*test, "--data.hierarchy", "{reader: saved, path: own.npz}")
    assert run.code == 0, run.err


def test_only_a_network_that_declares_a_hierarchy_gets_it(table, monkeypatch):
    monkeypatch.chdir(table)
    hierarchy = Hierarchy.from_edges("edges.csv")
    assert ClassificationTask(DenseNetwork, 3, hierarchy=hierarchy).hierarchy is None
    task = ClassificationTask(partial(PathwayNetwork, activation="tanh"), 3, hierarchy=hierarchy)
    assert task.network.hierarchy == task.hierarchy == hierarchy


def test_the_proteomics_set_through_the_command_line(axonlight, data_root, tmp_path, caplog):
    folder = tmp_path / "patients"
    shutil.copytree(data_root / "proteomics", folder)
    config = """
model: {class_path: ClassificationTask, init_args: {network: PathwayNetwork}}
data:
  class_path: Proteomics
  init_args:
    batch_size: 64
    hierarchy: {reader: reactome, annotations: translation.tsv, relations: pathways.tsv, levels: 4}
trainer: {max_epochs: 2}
"""
    (tmp_path / "proteomics.yaml").write_text(config)
    run = axonlight("fit", "--config", "proteomics.yaml", "--data.root", folder)
    assert run.code == 0, run.err
    assert "554 given, 458 annotated, 449 in the hierarchy" in caplog.text
    stored = Hierarchy.from_dict(run.checkpoint()["hyper_parameters"]["hierarchy"])
    assert stored.sizes == (449, 446, 285, 116, 28)
    assert [pairs.shape[1] for _, _, pairs in stored.edges] == [2609, 448, 285, 117]
    trained = checkpoint_of(run, "best")
    tested = axonlight("test", "--ckpt_path", "best")
    assert tested.code == 0, tested.err
    shutil.rmtree(folder)
    task = ClassificationTask.load_from_checkpoint(trained, weights_only=True)
    assert tuple(task.network.node_names("level_1")) == stored.nodes[-1]
