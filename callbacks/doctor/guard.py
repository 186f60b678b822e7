"""Keep an update that is no number out of the weights, and say where it came from."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer

from ...errors import RunError
from ...models import Task
from ...models.tasks.non_finite import describe_non_finite
from .buffers import Buffers

__all__ = ["StepGuard", "gradients_of", "holds_non_finite"]

log = logging.getLogger(__name__)


def gradients_of(optimizer: Optimizer) -> list[Tensor]:
    """Return the gradients that an optimizer is about to use.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(2))
        >>> (3 * weight).sum().backward()
        >>> gradients_of(torch.optim.SGD([weight], lr=0.1))[0].tolist()
        [3.0, 3.0]
    """
    gradients = [value.grad for group in optimizer.param_groups for value in group["params"] if value.grad is not None]
    return [gradient._values() if gradient.is_sparse else gradient for gradient in gradients]


class StepGuard:
    """Looks at losses and gradients of every update before the optimizer does.

    An update that is left out leaves weights, optimizer state, running statistics of layers and the running loss of the
    task as they were before its first micro-batch; it counts as a step. All ranks decide together.

    Args:
        skip: Whether to leave the update out; else the run fails.
        max_in_a_row: Number of updates left out in a row at which the run fails.

    Attributes:
        left_out: What was left out: step and reason.
    """

    def __init__(self, skip: bool, max_in_a_row: int) -> None:
        self.skip, self.max_in_a_row = skip, max_in_a_row
        self.left_out: list[tuple[int, str]] = []
        self._in_a_row = 0
        self._step: int | None = None
        self._losses: list[Tensor] = []
        self._batches: list[Any] = []
        self._running_loss: tuple[Tensor, int] | None = None
        self._buffers = Buffers()

    def begin(self, trainer: Trainer, module: LightningModule, batch: Any) -> None:
        """Note what a micro-batch may spoil."""
        if self._step != trainer.global_step or not self._batches:
            self._step, self._losses, self._batches = trainer.global_step, [], []
            self._buffers.save(module)
            self._running_loss = module.running_loss if isinstance(module, Task) else None
        self._batches.append(batch)

    def note(self, loss: Tensor) -> None:
        """Note the loss of a micro-batch; nothing waits for it."""
        self._losses.append(loss.detach())

    def decide(self, trainer: Trainer, module: LightningModule, optimizer: Optimizer) -> None:
        """Leave the update out if it is no number.

        Raises:
            RunError: If it is, and nothing may be left out or too much was.
        """
        scaled = getattr(trainer.precision_plugin, "scaler", None) is not None
        # too large a scale is the scaler's own affair: it leaves the step out and takes a smaller one
        looked_at = self._losses if scaled else [*self._losses, *gradients_of(optimizer)]
        if _anywhere(trainer, bool(holds_non_finite(looked_at))):
            finite = [bool(torch.isfinite(loss).all()) for loss in self._losses]
            self._leave_out(trainer, module, optimizer, finite, scaled)
        else:
            self._in_a_row = 0
        self._batches = []

    def _leave_out(
        self, trainer: Trainer, module: LightningModule, optimizer: Optimizer, finite: list[bool], scaled: bool
    ) -> None:
        self._buffers.restore()
        reason = self._reason(trainer, module, finite)
        self._buffers.restore()  # to find the reason, the batch was run once more
        if not self.skip:
            raise RunError(f"step {trainer.global_step}: {reason}")
        self.left_out.append((trainer.global_step, reason))
        self._in_a_row += 1
        log.warning("step %d is left out: %s", trainer.global_step, reason)
        if self._in_a_row >= self.max_in_a_row:
            raise RunError(f"{self._in_a_row} steps in a row had to be left out; the last one because {reason}")
        if isinstance(module, Task) and self._running_loss is not None:
            module.running_loss = self._running_loss
        _empty(optimizer, scaled)

    def _reason(self, trainer: Trainer, module: LightningModule, finite: list[bool]) -> str:
        if all(finite):
            bad = [
                name
                for name, value in module.named_parameters()
                if value.grad is not None and not bool(torch.isfinite(value.grad).all())
            ]
            if not bad:
                return "another process met a loss or gradient that is not finite"
            where = f"from '{bad[-1]}' back to the input"
            if trainer.world_size > 1:
                return f"the loss of this process is finite, but gradients, those of all processes, are not, {where}"
            return f"the loss is finite, but gradients are not, {where}"
        batch = self._batches[finite.index(False)]
        # Alone, the batch is run as it was; among several ranks a layer may wait for the others in training mode.
        training = module.training
        with torch.random.fork_rng(), trainer.precision_plugin.forward_context():
            if trainer.world_size > 1:
                module.eval()
            try:
                return f"the loss is not finite; {describe_non_finite(module, batch)}"
            finally:
                module.train(training)


def holds_non_finite(values: Sequence[Tensor]) -> Tensor:
    """Return, on the device, whether any value is NaN or infinite.

    One call for all that are alike, as the scaler of mixed precision makes it: a tenth of the time that a norm takes.
    It multiplies them by 1.

    Example:
        >>> bool(holds_non_finite([torch.ones(3), torch.tensor(torch.inf)]))
        True
    """
    groups: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
    for value in values:
        groups.setdefault((value.device, value.dtype), []).append(value)
    found = [_check(alike) for alike in groups.values()] or [torch.zeros(1)]
    return found[0] if len(found) == 1 else torch.stack([each.to(found[0].device) for each in found]).amax()


def _check(values: list[Tensor]) -> Tensor:
    found, one = torch.zeros(2, 1, device=values[0].device)
    torch._amp_foreach_non_finite_check_and_unscale_(values, found, one.fill_(1))  # pyright: ignore[reportPrivateImportUsage]
    return found


def _anywhere(trainer: Trainer, bad: bool) -> bool:
    return bad if trainer.world_size == 1 else trainer.strategy.reduce_boolean_decision(bad, all=False)


def _empty(optimizer: Optimizer, scaled: bool) -> None:
    """Take the gradients away: optimizers pass over what has none, moments and decay included."""
    # A fused optimizer unscales by itself, and the scaler insists on gradients to look at: it shall find NaN.
    kept = scaled and getattr(optimizer, "_step_supports_amp_scaling", False)
    for group in optimizer.param_groups:
        for value in group["params"]:
            if value.grad is not None and kept:
                value.grad.fill_(torch.nan)
            elif value.grad is not None:
                value.grad = None
