"""Refuse what cannot be compared, before any training: each with its reason and the smallest change that helps."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from lightning.pytorch import LightningDataModule, LightningModule

from ...datamodules import TableDataModule
from ...errors import InputError
from ...models import Task
from .arms import Arm
from .checks import nearest
from .fields import StudyFields

__all__ = [
    "check_common",
    "check_metrics",
    "check_paired",
    "check_split_keys",
    "check_trainer",
    "check_without",
    "data_fingerprint",
    "row_digest",
]

# What decides which rows train and test. The study itself sets the first group.
_SET_BY_STUDY = ("fold", "num_folds", "split_seed", "test_fraction")
_SPLIT = (*_SET_BY_STUDY, "val_fraction", "stratify", "keep_duplicates_together", "limit_rows", "limit_seed", "group")
_ORDER = ("seed_everything", "data.shuffle_seed")
# Callbacks that end a run without a number of epochs.
_ENDING = ("EarlyStopping", "Timer")


def _plain_key(key: str) -> str:
    return key.replace(".init_args", "")


def check_common(overrides: Mapping[str, Any]) -> None:
    """Refuse overrides of all arms that set what the study itself sets.

    Raises:
        InputError: Naming the key of the study to use instead.
    """
    instead = {"fold": "folds", "num_folds": "folds", "split_seed": "seed", "test_fraction": "folds"}
    for key in overrides:
        name = _plain_key(key).removeprefix("data.")
        if name in instead:
            raise InputError(f"overrides has {key}, which the study sets for every split; set {instead[name]} instead")
        if name == "seed_everything":
            raise InputError("overrides has seed_everything, which the study sets for every run; set seed instead")


def check_split_keys(arm: Arm) -> None:
    """Refuse an arm that names what decides the split or the order of rows.

    Raises:
        InputError: Naming the key, and where it belongs.
    """
    for key in arm.overrides:
        plain = _plain_key(key)
        name = plain.removeprefix("data.")
        if plain.startswith("data.") and name in _SPLIT:
            change = "leave it out" if name in _SET_BY_STUDY else f"move {key} to the overrides of the study"
            raise InputError(
                f"arm '{arm.name}' sets {key}, which changes the data split, so its scores would be of other rows than "
                f"those of the other arms; {change}"
            )
        if plain in _ORDER:
            raise InputError(
                f"arm '{arm.name}' sets {key}, so it would start or shuffle unlike the other arms and no score would "
                "be paired; leave it out and set seeds for the whole study"
            )


def check_trainer(where: str, trainer: Mapping[str, Any]) -> None:
    """Refuse settings of the trainer with which a run would be several, be tested on few rows, or never end.

    Raises:
        InputError: Naming the setting and what to do instead.

    Example:
        >>> check_trainer("arm 'real'", {"max_epochs": 100, "devices": "auto", "limit_test_batches": 1.0})
        >>> check_trainer("arm 'real'", {"max_epochs": -1})
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: arm 'real': trainer.max_epochs is -1, so no run would end; set it, such as to 100
    """
    for key in ("fast_dev_run", "overfit_batches", "limit_test_batches"):
        value = trainer.get(key)
        whole = value is None or (isinstance(value, float) and value == 1) if key.startswith("limit") else not value
        if not whole:
            raise InputError(
                f"{where}: trainer.{key} is {value}, so networks would be tested on other rows than floors; leave it "
                "out and, for fewer rows, set data.limit_rows in the overrides of the study"
            )
    devices, nodes = trainer.get("devices"), trainer.get("num_nodes")
    for key, value, fits in (
        ("devices", devices, devices in (None, "auto", 1, "1") or (isinstance(devices, list) and len(devices) == 1)),
        ("num_nodes", nodes, nodes in (None, 1)),
    ):
        if not fits:
            raise InputError(
                f"{where}: trainer.{key} is {value}, but a run is one process on one device; leave it out, and set "
                "workers of the study"
            )
    ends = [trainer.get("max_time"), trainer.get("max_steps", -1) != -1]
    ends += [str(item["class_path"]).endswith(_ENDING) for item in trainer.get("callbacks") or ()]
    if trainer.get("max_epochs") == -1 and not any(ends):
        raise InputError(f"{where}: trainer.max_epochs is -1, so no run would end; set it, such as to 100")


def check_without(comparisons: Sequence[Any] | None, without: Mapping[str, str]) -> None:
    """Refuse comparisons with a control arm that does not exist.

    Raises:
        InputError: With the reason why it does not.
    """
    for item in comparisons or ():
        names = item.get("weights", ()) if isinstance(item, Mapping) else item
        for name in map(str, names):
            if name in without:
                raise InputError(f"comparisons names '{name}', but there is no such control: {without[name]}")


def row_digest(data: LightningDataModule) -> str | None:
    """Return a checksum of the rows of each part and of what is to be told; None where the data do not say."""
    if not isinstance(data, TableDataModule):
        return None
    digest = hashlib.sha256()
    for rows in (data.rows.train, data.rows.validation, data.rows.test):
        digest.update(np.sort(rows).astype("<i8").tobytes() + b"|")
    for loader in (data.train_dataloader(), data.test_dataloader()):
        digest.update(loader.tensors[1].numpy().tobytes() + b"|")
    return digest.hexdigest()


def check_paired(fields: StudyFields, rows: Mapping[str, str | None]) -> None:
    """Refuse comparisons of arms whose rows or targets differ.

    Arms of another task may stand in a study as long as each is compared with arms of its own: among the arms that
    share rows and targets, the weights of every comparison must sum to 0.

    Args:
        fields: The study.
        rows: Checksum of rows and targets, by arm.

    Raises:
        InputError: Naming the two arms and what changes their data; or if floors would be those of one task alone.
    """
    for item in fields.contrasts:
        weights = item["weights"] if isinstance(item, Mapping) else {item[0]: 1, item[1]: -1}
        first, *others = weights
        for digest in {rows[name] for name in weights}:
            if abs(sum(weight for name, weight in weights.items() if rows[name] == digest)) > 1e-9:
                other = next(name for name in others if rows[name] != rows[first])
                raise InputError(_unpaired(fields.arm(other), first))
    first, *others = fields.references
    other = next((name for name in others if rows[name] != rows[first]), None)
    if other is not None and any(arm.is_floor or arm.kind == "floor" for arm in fields.all_arms):
        raise InputError(
            f"arm '{other}' has other rows or targets than '{first}', so floors, which are fitted once, would be those "
            "of one alone; set floors to []"
        )


def _unpaired(arm: Arm, reference: str) -> str:
    settings = ", ".join(key for key in arm.overrides if key.startswith("data")) or "its settings"
    return (
        f"arm '{arm.name}' has other training or test rows, or other targets, than '{reference}', so the arms are "
        f"not paired; it changes them by {settings}: move that to the overrides of the study"
    )


def check_metrics(wanted: Sequence[str], model: LightningModule, arm: str) -> None:
    """Refuse a metric that the task of an arm does not have.

    Raises:
        InputError: Naming the nearest.
    """
    if not isinstance(model, Task):
        return
    known = [*model.metrics().keys(keep_base=False), "loss"]
    for metric in wanted:
        if metric not in known:
            raise InputError(
                f"metrics names '{metric}', which {type(model).__name__} of arm '{arm}' does not have"
                f"{nearest(str(metric).removeprefix('test/').lower(), known)}"
            )


def data_fingerprint(data: LightningDataModule) -> str | None:
    """Return a checksum of the table and of the hierarchy, before any split; None where the data do not say.

    Example:
        >>> from axonlight.datamodules import BreastCancer
        >>> first, second = BreastCancer(split_seed=1), BreastCancer(split_seed=2)
        >>> data_fingerprint(first) == data_fingerprint(second) != data_fingerprint(BreastCancer(limit_rows=100))
        True
    """
    if not isinstance(data, TableDataModule):
        return None
    import pandas.util

    hashing: Any = pandas.util  # its functions are found when they are asked for
    table = data.table()
    digest = hashlib.sha256(repr([*map(str, table.columns)]).encode())
    plain = table.apply(lambda column: column if column.dtype.kind in "biuf" else column.astype(str))
    digest.update(hashing.hash_pandas_object(plain, index=True).to_numpy().tobytes())
    if data.hierarchy is not None:
        digest.update(repr((data.hierarchy.layers, data.hierarchy.nodes)).encode())
        for source, target, pairs in data.hierarchy.edges:
            digest.update(f"{source}-{target}".encode() + np.asarray(pairs).tobytes())
    return digest.hexdigest()[:16]
