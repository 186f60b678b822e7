"""End a run whose loss is no longer a number, and say where it happened."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from ..errors import RunError

__all__ = ["FiniteLoss"]


class FiniteLoss(Callback):
    """Fail the run as soon as a training loss is NaN or infinite, naming the first layer that is not finite.

    Left alone, a Lightning run with a NaN loss goes on and ends as finished, with NaN weights.

    Args:
        every_n_steps: How often to look. On an accelerator each look waits for the device, so 1 on the CPU and
            a larger number there; None chooses 1 on the CPU and 10 elsewhere. Nothing escapes: a NaN weight
            keeps every later loss NaN, and the last batch of an epoch is always looked at.

    Raises:
        RunError: When the loss is not finite.

    Example:
        >>> FiniteLoss(every_n_steps=5).every_n_steps
        5
    """

    def __init__(self, every_n_steps: int | None = None) -> None:
        self.every_n_steps = every_n_steps

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check the loss of the batch that just ended."""
        interval = self.every_n_steps or (1 if pl_module.device.type == "cpu" else 10)
        if (batch_idx + 1) % interval and not trainer.is_last_batch:
            return
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        if loss is None or bool(torch.isfinite(loss).all()):
            return
        where = f"epoch {trainer.current_epoch}, batch {batch_idx}"
        raise RunError(f"the training loss is {float(loss)} in {where}; {describe_non_finite(pl_module, batch)}")


def describe_non_finite(module: LightningModule, batch: Any) -> str:
    """Run one batch again and say which input, parameter or layer output is the first that is not finite."""
    x = batch[0] if isinstance(batch, (list, tuple)) else batch
    if isinstance(x, Tensor) and not bool(torch.isfinite(x).all()):
        return "the input batch already holds values that are not finite"
    bad = [name for name, value in module.named_parameters() if not bool(torch.isfinite(value).all())]
    with torch.no_grad(), _first_non_finite_output(module) as found:
        module(x)
    if found:
        layer = f"the first layer whose output is not finite is '{found[0]}'"
    else:
        layer = "every layer's output is finite for that batch now, so the loss itself overflowed"
    return f"{layer}; parameters that are not finite: {', '.join(bad)}" if bad else layer


@contextmanager
def _first_non_finite_output(module: nn.Module) -> Iterator[list[str]]:
    found: list[str] = []

    def watch(name: str, layer: nn.Module) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if not found and isinstance(output, Tensor) and not bool(torch.isfinite(output).all()):
                found.append(f"{name} ({type(layer).__name__})")

        return layer.register_forward_hook(hook)

    # leaves only: a container's output is its last leaf's
    leaves = [(name, layer) for name, layer in module.named_modules() if name and not any(layer.children())]
    handles = [watch(name, layer) for name, layer in leaves]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
