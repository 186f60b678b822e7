"""Say where a network first puts out what is no number."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import shown

__all__ = ["describe_non_finite", "loss_failure"]


def loss_failure(loss: float, epoch: int, batch_idx: int, module: nn.Module, batch: Any) -> str:
    """Return the sentence with which a run ends whose training loss is no longer a number."""
    return f"the training loss is {loss} in epoch {epoch}, batch {batch_idx}; {describe_non_finite(module, batch)}"


def describe_non_finite(module: nn.Module, batch: Any) -> str:
    """Run one batch again and say which input, parameter or layer output is the first that is not finite."""
    x = batch[0] if isinstance(batch, (list, tuple)) else batch
    if isinstance(x, Tensor) and not bool(torch.isfinite(x).all()):
        return "the input batch already holds values that are not finite"
    bad = [name for name, value in module.named_parameters() if not bool(torch.isfinite(value).all())]
    with torch.no_grad(), _first_non_finite_output(module) as found:
        module(*_inputs_of(module, batch, x))
    if found:
        layer = f"the first layer whose output is not finite is '{found[0]}'"
    else:
        layer = "every layer's output is finite for that batch now, so the loss itself overflowed"
    if not bad:
        return layer
    count = "1 parameter is" if len(bad) == 1 else f"{len(bad)} parameters are"
    return f"{layer}; {count} not finite ({shown(bad)})"


def _inputs_of(module: nn.Module, batch: Any, x: Any) -> tuple[Any, ...]:
    """Return what the module is called with: what it says itself, else the first part of the batch."""
    own: Any = getattr(module, "network_inputs", None)
    return (x,) if own is None else own(batch)


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
