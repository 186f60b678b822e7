"""Optimizer groups, and the rule that every trainable parameter is in exactly one of them and learns."""

from collections.abc import Iterable
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from ...activations import activation_parameters
from ...errors import InputError, RunError

__all__ = ["check_batch", "check_gradients", "check_groups", "parameter_groups"]


def parameter_groups(
    module: nn.Module, activation_lr: float | None = None, activations: Iterable[nn.Parameter] | None = None
) -> list[dict[str, Any]]:
    """Split trainable parameters into weights, and activation parameters without weight decay.

    Decay pulls a threshold or a slope towards zero, which is a value like any other for them.

    Args:
        module: The network.
        activation_lr: Learning rate of the activation parameters; None keeps the optimizer's.
        activations: The activation parameters; None finds them.
    """
    own = {id(parameter) for parameter in (activation_parameters(module) if activations is None else activations)}
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    weights = [parameter for parameter in trainable if id(parameter) not in own]
    gates = [parameter for parameter in trainable if id(parameter) in own]
    groups: list[dict[str, Any]] = [{"params": weights}] if weights else []
    if gates:
        group: dict[str, Any] = {"params": gates, "weight_decay": 0.0}
        groups.append(group if activation_lr is None else {**group, "lr": activation_lr})
    return groups


def check_groups(module: nn.Module, optimizers: Iterable[Optimizer]) -> None:
    """Check that every trainable parameter of `module` is in exactly one optimizer group.

    Raises:
        RunError: Naming the parameters that are in none or in several.
    """
    count: dict[int, int] = {}
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                count[id(parameter)] = count.get(id(parameter), 0) + 1
    trainable = [(name, id(parameter)) for name, parameter in module.named_parameters() if parameter.requires_grad]
    missing = [name for name, key in trainable if key not in count]
    repeated = [name for name, key in trainable if count.get(key, 0) > 1]
    if missing:
        raise RunError(
            f"trainable parameters in no optimizer group: {', '.join(missing)}; create parameters in the constructor "
            "and give all of them to the optimizer"
        )
    if repeated:
        raise RunError(f"trainable parameters in several optimizer groups: {', '.join(repeated)}; each belongs in one")


def check_batch(module: nn.Module, rows: int) -> None:
    """Check that a training batch has as many rows as the network needs.

    Raises:
        InputError: If there is one row and the network normalises by the batch.
    """
    if rows == 1 and any(isinstance(part, _BatchNorm) for part in module.modules()):
        raise InputError(
            "a training batch of this process holds one row, and batch normalisation needs two or more; take another "
            "data.batch_size, or leave out a smaller last batch by data.drop_last=true"
        )


def check_gradients(module: nn.Module, learned: set[str], steps: int) -> None:
    """Check that every trainable parameter received a gradient in the first steps.

    Args:
        module: The network.
        learned: Names of the parameters that received one.
        steps: How many steps were watched.

    Raises:
        RunError: Naming the parameters that received none.
    """
    silent = [name for name, parameter in module.named_parameters() if parameter.requires_grad and name not in learned]
    if silent:
        raise RunError(
            f"trainable parameters without a gradient in the first {steps} steps: {', '.join(silent)}; "
            "use them in forward or set requires_grad to False"
        )
