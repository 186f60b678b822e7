"""Log at every epoch whether the prototypes of a network are used, alive, apart and moving."""

import logging

from lightning.pytorch import Callback, LightningModule, Trainer

from ..errors import InputError
from ..models.prototypes import PrototypeEncoder

__all__ = ["PrototypeWatch", "prototype_encoders"]

log = logging.getLogger(__name__)


class PrototypeWatch(Callback):
    """Log the health of prototypes at the end of every training epoch, and say at the end if some are dead.

    Logged as ``prototypes/usage_entropy``, ``prototypes/dead``, ``prototypes/drift`` and ``prototypes/max_cosine`` (see
    `PrototypeHealth`); with several encoders their paths stand between. The use is that of the epoch's training
    patients, those of all processes together.

    Raises:
        InputError: If the network has no prototypes.

    Example:
        >>> from lightning.pytorch import Trainer
        >>> trainer = Trainer(callbacks=[PrototypeWatch()], logger=False, enable_checkpointing=False)
    """

    def __init__(self) -> None:
        self._dead: dict[str, str] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse networks without prototypes, before time is spent."""
        if stage == "fit" and not prototype_encoders(pl_module):
            raise InputError("PrototypeWatch needs a network with a PrototypeEncoder; leave the callback out")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget what was counted before."""
        for encoder in prototype_encoders(pl_module).values():
            encoder.take_usage()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the figures."""
        encoders = prototype_encoders(pl_module)
        for path, encoder in encoders.items():
            usage = trainer.strategy.reduce(encoder.take_usage(), reduce_op="sum")
            health = encoder.health(usage)
            name = "prototypes" if len(encoders) == 1 else f"prototypes/{path}"
            figures = {f"{name}/{figure}": value for figure, value in health.figures().items()}
            # The same on every rank; sync_dist only tells Lightning so.
            pl_module.log_dict(figures, sync_dist=True)
            self._dead[path] = f"{health.dead} of {encoder.num_prototypes}" if health.dead else ""

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Warn of dead prototypes."""
        for path, dead in self._dead.items():
            if dead and trainer.is_global_zero:
                log.warning(
                    "%s prototypes of %s are hardly used; fewer prototypes, k-means starts or a usage loss may help",
                    dead,
                    path or "the network",
                )


def prototype_encoders(pl_module: LightningModule) -> dict[str, PrototypeEncoder]:
    """Return the prototype encoders of a task's network by path, "" for the network itself.

    Example:
        >>> from lightning.pytorch import LightningModule
        >>> prototype_encoders(LightningModule())
        {}
    """
    network = getattr(pl_module, "network", pl_module)
    return {path: module for path, module in network.named_modules() if isinstance(module, PrototypeEncoder)}
