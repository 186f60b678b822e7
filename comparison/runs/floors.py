"""Floors: simple models on the rows that a network trains and is scored on."""

from collections.abc import Mapping
from typing import Any

from ...baselines import classification_floors, regression_floors, survival_floors
from ...datamodules import InMemoryLoader, TableDataModule
from ...errors import InputError
from .build import build_run

__all__ = ["score_floor"]

# What a study calls a floor whose name depends on the task.
_RIDGE = {"regression": "ridge", "binary": "ridge_logistic", "multiclass": "ridge_logistic"}


def score_floor(recipe: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, Any]]:
    """Fit the floor of a recipe on the training rows of its data and score it on the test rows.

    Returns:
        The metrics, by the names that a task logs after "test/", and the numbers of rows.

    Raises:
        InputError: If there is no such floor, or the data are no table.
    """
    config, floor = recipe["config"], recipe["floor"]
    data = build_run({"config": config}).data
    if not isinstance(data, TableDataModule):
        raise InputError(f"floor is '{floor}', but {type(data).__name__} is no TableDataModule; leave out the floor")
    if data.task == "survival":
        return _survival_floor(data, str(floor), int(config.get("seed_everything", 0)))
    train, test = _tensors(data.train_dataloader()), _tensors(data.test_dataloader())
    name = _RIDGE[data.task] if floor == "ridge" else floor
    options: dict[str, Any] = {"seed": int(config.get("seed_everything", 0)), "floors": [name]}
    if data.task == "regression":
        found = regression_floors(*train, *test, **options)
    else:
        found = classification_floors(*train, *test, num_classes=data.num_classes, **options)
    return found[name], {"train_rows": len(train[1]), "test_rows": len(test[1])}


def _tensors(loader: InMemoryLoader) -> list[Any]:
    features, target = (tensor.numpy() for tensor in loader.tensors)
    return [features.reshape(len(features), -1), target]  # images as rows of pixels


def _survival_floor(data: Any, floor: str, seed: int) -> tuple[dict[str, float], dict[str, Any]]:
    train, test = (data.survival_targets(part).numpy() for part in ("train", "test"))
    views = dict(data.floor_views())
    if floor == "ridge":
        loaders = (data.train_dataloader(), data.test_dataloader())
        is_table = all(isinstance(loader, InMemoryLoader) for loader in loaders)
        # what the network sees of a table; of several modalities, expression
        views["ridge"] = tuple(loader.tensors[0].numpy() for loader in loaders) if is_table else views["rna"]
    found = survival_floors(views, train, test, seed=seed, floors=[floor])
    return found[floor], {"train_rows": len(train), "test_rows": len(test)}
