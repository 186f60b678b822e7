"""Survival: when does the event happen, told from patients of whom many are censored.

Shapes: B batch, T time bins.
"""

from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torchmetrics import MetricCollection

from ...errors import InputError
from ...metrics.survival import ConcordanceIndex, UnoConcordance
from ...structures import Hierarchy
from ..head_outputs import HeadOutputs
from ..losses import cox_loss, deephit_loss, discrete_time_nll, mtlr_loss, ranking_loss, survival_curve
from .survival_data import breslow_hazard, check_risk, equal_event_bins, training_targets
from .task import NetworkFactory, OptimizerFactory, SchedulerFactory, Task

__all__ = ["SurvivalLoss", "SurvivalTask"]

SurvivalLoss = Literal["discrete", "cox", "deephit", "mtlr"]


class SurvivalTask(Task):
    """Train a network to rank patients by how early the event comes, and to give their survival curves.

    Targets are (B, 2): time and event (1 happened, 0 censored). Time bins are the quantiles of the times of the events
    among the training rows of the data, found before the first step and kept in the checkpoint: T bins share these
    events out evenly, the last has no end. The network has T outputs, or one for Cox. Predictions are the risk, higher
    for an earlier event: -sum_j S_j over the bins, as published, or the log hazard of Cox. Metrics: Harrell's C and,
    where the training rows are known, Uno's; NaN without a comparable pair. Losses: see `axonlight.models.losses`.

    Args:
        network: Network class; called with (in_features, T or 1).
        in_features: Width of the input; linked to the data on the command line.
        feature_names: Names of the features; given to a network that declares them, kept in the checkpoint.
        hierarchy: What is known about the features; given to a network that declares it, kept in the checkpoint.
        patch_features: Width of a patch of whole slides; given to a network that declares it.
        clinical_features: Number of clinical columns; given to a network that declares it.
        loss: "discrete" (hazards of bins), "cox", "deephit" or "mtlr".
        num_bins: T.
        bin_ends: (T,) ends of the bins, of which the last is only the last time of survival curves; None: from the
            training rows.
        alpha: Discrete hazards: additional weight of events (0.5 as published; 0 is the likelihood). DeepHit: weight of
            the likelihood against its ranking.
        ranking: Weight of `ranking_loss`, which is added.
        ties: How Cox treats equal times: "efron" or "breslow".
        optimizer: Optimizer class; activation parameters form a group of their own without weight decay.
        scheduler: Learning-rate scheduler class, or None.
        scheduler_interval: Whether the scheduler steps once an epoch or once a batch.
        activation_lr: Learning rate of the activation parameters; None keeps the optimizer's.
        compile_network: Compile the network with `torch.compile`.

    Raises:
        InputError: If a setting is out of range; in `setup`, if the training rows are not known or have fewer different
            times of events than bins; while it scores, if a risk is NaN, by the patient's name.

    Example:
        >>> from axonlight.models import DenseNetwork, SurvivalTask
        >>> task = SurvivalTask(DenseNetwork, in_features=30, bin_ends=[12.0, 24.0, 60.0])
        >>> outputs = task(torch.zeros(4, 30))
        >>> outputs.shape, task.time_bin(torch.tensor([3.0, 12.0, 99.0])).tolist()
        (torch.Size([4, 3]), [0, 1, 2])
    """

    bin_ends: Tensor
    baseline_hazard: Tensor

    def __init__(
        self,
        network: NetworkFactory,
        in_features: int,
        feature_names: list[str] | None = None,
        hierarchy: Hierarchy | None = None,
        patch_features: int = 0,
        clinical_features: int = 0,
        loss: SurvivalLoss = "discrete",
        num_bins: int = 4,
        bin_ends: list[float] | None = None,
        alpha: float = 0.5,
        ranking: float = 0.0,
        ties: Literal["efron", "breslow"] = "efron",
        optimizer: OptimizerFactory = torch.optim.Adam,
        scheduler: SchedulerFactory | None = None,
        scheduler_interval: Literal["epoch", "step"] = "epoch",
        activation_lr: float | None = None,
        compile_network: bool = False,
    ) -> None:
        arguments = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        _check(loss, alpha, ranking, ties)
        self.form: SurvivalLoss = loss
        self.num_bins = num_bins if bin_ends is None else len(bin_ends)
        if self.num_bins < (1 if loss == "cox" else 2):
            raise InputError(f"num_bins is {self.num_bins}; it must be at least 2")
        super().__init__(
            network=network,
            in_features=in_features,
            out_features=1 if loss == "cox" else self.num_bins,
            feature_names=feature_names,
            hierarchy=hierarchy,
            optimizer=optimizer,
            scheduler=scheduler,
            scheduler_interval=scheduler_interval,
            activation_lr=activation_lr,
            compile_network=compile_network,
            modality_sizes={"patch_features": patch_features, "clinical_features": clinical_features},
        )
        self.alpha, self.ranking = alpha, ranking
        self.ties: Literal["efron", "breslow"] = ties
        self._bins_are_given = bin_ends is not None
        unknown = torch.full((self.num_bins,), torch.nan)
        self.register_buffer("bin_ends", unknown if bin_ends is None else _ascending(bin_ends))
        self.register_buffer("baseline_hazard", unknown.clone())
        self._bins_are_known = self._bins_are_given
        self.register_load_state_dict_post_hook(_note_bins)
        self._rows_scored = 0
        self.keep_hyperparameters(arguments)

    # What it says about outputs --------------------------------------------------------------------------------

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Return the loss of outputs (B, T), or (B, 1) for Cox, and targets (B, 2)."""
        time, event = target.unbind(dim=-1)
        if self.form == "cox":
            found = cox_loss(outputs, time, event, self.ties)
        elif self.form == "discrete":
            found = discrete_time_nll(outputs, self.time_bin(time), event, self.alpha)
        elif self.form == "deephit":
            found = deephit_loss(outputs, self.time_bin(time), event, self.alpha)
        else:
            found = mtlr_loss(outputs, self.time_bin(time), event)
        if self.ranking:
            found = found + self.ranking * ranking_loss(self.predictions(outputs), time, event)
        return found

    def predictions(self, outputs: Tensor) -> Tensor:
        """Return the risk (B,), higher for an earlier event."""
        if self.form == "cox":
            return outputs.squeeze(-1).float()
        return -survival_curve(outputs, self.form).sum(dim=-1).float()

    def survival(self, outputs: Tensor | HeadOutputs) -> Tensor:
        """Return the probability (B, T) of being without the event at each of `bin_ends`.

        For Cox that is exp(-H_0 exp(log hazard)) with Breslow's H_0 of the training rows, which `predict` finds; NaN
        where it has not.
        """
        if isinstance(outputs, HeadOutputs):
            curves = torch.stack([self.survival(head) for head in outputs.outputs])
            return torch.tensordot(outputs.prediction_weights.to(curves.dtype), curves, dims=1)
        if self.form == "cox":
            return torch.exp(-self.baseline_hazard * torch.exp(outputs.float()))
        return survival_curve(outputs, self.form).float()

    def time_bin(self, time: Tensor) -> Tensor:
        """Return the bin, 0 to T - 1, of times of any shape; a bin begins where the one before ends.

        Raises:
            InputError: If the bins are not known yet.
        """
        if not self._bins_are_known:
            raise InputError("the time bins are not known before the data are; give bin_ends, or train with a trainer")
        return torch.bucketize(time.contiguous(), self.bin_ends[:-1].to(time), right=True)

    @property
    def prediction_names(self) -> list[str]:
        """Names of the columns of `predict_step`."""
        return ["risk", *(f"survival_at_{float(end):g}" for end in self.bin_ends)]

    def metrics(self) -> MetricCollection:
        """Return the metrics of one split."""
        metrics = {"c_index": ConcordanceIndex(), "uno_c_index": UnoConcordance()}
        return MetricCollection(metrics, compute_groups=False)  # pyright: ignore[reportArgumentType]

    # What it takes from the data -------------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        """Look at the data, and refuse batches that cannot teach anything.

        Raises:
            InputError: If Cox's loss, whose pairs are those of a batch, would see one patient at a time; as `use_data`.
        """
        super().setup(stage)
        size = getattr(getattr(self.trainer, "datamodule", None), "batch_size", None)
        if stage == "fit" and self.form == "cox" and size is not None and size // self.trainer.world_size <= 1:
            raise InputError(
                f"loss is 'cox', which compares the patients of a batch on a device, but batch_size is {size} for "
                f"{self.trainer.world_size} device{'s' * (self.trainer.world_size > 1)}; take a larger one, or another "
                "loss"
            )

    def use_data(self, data: Any) -> None:
        """Find the time bins and the weights of Uno's C among the training rows.

        Raises:
            InputError: If the training rows are not known or do not suffice.
        """
        target = training_targets(data)
        for metrics in (self.val_metrics, self.test_metrics):
            _fit_weights(metrics, target)
        if self._bins_are_known:
            return
        if target is None:
            raise InputError(
                "the data module does not tell the targets of the training rows (survival_targets('train')), which the "
                "time bins come from; give bin_ends"
            )
        self.bin_ends = equal_event_bins(target, self.num_bins).to(self.bin_ends)
        self._bins_are_known = True

    def set_baseline(self, log_hazard: Tensor, target: Tensor) -> None:
        """Find Cox's baseline hazard at `bin_ends` (Breslow).

        Args:
            log_hazard: (N,) of the training rows.
            target: (N, 2) time and event.
        """
        self.baseline_hazard = breslow_hazard(log_hazard, target, self.bin_ends.to(target)).to(self.bin_ends)

    # Steps -----------------------------------------------------------------------------------------------------

    def on_predict_start(self) -> None:
        """Find Cox's baseline hazard, if the data tell the training rows."""
        if self.form == "cox" and getattr(self.trainer, "datamodule", None) is not None:
            data: Any = self.trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
            batches = map(self.trainer.strategy.batch_to_device, data.train_dataloader())
            rows = [(self.total_predictions(self(x)), target) for x, target in batches]
            self.set_baseline(*(torch.cat(parts) for parts in zip(*rows, strict=True)))

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Return risk and survival curve (B, 1 + T) of a batch of inputs, or of inputs and targets."""
        outputs = self(batch[0] if _has_target(batch) else batch)
        return torch.cat([self.total_predictions(outputs).unsqueeze(-1), self.survival(outputs)], dim=-1)

    def on_validation_epoch_start(self) -> None:
        """Begin to count the rows of the split."""
        self._rows_scored = 0

    def on_test_epoch_start(self) -> None:
        """Begin to count the rows of the split."""
        self._rows_scored = 0

    def validation_step(self, batch: tuple[Any, Tensor], batch_idx: int) -> None:
        """Update the validation loss and metrics."""
        self._score("validation", batch, self.val_metrics, self.val_loss)

    def test_step(self, batch: tuple[Any, Tensor], batch_idx: int) -> None:
        """Update the test loss and metrics."""
        self._score("test", batch, self.test_metrics, self.test_loss)

    def _score(self, part: str, batch: tuple[Any, Tensor], metrics: MetricCollection, mean_loss: Any) -> None:
        x, target = batch
        outputs = self(x)
        risk = self.total_predictions(outputs)
        check_risk(risk, self.trainer, part, self._rows_scored)
        self._rows_scored += len(target)
        mean_loss.update(self.total_loss(outputs, target), weight=len(target))
        metrics.update(risk, target)


def _check(loss: str, alpha: float, ranking: float, ties: str) -> None:
    for key, value, known in (("loss", loss, get_args(SurvivalLoss)), ("ties", ties, ("efron", "breslow"))):
        if value not in known:
            raise InputError(f"{key} is '{value}'; it must be one of {', '.join(known)}")
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha is {alpha}; it must be from 0 to 1")
    if not 0 <= ranking < float("inf"):
        raise InputError(f"ranking is {ranking}; it must be 0 or a positive weight")


def _ascending(ends: list[float]) -> Tensor:
    values = torch.tensor(ends, dtype=torch.float32)
    if not (values > 0).all() or not (values.diff() > 0).all() or not values.isfinite().all():
        raise InputError(f"bin_ends is {ends}; it must hold positive times in ascending order")
    return values


def _note_bins(task: "SurvivalTask", _: Any) -> None:
    task._bins_are_known = not bool(task.bin_ends.isnan().any())


def _fit_weights(metrics: MetricCollection, target: Tensor | None) -> None:
    """Give Uno's C its censoring weights, or leave it out."""
    for name, metric in list(metrics.items(keep_base=True)):
        if isinstance(metric, UnoConcordance):
            if target is None:
                del metrics[name]
            else:
                metric.fit(target)


def _has_target(batch: Any) -> bool:
    """Tell (inputs, target) from inputs alone, which may be a named tuple of several modalities."""
    return isinstance(batch, (list, tuple)) and not hasattr(batch, "_fields")
