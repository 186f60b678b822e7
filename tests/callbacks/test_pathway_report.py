"""The report at the end of training: its rows, its files, what it refuses."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from axonlight.attribution import attribute
from axonlight.callbacks import PathwayReport
from axonlight.datamodules import BreastCancer
from axonlight.errors import InputError
from axonlight.models import ClassificationTask, DenseNetwork, PathwayNetwork
from axonlight.structures import Hierarchy
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from matplotlib import image
from torch.utils.data import DataLoader, TensorDataset


def hierarchy_of(names):
    edges = [("all", group) for group in ("mean", "error", "worst")]
    edges += [(("mean", "error", "worst")[place % 3], name) for place, name in enumerate(names)]
    return Hierarchy.from_edges(edges, features=names)


def task_of(names, **options):
    network = partial(PathwayNetwork, hierarchy=hierarchy_of(names), feature_names=names, **options)
    return ClassificationTask(network, in_features=len(names))


def fit(folder, report, data=None, task=None, **loaders):
    data = data or (None if loaders else BreastCancer(batch_size=128))
    task = task or task_of(BreastCancer().feature_names)
    trainer = Trainer(
        max_epochs=2,
        callbacks=[report],
        accelerator="cpu",
        logger=CSVLogger(folder, name=None),
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    trainer.fit(task, datamodule=data, **loaders)
    return task, data


@pytest.mark.parametrize("rows", ["validation", "train", "test"])
def test_report_holds_the_scores_of_the_last_weights(tmp_path, capsys, rows):
    task, data = fit(tmp_path, PathwayReport("deep_lift", rows=rows, adjust="degree"))
    folder = tmp_path / "version_0"
    table = pd.read_csv(folder / "pathways.csv")
    loader = {"validation": data.val_dataloader, "train": data.train_dataloader, "test": data.test_dataloader}[rows]()
    baseline = data.train_dataloader().tensors[0].mean(dim=0)
    expected = attribute(task.network, loader.tensors[0], method="deep_lift", baseline=baseline).table("degree")
    assert table["node"].tolist() == expected["node"].tolist()
    assert np.allclose(table["adjusted_score"], expected["adjusted_score"])
    assert image.imread(folder / "pathways.png").shape[1] > 500
    said = capsys.readouterr().out
    words = {"train": "training"}.get(rows, rows)
    assert (
        f"pathways: {folder / 'pathways.csv'}, pathways.png (deep_lift, {len(loader.tensors[0])} {words} rows" in said
    )


def test_training_rows_stand_in_where_none_validate(tmp_path, capsys):
    fit(tmp_path, PathwayReport("deep_lift", filename="who"), BreastCancer(batch_size=128, val_fraction=0))
    assert "455 training rows, last weights" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "version_0").glob("who.*")) == ["who.csv", "who.png"]


def test_training_is_the_same_with_and_without(tmp_path):
    weights = []
    for number, report in enumerate([PathwayReport("conductance", steps=5), PathwayReport("deep_lift", rows="train")]):
        torch.manual_seed(0)
        task, _ = fit(tmp_path / str(number), report, BreastCancer(batch_size=128, shuffle_seed=1))
        assert task.network.training
        weights.append(torch.cat([value.flatten() for value in task.network.parameters()]))
    assert torch.equal(*weights)


def test_loaders_without_a_data_module(tmp_path, capsys):
    names = ["a", "b", "c"]
    loader = DataLoader(TensorDataset(torch.randn(20, 3), torch.arange(20) % 2), batch_size=6)
    fit(tmp_path, PathwayReport("deep_lift"), task=task_of(names), train_dataloaders=loader, val_dataloaders=loader)
    assert "20 validation rows" in capsys.readouterr().out
    with pytest.raises(InputError, match="rows is 'test'"):
        fit(tmp_path, PathwayReport(rows="test"), task=task_of(names), train_dataloaders=loader)


def test_titles_of_a_file(tmp_path):
    titles = tmp_path / "titles.tsv"
    titles.write_text("worst\tWorst of three\tHomo sapiens\nelsewhere\tNot here\tMus musculus\n")
    fit(tmp_path, PathwayReport("deep_lift", titles=str(titles)))
    table = pd.read_csv(tmp_path / "version_0" / "pathways.csv").set_index("node")
    assert table.loc["worst", "title"] == "Worst of three"
    assert table.loc["mean", "title"] == "mean"


def test_heads_are_said_to_go_around(tmp_path, capsys):
    task = task_of(BreastCancer().feature_names, heads="learned")
    fit(tmp_path, PathwayReport("deep_lift"), task=task)
    assert "part of the output goes around level_1" in capsys.readouterr().out


def test_a_network_without_hierarchy_is_refused_before_training(tmp_path):
    task = ClassificationTask(partial(DenseNetwork, hidden=[4]), in_features=30)
    with pytest.raises(InputError, match="needs a network with a hierarchy, such as PathwayNetwork, not DenseNetwork"):
        fit(tmp_path, PathwayReport(), task=task)
    assert not list(tmp_path.rglob("metrics.csv"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "shap"}, "method is 'shap'"),
        ({"rows": "predict"}, "rows is 'predict'"),
        ({"baseline": "median"}, "baseline is 'median'"),
        ({"adjust": "size"}, "adjust is 'size'"),
        ({"top": 0}, "top is 0"),
        ({"titles": "nowhere.txt"}, "titles is nowhere.txt"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(InputError, match=words):
        PathwayReport(**options)


class WithoutTest(LightningDataModule):
    def train_dataloader(self):
        return DataLoader(TensorDataset(torch.randn(20, 3), torch.arange(20) % 2), batch_size=6)


def test_a_data_module_without_validation(tmp_path, capsys):
    fit(tmp_path, PathwayReport("deep_lift"), WithoutTest(), task_of(["a", "b", "c"]))
    assert "20 training rows" in capsys.readouterr().out
