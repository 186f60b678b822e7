"""What a search trains: the base config, with validation rows taken from its training rows."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor

from ...comparison.analysis.directions import sign_of
from ...comparison.design.checks import nearest
from ...comparison.design.overrides import ConfigResolver
from ...comparison.design.validation import check_trainer, data_fingerprint
from ...comparison.runs.build import BuiltRun, build_run
from ...comparison.runs.quiet import nothing_left_behind
from ...comparison.runs.recipe import canonical_json, software_versions
from ...datamodules import TableDataModule
from ...errors import InputError
from ...models import RegressionTask, Task
from ..search_settings import SearchSettings

__all__ = ["SearchBase", "prepare_base"]

# Half the width of the region of practical equivalence of metrics from 0 to 1, as in studies.
_USUAL_ROPE = 0.01


@dataclass(frozen=True)
class SearchBase:
    """The base of a search, known to work.

    Attributes:
        config: Plain data; the network's activation is whatever a stage sets.
        run: The run of the reference, built and not trained.
        metric: Name of the metric of validation rows.
        rope: Half width of the region of practical equivalence.
        fingerprint: Checksum of the data, or None.
        steps_per_epoch: Number of training batches.

    Example:
        >>> base = prepare_base(SearchSettings(base="demo.yaml"))
        >>> base.metric, base.sign, base.rope, base.description["name"]
        ('auroc', 1, 0.01, 'BreastCancer')
    """

    config: Mapping[str, Any]
    run: BuiltRun
    metric: str
    rope: float
    fingerprint: str | None
    steps_per_epoch: int

    @property
    def sign(self) -> int:
        """1 where larger values of the metric are better, else -1."""
        return sign_of(self.metric)

    @property
    def epochs(self) -> int:
        """Epochs of a full training."""
        return int(self.config["trainer"]["max_epochs"])

    @property
    def stops_early(self) -> bool:
        """Whether the config stops runs by their validation rows."""
        callbacks = self.config["trainer"].get("callbacks") or ()
        return any(item["class_path"].rpartition(".")[2] == EarlyStopping.__name__ for item in callbacks)

    @cached_property
    def key(self) -> str:
        """Hash of all that decides the figures beside formula, seed and stage."""
        parts = canonical_json([self.config, self.fingerprint, software_versions()])
        return hashlib.sha256(parts.encode()).hexdigest()

    @property
    def data(self) -> LightningDataModule:
        """The data module, set up."""
        return self.run.data

    @property
    def description(self) -> dict[str, Any]:
        """What a result says of the data."""
        name = type(self.data).__name__
        if not isinstance(self.data, TableDataModule):
            return {"name": name, "fingerprint": self.fingerprint}
        rows = {part: len(getattr(self.data.rows, part)) for part in ("train", "validation", "test")}
        return {"name": name, "fingerprint": self.fingerprint, **rows}

    @property
    def test_share(self) -> float:
        """Test rows as a share of test and training rows; 0.2 where the data do not say."""
        if not isinstance(self.data, TableDataModule):
            return 0.2
        tested, trained = len(self.data.rows.test), len(self.data.rows.train)
        return tested / (tested + trained)


def prepare_base(settings: SearchSettings) -> SearchBase:
    """Check what can be checked before anything is trained, on the network of the reference.

    Raises:
        InputError: If the config cannot be used for a search: no activation to choose, no labels, no validation rows,
            no test rows, or an unknown metric.

    Example:
        >>> prepare_base(SearchSettings(base="demo.yaml", metric="auroc", rope=0.02)).rope
        0.02
    """
    with nothing_left_behind():
        config = _carved(_resolved(settings), settings)
        run = build_run({"kind": "network", "config": config, "test": False})
        if not isinstance(run.data, TableDataModule):
            run.data.prepare_data()
            run.data.setup("fit")
        steps = _check_rows(run.data)
        metric = _metric(settings.metric, run.task)
        return SearchBase(config, run, metric, _rope(settings.rope, metric), data_fingerprint(run.data), steps)


def _resolved(settings: SearchSettings) -> dict[str, Any]:
    bases = [settings.base] if isinstance(settings.base, (str, Mapping)) else list(settings.base)
    resolver = ConfigResolver(bases, settings.overrides)
    config = resolver.resolve({}, "base")
    check_trainer("base", config["trainer"])
    if (config["trainer"].get("max_epochs") or -1) < 1:
        raise InputError("base has no trainer.max_epochs above 0, so nobody could say what a full training is; set it")
    try:
        return resolver.resolve({"model.network.activation": settings.controls.known[0]}, "controls.known")
    except InputError as error:
        network = ((config["model"].get("init_args") or {}).get("network") or {}).get("class_path", "the network")
        if "model.network.activation is not an option" in str(error):
            raise InputError(
                f"{network.rpartition('.')[2]} has no argument activation, so there is nothing to search for; take a "
                "network that has one, such as DenseNetwork"
            ) from error
        raise


def _carved(config: dict[str, Any], settings: SearchSettings) -> dict[str, Any]:
    """Take validation rows from the training rows; test rows stay those of the base."""
    options = config["data"].get("init_args") or {}
    if "val_fraction" not in options:
        return config
    folds = options.get("num_folds")
    tested = 1 / folds if folds else options.get("test_fraction") or 0.0
    if tested <= 0:
        raise InputError("data.test_fraction is 0, but the winner is scored on test rows; set it, such as to 0.2")
    options["val_fraction"] = round(settings.validation_fraction * (1 - tested), 12)
    return config


def _check_rows(data: LightningDataModule) -> int:
    """Return the number of training batches."""
    name = type(data).__name__
    loader = data.train_dataloader()
    batch = next(iter(loader), None)
    labelled = isinstance(batch, (tuple, list)) and len(batch) == 2 and isinstance(batch[1], Tensor)
    if not labelled:
        raise InputError(
            f"{name} gives batches without labels, so no activation could be judged; a search needs batches (x, y)"
        )
    try:
        validation = data.val_dataloader()
    except Exception:  # whatever stands there, it is none
        validation = []
    if not len(validation):
        raise InputError(
            f"{name} has no validation rows and no option val_fraction to take some from its training rows, so nothing "
            "could be chosen but by test rows; give it a val_dataloader"
        )
    if not is_overridden("test_dataloader", data):
        raise InputError(f"{name} has no test_dataloader, but the winner is scored on test rows; give it one")
    return len(loader)


def _metric(given: str | None, task: LightningModule) -> str:
    if not isinstance(task, Task):
        return given or "loss"
    known = [str(name).removeprefix("val/") for name in task.val_metrics.keys(keep_base=False)] + ["loss"]
    usual = "rmse" if isinstance(task, RegressionTask) else "auroc"
    metric = given or (usual if usual in known else "loss")
    if metric not in known:
        raise InputError(
            f"metric is '{metric}', which {type(task).__name__} does not have{nearest(metric.lower(), known)}"
        )
    return metric


def _rope(given: float | None, metric: str) -> float:
    if given is not None:
        return float(given)
    if sign_of(metric) < 0:
        raise InputError(
            f"rope is missing, and {metric} has a unit of its own; set the smallest difference that matters, such as "
            "rope: 0.1"
        )
    return _USUAL_ROPE
