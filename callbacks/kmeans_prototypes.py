"""Start prototypes at the k-means centres of the training patches, before the first step."""

import logging
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from ..batches import MultimodalInputs
from ..errors import InputError
from ..models.bags import PackedBags, split_bags
from ..models.prototypes import PrototypeEncoder
from ..randomness import global_seed
from .prototype_health import prototype_encoders

__all__ = ["KMeansPrototypes"]

log = logging.getLogger(__name__)


class KMeansPrototypes(Callback):
    """Read the training bags once and put every prototype encoder of the network at their k-means centres.

    Only training rows are read: the batches of the training loader (that of the data module, with the rows of all
    processes). An encoder that was initialised before, such as one of a resumed run, is left alone. With several
    processes the first one computes and the others take over its result.

    Args:
        max_patches: Most patches that k-means sees; every patient gives the same number, or all that he has.
        normalize: Whether patches are scaled to length 1 first.
        scale: "data": centres as long as their patches; "unit": as published (see `kmeans_prototypes`).
        seed: Seed of sample and k-means; None: that of the run.

    Raises:
        InputError: If the network has no prototypes, or the training batches hold no packed bags.

    Example:
        >>> KMeansPrototypes(max_patches=20_000).max_patches
        20000
    """

    def __init__(
        self,
        max_patches: int = 100_000,
        normalize: bool = True,
        scale: Literal["data", "unit"] = "data",
        seed: int | None = None,
    ) -> None:
        if max_patches < 1:
            raise InputError(f"max_patches is {max_patches}; it must be a positive integer")
        if scale not in ("data", "unit"):
            raise InputError(f"scale is {scale!r}; it must be 'data' or 'unit'")
        self.max_patches = max_patches
        self.normalize = normalize
        self.scale: Literal["data", "unit"] = scale
        self.seed = seed

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse networks without prototypes, before time is spent."""
        if stage == "fit" and not prototype_encoders(pl_module):
            raise InputError(
                "KMeansPrototypes needs a network with a PrototypeEncoder, which this one has not (without slides in "
                "the data no network has one); leave the callback out"
            )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Initialise what is not initialised yet."""
        for path, encoder in prototype_encoders(pl_module).items():
            if bool(encoder.initialized):
                continue
            message = self._initialize(trainer, encoder) if trainer.is_global_zero else ""
            # An error of the first process must not leave the others waiting.
            message, state = trainer.strategy.broadcast((message, encoder.state_dict()))
            if message:
                raise InputError(f"the prototypes of {path or 'the network'} cannot be initialised: {message}")
            encoder.load_state_dict(state)

    def _initialize(self, trainer: Trainer, encoder: PrototypeEncoder) -> str:
        seed = global_seed() if self.seed is None else self.seed
        try:
            found = encoder.initialize(_training_bags(trainer), self.max_patches, seed, self.normalize, self.scale)
        except InputError as error:
            return str(error)
        log.info(
            "prototypes start at the centres of %d patches of %d training patients, at most %d each",
            len(found.sample),
            found.patients,
            found.per_patient,
        )
        return ""


def _training_bags(trainer: Trainer) -> Iterator[Tensor]:
    data = getattr(trainer, "datamodule", None)
    loader: Iterable[Any] = data.train_dataloader() if data is not None else trainer.train_dataloader or ()
    for batch in loader:
        inputs = batch[0] if type(batch) in (tuple, list) else batch
        if isinstance(inputs, MultimodalInputs):
            inputs = PackedBags(inputs.bags, inputs.pointers)
        if not isinstance(inputs, PackedBags):
            raise InputError(
                f"a training batch holds a {type(inputs).__name__}, neither MultimodalInputs nor PackedBags"
            )
        yield from split_bags(*inputs)
