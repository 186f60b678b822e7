"""Say at the end of training which genes and pathways the network's outputs rest on."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor

from ..attribution import Adjustment, Attributions, Method, attribute, draw_attributions
from ..errors import InputError
from ..models import PathwayNetwork

__all__ = ["PathwayReport"]

Rows = Literal["validation", "train", "test"]
_LOADERS = {"validation": "val_dataloader", "train": "train_dataloader", "test": "test_dataloader"}


class PathwayReport(Callback):
    """Score the nodes of a pathway network when training ends, and write a table and a picture into the run folder.

    The weights are the last ones, and nothing is selected by the scores. They say what this network does with these
    rows; other seeds and other masks may give others.

    Args:
        method: "integrated_gradients", "conductance" or "deep_lift"; see `axonlight.attribution.attribute`.
        rows: Which rows are explained: "validation" (training rows where none validate), "train" or "test".
        baseline: What they are compared with: the "mean" of the training rows, or "zeros".
        target: Which output: a class, or 0.
        top: Nodes per layer in the picture.
        adjust: How scores are divided by how well connected a node is; see `axonlight.attribution.graph.adjusted`.
        titles: Table of identifiers and readable names for table and picture, such as ReactomePathways.txt; nodes that
            it lacks keep the names that they have.
        steps: Points of the integrals.
        filename: Name of both files, without suffix.

    Raises:
        InputError: If the network has no hierarchy, an option is unusable, or the weights are divided over devices.

    Example:
        >>> PathwayReport(method="deep_lift", top=8).filename
        'pathways'
    """

    def __init__(
        self,
        method: Method = "integrated_gradients",
        rows: Rows = "validation",
        baseline: Literal["mean", "zeros"] = "mean",
        target: int = 0,
        top: int = 10,
        adjust: Adjustment = "subgraph",
        titles: str | None = None,
        steps: int = 64,
        filename: str = "pathways",
    ) -> None:
        for key, value, known in [
            ("method", method, get_args(Method)),
            ("rows", rows, tuple(_LOADERS)),
            ("baseline", baseline, ("mean", "zeros")),
            ("adjust", adjust, get_args(Adjustment)),
        ]:
            if value not in known:
                raise InputError(f"{key} is {value!r}; it must be one of {', '.join(known)}")
        if top < 1:
            raise InputError(f"top is {top}; it must be a positive integer")
        if titles is not None and not Path(titles).is_file():
            raise InputError(f"titles is {titles}, and there is no such file; give the path of an existing table")
        self.method: Method = method
        self.rows: Rows = rows
        self.baseline = baseline
        self.target = target
        self.top = top
        self.adjust: Adjustment = adjust
        self.titles = titles
        self.steps = steps
        self.filename = filename
        self._written = ""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse what cannot be explained, before time is spent."""
        if stage != "fit":
            return
        network = getattr(pl_module, "network", None)
        if not isinstance(network, PathwayNetwork):
            raise InputError(
                f"PathwayReport needs a network with a hierarchy, such as PathwayNetwork, not "
                f"{type(network).__name__}; leave the callback out"
            )
        if not isinstance(trainer.strategy, (SingleDeviceStrategy, DDPStrategy)):
            raise InputError(
                f"PathwayReport needs all weights on one device, but {type(trainer.strategy).__name__} divides them; "
                "leave the callback out"
            )
        if self.rows == "test" and _loader(trainer, "test") is None:
            raise InputError("rows is 'test', but the data give no test rows; take 'validation' or 'train'")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compute, write table and picture."""
        folder = trainer.log_dir  # asked for on every rank: it is broadcast
        if not trainer.is_global_zero or not folder:
            return
        chosen, x = self.rows, _columns(_loader(trainer, self.rows))
        train = _columns(_loader(trainer, "train")) if x is None or self.baseline == "mean" else None
        if x is None:
            chosen, x = "train", train
        if x is None:
            return
        baseline = torch.zeros_like(x[0]) if train is None or self.baseline == "zeros" else train.mean(dim=0)
        network: Any = pl_module.network
        found = attribute(network, x, method=self.method, target=self.target, baseline=baseline, steps=self.steps)
        found = found if self.titles is None else found.with_titles(self.titles)
        self._write(found, Path(folder), f"{self.method}, {len(x):,} {_words(chosen)} rows, last weights")

    def _write(self, found: Attributions, folder: Path, what: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        table, picture = folder / f"{self.filename}.csv", folder / f"{self.filename}.png"
        found.table(self.adjust).to_csv(table, index=False)
        draw_attributions(found, picture, top=self.top, adjust=self.adjust, title=f"{what}, {self.adjust}-adjusted")
        delta = max(found.relative_delta[layer] for layer, cuts in found.cuts.items() if cuts)
        around = [layer for layer, cuts in found.cuts.items() if not cuts]
        passed = f"; part of the output goes around {', '.join(around)}" if around else ""
        self._written = f"pathways: {table}, {picture.name} ({what}; relative convergence delta {delta:.1e}{passed})"

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print where the files are, below the progress."""
        if self._written:
            print(self._written)


def _words(rows: str) -> str:
    return "training" if rows == "train" else rows


def _loader(trainer: Trainer, rows: Rows) -> Iterable | None:
    """Return the batches of some rows: of the data module, else those that the trainer was given."""
    data = getattr(trainer, "datamodule", None)
    if data is not None:
        return getattr(data, _LOADERS[rows])() if is_overridden(_LOADERS[rows], data) else None
    return {"validation": trainer.val_dataloaders, "train": trainer.train_dataloader}.get(rows)


def _columns(loader: Any) -> Tensor | None:
    """Return all columns (N, F) of a loader, or of several; None if there are no rows."""
    if loader is None:
        return None
    if isinstance(loader, (list, tuple)):
        parts = [part for part in map(_columns, loader) if part is not None]
        return torch.cat(parts) if parts else None
    tensors = getattr(loader, "tensors", None)
    if tensors is not None:  # in memory: the rows of all devices, in the order of the table
        return tensors[0]
    batches = [batch if isinstance(batch, Tensor) else batch[0] for batch in loader]
    return torch.cat([batch.cpu() for batch in batches]) if batches else None
