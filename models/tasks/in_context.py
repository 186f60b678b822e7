"""In-context learning: sequences of exemplars and labels whose query only the context can name.

Legend of shapes: B sequences of an update, E exemplars, C classes, F features, O labels, K updates of a step.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MetricCollection

from ...errors import InputError
from ...metrics.in_context import LEARNED_BELOW
from .task import NetworkFactory, OptimizerFactory, Task

__all__ = ["InContextTask"]


class InContextTask(Task):
    """Train a network to name the label of a query from the exemplar-label pairs before it.

    The loss is the cross-entropy at the query. Batches are (exemplars, labels, target); exemplars are features, or
    class numbers, whose features come from the data module: `train_features` in training, `features` in evaluation.
    Each validation loader is an evaluator of its own; the data module names them. Logged: ``train/loss``,
    ``val/loss/NAME``, ``val/accuracy/NAME``, ``sequences`` (trained on so far, on all devices together) and ``learned``
    (`sequences` at the first evaluation at which the loss of the first evaluator lies below `learned_below`; NaN
    before).

    With ``updates_per_step=K`` a step takes the sequences of K updates and makes them one after another, each with its
    gradient, optimizer step and own place in a stimulation protocol; this saves the loop around a step, which costs as
    much as the update of a network this small. Steps of the trainer are updates either way.

    Args:
        network: Network class; called with (in_features, out_features), then with exemplars, labels and features.
        in_features: Features F of an exemplar; linked to the data on the command line.
        num_classes: Labels O; linked to the data on the command line.
        optimizer: Optimizer class.
        updates_per_step: Updates K of a training step; more than 1 needs neither gradient clipping nor accumulation,
            which Lightning does not offer then.
        learned_below: Loss below which the network counts as having learned: 0.277 = 0.4 ln 2, as published.
        compile_network: Compile the network with `torch.compile`, for training; evaluation stays eager.

    Attributes:
        update_listeners: Objects whose ``on_update_start(batch)`` is called before every update, and
            ``on_update_end(loss)``, where they have it, after it.

    Raises:
        InputError: If there are fewer than two labels, or a number is not positive.

    Example:
        >>> from axonlight.models import AttentionOnlyTransformer, InContextTask
        >>> task = InContextTask(AttentionOnlyTransformer, in_features=512, num_classes=5)
        >>> task(torch.randn(4, 3, 512), torch.tensor([[0, 1]] * 4)).shape
        torch.Size([4, 5])
    """

    monitor = "val/loss/train"
    _train_features: Tensor | None
    _features: Tensor | None

    def __init__(
        self,
        network: NetworkFactory,
        in_features: int,
        num_classes: int = 5,
        optimizer: OptimizerFactory = torch.optim.Adam,
        updates_per_step: int = 1,
        learned_below: float = LEARNED_BELOW,
        compile_network: bool = False,
    ) -> None:
        arguments = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        if num_classes is None or num_classes < 2:  # None: what a data module without the attribute gives
            raise InputError(f"num_classes of the data is {num_classes}; two labels or more can be told apart")
        if updates_per_step < 1:
            raise InputError(f"updates_per_step is {updates_per_step}; it must be a positive integer")
        if not learned_below > 0:
            raise InputError(f"learned_below is {learned_below}; it must be a positive loss")
        super().__init__(
            network=network,
            in_features=in_features,
            out_features=num_classes,
            feature_names=None,
            hierarchy=None,
            optimizer=optimizer,
            scheduler=None,
            scheduler_interval="epoch",
            activation_lr=None,
            compile_network=compile_network,
        )
        self.updates_per_step = updates_per_step
        self.automatic_optimization = updates_per_step == 1
        self.learned_below = learned_below
        self.update_listeners: list[Any] = []
        self.sequences, self.learned = 0, math.nan
        self.evaluators: Sequence[str] = ()
        self._sums: dict[int, Tensor] = {}
        # They belong to the data, which every run reads again.
        self.register_buffer("_train_features", None, persistent=False)
        self.register_buffer("_features", None, persistent=False)
        self.keep_hyperparameters(arguments)

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Return the cross-entropy of logits (B, O) and labels (B,)."""
        return F.cross_entropy(outputs, target)

    def predictions(self, outputs: Tensor) -> Tensor:
        """Return probabilities (B, O)."""
        return outputs.float().softmax(dim=-1)

    def metrics(self) -> MetricCollection:
        """Return none: the evaluators' losses and accuracies are sums."""
        return MetricCollection({})

    @property
    def logged_metrics(self) -> frozenset[str]:
        """Names of all that is logged while it trains; the evaluators are those of the data."""
        evaluated = {f"val/{what}/{name}" for what in ("loss", "accuracy") for name in self.evaluators}
        return frozenset({"train/loss", "sequences", "learned", *evaluated})

    def setup(self, stage: str) -> None:
        """Take the features and the evaluators' names from the data; compile the network."""
        super().setup(stage)
        data = getattr(self.trainer, "datamodule", None)
        features = getattr(data, "features", None)
        self._features = features
        self._train_features = getattr(data, "train_features", features)
        self.evaluators = getattr(data, "evaluators", ())

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, exemplars: Tensor, labels: Tensor
    ) -> Tensor:
        """Map exemplars (B, E, F) or class numbers (B, E), and labels (B, E - 1), to logits (B, O)."""
        features = None if exemplars.is_floating_point() else self._features
        return self.network(exemplars, labels, features)

    def network_inputs(self, batch: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the part of a batch that the forward pass sees."""
        return batch[0], batch[1]

    def stimulation_batch(self, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return a batch by the names that opsins ask for."""
        return dict(zip(("exemplars", "labels", "target"), batch, strict=False))

    # Training --------------------------------------------------------------------------------------------------

    def training_step(self, batch: Sequence[Tensor], batch_idx: int) -> Tensor:
        """Make one update, or K of them; return the loss of the last."""
        if self.updates_per_step == 1:
            loss = self._loss_of_update(batch)
            self._announce_end(loss.detach())
            self._count([loss.detach()], len(batch[2]))
            return loss
        optimizer: Any = self.optimizers()
        losses = []
        for update in self._updates(batch):
            loss = self._loss_of_update(update)
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            losses.append(loss.detach())
            self._announce_end(losses[-1])
        self._count(losses, len(batch[2]))
        return losses[-1]

    def _updates(self, batch: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
        rows, number = len(batch[2]), self.updates_per_step
        if rows % number:
            raise InputError(f"updates_per_step is {number}, which cannot split a batch of {rows} sequences evenly")
        return zip(*(tensor.split(rows // number) for tensor in batch), strict=True)

    def _loss_of_update(self, update: Sequence[Tensor]) -> Tensor:
        for listener in self.update_listeners:
            listener.on_update_start(update)
        exemplars, labels, target = update
        features = None if exemplars.is_floating_point() else self._train_features
        return self.loss(self.network(exemplars, labels, features), target)

    def _count(self, losses: list[Tensor], rows: int) -> None:
        """Add the losses of a step's updates, and its sequences, to the running sums."""
        self._loss_sum = self._loss_sum.to(losses[0].device) + torch.stack(losses).mean() * rows
        self._loss_rows += rows
        self.sequences += rows * self.trainer.world_size

    def _announce_end(self, loss: Tensor) -> None:
        for listener in self.update_listeners:
            if ended := getattr(listener, "on_update_end", None):
                ended(loss)

    # Evaluation ------------------------------------------------------------------------------------------------

    def validation_step(self, batch: Sequence[Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        """Add a batch to the sums of its evaluator."""
        self._evaluate_on(batch, dataloader_idx)

    def test_step(self, batch: Sequence[Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        """Add a batch to the sums of its evaluator."""
        self._evaluate_on(batch, dataloader_idx)

    def predict_step(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, batch: Sequence[Tensor], batch_idx: int, dataloader_idx: int = 0
    ) -> Tensor:
        """Return probabilities (B, O)."""
        return self.predictions(self(*self.network_inputs(batch)))

    def on_validation_epoch_end(self) -> None:
        """Log losses and accuracies, how many sequences were trained on, and when the network had learned."""
        losses = self._log_sums("val")
        if self.trainer.sanity_checking or not losses:
            return
        if math.isnan(self.learned) and losses[0] < self.learned_below:
            self.learned = float(self.sequences)
        if self.trainer.state.fn == "fit":
            counts = {"sequences": float(self.sequences), "learned": self.learned}
            # Lightning counts training steps; the curve's axis is updates
            self.log_dict({**counts, "step": float(self.trainer.global_step)}, sync_dist=True)

    def on_test_epoch_end(self) -> None:
        """Log losses and accuracies."""
        self._log_sums("test")

    def _evaluate_on(self, batch: Sequence[Tensor], evaluator: int) -> None:
        # Another batch size would be traced again, for seconds.
        with torch.compiler.set_stance("force_eager"):
            outputs = self(*self.network_inputs(batch))
        target = batch[2]
        hits = (outputs.argmax(-1) == target).sum()
        values = torch.stack(
            [self.loss(outputs, target).double() * len(target), hits.double(), hits.new_tensor(len(target)).double()]
        )
        self._sums[evaluator] = self._sums.get(evaluator, 0) + values

    def _log_sums(self, prefix: str) -> list[float]:
        losses = []
        for number in sorted(self._sums):
            total = self.trainer.strategy.reduce(self._sums[number], reduce_op="sum")
            name = self.evaluators[number] if number < len(self.evaluators) else str(number)
            loss, accuracy = (total[:2] / total[2]).float()
            losses.append(float(loss))
            self.log_dict({f"{prefix}/loss/{name}": loss, f"{prefix}/accuracy/{name}": accuracy}, sync_dist=True)
        self._sums = {}
        return losses

    # Checkpoints -----------------------------------------------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the counts of sequences."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["in_context"] = {"sequences": self.sequences, "learned": self.learned}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the counts again."""
        super().on_load_checkpoint(checkpoint)
        counts = checkpoint.get("in_context", {"sequences": 0, "learned": math.nan})
        self.sequences, self.learned = counts["sequences"], counts["learned"]
