"""The sets of the transfer study: each divided once, half to search on, half to compare on, and what is trained there.

No row of one half is in the other, and rows that are equal in all features and the class are in the same one.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from axonlight.datamodules import Covertype, Digits, Higgs, Proteomics, Spambase, TableDataModule

__all__ = ["HALVES", "SETS", "TransferSet", "base_of", "write_halves"]

HALVES = ("search", "evaluation")
CLASS = "class_number"
# Decides the halves of every set.
DIVISION_SEED = 20_260


@dataclass(frozen=True)
class TransferSet:
    """One data set, and the training that every activation gets on it.

    Attributes:
        title: For people.
        data: Its data module.
        folder: Where its files lie below the root.
        metric: What is compared.
        batch_size: So that an epoch of a half has some 20 steps where there are the rows.
        epochs: Passes over the training rows.
        classes: How many there are.
    """

    title: str
    data: Callable[..., TableDataModule]
    folder: str
    metric: str
    batch_size: int
    epochs: int = 20
    classes: int = 2


SETS = {
    "covertype": TransferSet("Covertype", Covertype, "tabular", "auroc", 256),
    "higgs": TransferSet("HIGGS", Higgs, "tabular", "auroc", 256),
    "spambase": TransferSet("Spambase", Spambase, "tabular", "auroc", 64),
    "digits": TransferSet("Digits", Digits, "", "accuracy", 32, classes=10),
    "proteomics": TransferSet("Proteomics", Proteomics, "proteomics", "auroc", 16, epochs=60),
}
PATIENT_FILES = ("test_qm.csv", "translation.tsv", "pathways.tsv")


def write_halves(name: str, root: str | None, folder: Path) -> Path:
    """Write both halves of a set, unless they are there, and return their folder."""
    place = folder / name
    if (place / "done").exists():
        return place
    place.mkdir(parents=True, exist_ok=True)
    data = _whole(name, root)
    for half, rows in zip(HALVES, (data.rows.train, data.rows.test), strict=True):
        if name == "proteomics":
            _write_patients(data, rows, place / half)
        else:
            _table(data).iloc[rows].to_parquet(place / f"{half}.parquet", index=False)
    (place / "done").touch()
    return place


def _whole(name: str, root: str | None) -> TableDataModule:
    """Return a set divided into halves, each with its share of every class."""
    given: dict[str, Any] = {} if root is None or name == "digits" else {"root": str(Path(root, SETS[name].folder))}
    data = SETS[name].data(
        **given,
        test_fraction=0.5,
        val_fraction=0.0,
        split_seed=DIVISION_SEED,
        keep_duplicates_together=True,
    )
    data.prepare_data()
    data.setup()
    return data


def _table(data: TableDataModule) -> pd.DataFrame:
    frame = data.table()
    features = frame[data.feature_names]
    return features.assign(**{CLASS: data.target.encode(frame, data.source)})


def _write_patients(data: Any, rows: Any, place: Path) -> None:
    """Write a folder that lists some of the patients; what is known of the others is in it and not read."""
    place.mkdir(exist_ok=True)
    for file in PATIENT_FILES:
        shutil.copy(data.quantities.parent / file, place / file)
    design = pd.read_csv(data.design, sep="\t")
    names = [data.sample_names[row] for row in rows]
    design[design["sample"].isin(names)].to_csv(place / data.design.name, sep="\t", index=False)


def base_of(name: str, half: str, folder: Path, epochs: int | None = None) -> Mapping[str, Any]:
    """Return the config of a set's half: the light network of arXiv 2601.10740, or the pathway network.

    Args:
        name: Name of the set.
        half: "search" or "evaluation".
        folder: What `write_halves` returned.
        epochs: Those of a trial.
    """
    known = SETS[name]
    place = os.path.abspath(folder)
    if name == "proteomics":
        hierarchy = {"reader": "reactome", "annotations": "translation.tsv", "relations": "pathways.tsv", "levels": 4}
        data = {"class_path": "Proteomics", "init_args": {"root": f"{place}/{half}", "hierarchy": hierarchy}}
        network = {"class_path": "PathwayNetwork", "init_args": {"design": "binn"}}
        optimizer = {"lr": 0.003, "weight_decay": 0.001}
    else:
        task = "binary" if known.classes == 2 else "multiclass"
        table = {"path": f"{place}/{half}.parquet", "target": CLASS, "task": task}
        data = {"class_path": "TabularData", "init_args": table}
        options = {"hidden": [64, 32], "activation": "relu", "norm": "batch", "dropout": 0.3}
        network = {"class_path": "DenseNetwork", "init_args": options}
        optimizer = {"lr": 0.001}
    # Batch norm needs more than one row in the last batch.
    data["init_args"] |= {
        "batch_size": known.batch_size,
        "test_fraction": 0.2,
        "val_fraction": 0.0,
        "drop_last": True,
        "keep_duplicates_together": True,
    }
    return {
        "seed_everything": 0,
        "model": {
            "class_path": "ClassificationTask",
            "init_args": {"network": network, "optimizer": {"class_path": "torch.optim.Adam", "init_args": optimizer}},
        },
        "data": data,
        "trainer": {"max_epochs": known.epochs if epochs is None else epochs},
    }
