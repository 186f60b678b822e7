"""Adam over stacks of parameters, one row for every run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import InputError

__all__ = ["AdamRule"]


@dataclass(frozen=True)
class AdamRule:
    """What an update does: Adam (Kingma and Ba 2015, arXiv 1412.6980), with decoupled weight decay where there is any.

    Update by update the same as `torch.optim.Adam`, or `torch.optim.AdamW` with weight decay.

    Args:
        learning_rate: Step size.
        betas: Decay of the two moments.
        eps: Added to the root of the second moment.
        weight_decay: Share of a parameter, times the learning rate, that every update takes away.

    Raises:
        InputError: If a value is out of range.

    Example:
        >>> rule = AdamRule(learning_rate=0.5)
        >>> value, first, second = (torch.full((1, 3), number) for number in (1.0, 0.0, 0.0))
        >>> rule.update(value, torch.ones(1, 3), first, second, rule.factors(1), None)
        >>> value
        tensor([[0.5000, 0.5000, 0.5000]])
    """

    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate is {self.learning_rate}; it must be positive")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise InputError(f"betas is {self.betas}; both must be at least 0 and below 1")
        if self.eps < 0 or self.weight_decay < 0:
            raise InputError(f"eps is {self.eps} and weight_decay is {self.weight_decay}; neither may be negative")

    def factors(self, update: int) -> Tensor:
        """Return what changes from update to update, counted from 1: a tensor, so that one graph serves them all.

        Returns:
            (3,) float64: the step size over the correction of the first moment, the root of that of the second one,
            and the share of a parameter that weight decay leaves.
        """
        first, second = (1 - beta**update for beta in self.betas)
        left = 1 - self.learning_rate * self.weight_decay
        return torch.tensor([self.learning_rate / first, math.sqrt(second), left], dtype=torch.float64)

    def update(
        self, value: Tensor, gradient: Tensor, first: Tensor, second: Tensor, factors: Tensor, still: Tensor | None
    ) -> None:
        """Update a stack of parameters (R, ...) and their moments in place.

        Args:
            value: The parameters.
            gradient: Their gradients.
            first: First moments.
            second: Second moments.
            factors: See `factors`, of this update.
            still: bool (R, ...): entries that stay as they are, moments too; None: none.
        """
        step, root, left = factors.to(value.dtype).unbind()
        new_first = first.lerp(gradient, 1 - self.betas[0])
        new_second = second * self.betas[1] + gradient * gradient * (1 - self.betas[1])
        kept = value * left if self.weight_decay else value
        new_value = kept - step * new_first / (new_second.sqrt() / root + self.eps)
        for old, new in ((value, new_value), (first, new_first), (second, new_second)):
            old.copy_(new if still is None else torch.where(still, old, new))

    def update_all(
        self,
        values: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        moments: Sequence[Mapping[str, Tensor]],
        factors: Tensor,
        freezes: Tensor | None,
    ) -> None:
        """Update all parameters; where `freezes` (R,), entries without any gradient stay as they are."""
        first, second = moments
        for name, value in values.items():
            still = None
            if freezes is not None:
                still = freezes.reshape(-1, *[1] * (value.dim() - 1)) & (gradients[name] == 0)
            self.update(value, gradients[name], first[name], second[name], factors, still)
