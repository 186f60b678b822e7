"""The optimizer rule "freeze": what light deprives of its gradient stays as it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

__all__ = ["Freezer"]

# State that is not 0 where nothing has happened yet.
_STARTS_ELSEWHERE = ("step_size", "sum")


@dataclass
class _Kept:
    parameter: Tensor
    still: Tensor
    value: Tensor
    state: dict[str, Tensor]


class Freezer:
    """Keeps parameters as they are, element by element, in one update.

    `hold` is called when the gradients of an update are complete (accumulated, reduced over ranks, unscaled) and before
    the optimizer acts; it notes the elements of every parameter whose gradient is exactly 0. `release` is called after
    the optimizer has acted and puts back, for those elements, the value and every element of the optimizer's state that
    belongs to them (momenta, second moments): neither momentum nor weight decay moves them, and when the light is off
    they go on from where they were. What the optimizer counts per parameter, the number of updates, goes on.

    Which zero is the light's doing cannot be told from the gradient: in an update under light, an element whose
    gradient is 0 for another reason (a dead rectified unit, an embedding that the batch does not use) is kept, too.
    A stimulus on some samples only leaves gradients that are not 0, and keeps nothing.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(2))
        >>> optimizer = torch.optim.AdamW([weight], lr=0.1, weight_decay=0.5)
        >>> weight.grad = torch.tensor([1.0, 0.0])
        >>> freezer = Freezer()
        >>> freezer.hold(optimizer)
        >>> optimizer.step()
        >>> freezer.release(optimizer)
        >>> weight[1].item(), optimizer.state[weight]["exp_avg"][1].item()
        (1.0, 0.0)
    """

    def __init__(self) -> None:
        self._kept: list[_Kept] = []

    def hold(self, optimizer: Optimizer) -> None:
        """Note what must not move."""
        self._kept = []
        for parameter in _parameters(optimizer):
            if parameter.grad is None or parameter.grad.is_sparse:
                continue
            state = optimizer.state.get(parameter, {})
            self._kept.append(
                _Kept(
                    parameter,
                    _local(parameter.grad) == 0,
                    _local(parameter).detach().clone(),
                    {name: _local(value).clone() for name, value in state.items() if _belongs(name, value, parameter)},
                )
            )

    @torch.no_grad()
    def release(self, optimizer: Optimizer) -> None:
        """Put back what must not have moved."""
        for kept in self._kept:
            value = _local(kept.parameter)
            value.copy_(torch.where(kept.still, kept.value, value))
            for name, now in optimizer.state.get(kept.parameter, {}).items():
                if not _belongs(name, now, kept.parameter):
                    continue
                now = _local(now)
                if name in kept.state:
                    now.copy_(torch.where(kept.still, kept.state[name], now))
                elif name not in _STARTS_ELSEWHERE:
                    now.masked_fill_(kept.still, 0.0)
        self._kept = []


def _parameters(optimizer: Optimizer) -> Iterable[Tensor]:
    return (parameter for group in optimizer.param_groups for parameter in group["params"])


def _belongs(name: str, value: Any, parameter: Tensor) -> bool:
    """Return whether a piece of state has one element for each of the parameter."""
    return isinstance(value, Tensor) and value.shape == parameter.shape and name != "step"


def _local(value: Tensor) -> Tensor:
    """Return the part of a sharded tensor that is here, as a view."""
    found = value.detach()
    return found.to_local() if hasattr(found, "to_local") else found  # type: ignore[attr-defined]
