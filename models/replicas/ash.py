"""ASH of many networks at once, with the gradient written out (`axonlight.activations._ash_function` derives it).

A fused pathway layer holds its units as (R, N, B); mu and sigma are those of a sample within one replica, so they are
reduced over the units, and z and alpha are one per replica, (R, 1, 1), or one per unit, (R, N, 1). Sums run over whole
rows of samples and end in float64: their order must not depend on the number of replicas.
Legend of shapes: R replicas, B batch, N units, P values per name (1 or N, or one per group).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...activations import ASH
from ...activations._ash_function import composed_ash
from ...activations.statistics import mean_and_std, statistics_dtype
from .activations import StackedActivation

__all__ = ["AshGate", "StackedAsh", "gate_gradient", "gated", "is_stackable_ash"]

_aten = torch.ops.aten


class AshGate(NamedTuple):
    """What is no tensor; the leak is 0 but in leaky mode."""

    eps: float
    mode: str
    leak: float


class Kept(NamedTuple):
    """What forward leaves for backward: the sigmoid (R, N, B), mean and standard deviation (R, 1, B)."""

    sigmoid: Tensor
    mean: Tensor
    std: Tensor


def is_stackable_ash(module: nn.Module) -> bool:
    """Whether a module is ASH over (B, N) with options that have a formula for all replicas; others take `vmap`.

    Example:
        >>> is_stackable_ash(ASH(z=1.0, mode="leaky")), is_stackable_ash(ASH(threshold="quantile"))
        (True, False)
    """
    return (
        type(module) is ASH
        and module.dims in ("sample", "last")
        and module.threshold == "normal"
        and module.channel_dim in (None, 1, -1)
    )


def gated(x: Tensor, z: Tensor, alpha: Tensor, gate: AshGate) -> tuple[Tensor, Kept]:
    """Return ASH of (R, N, B) and what its gradient needs."""
    units = x.shape[1]
    mean = x.sum(1, keepdim=True).div_(units)
    work = x - mean
    std = work.square_().sum(1, keepdim=True).div_(units).add_(gate.eps).sqrt_()
    slope = alpha + alpha
    if z.shape[1] == 1:
        torch.addcmul(torch.addcmul(mean, z, std).mul_(-slope), x, slope, out=work)
    else:
        torch.sub(x, mean, out=work).addcmul_(z, std, value=-1).mul_(slope)
    sigmoid = work.sigmoid_()
    if gate.mode == "hard":
        return x * (x >= torch.addcmul(mean, z, std)), Kept(sigmoid, mean, std)
    out = x * sigmoid
    return out.mul_(1 - gate.leak).add_(x, alpha=gate.leak) if gate.leak else out, Kept(sigmoid, mean, std)


def gate_gradient(
    g: Tensor, x: Tensor, z: Tensor, alpha: Tensor, kept: Kept, gate: AshGate, wanted: Sequence[bool]
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Return the gradients for x (R, N, B), and for z and alpha where they are wanted."""
    sigmoid, mean, std = kept
    slope = alpha + alpha
    t = _aten.sigmoid_backward(g * x, sigmoid)
    if gate.leak:
        t, sigmoid = t.mul_(1 - gate.leak), sigmoid * (1 - gate.leak) + gate.leak
    if z.shape[1] == 1:  # one value for all units: sums over them come first
        total = t.sum(1, keepdim=True)
        z_gradient = _per_value(total * std).mul_(-slope) if wanted[0] else None
        alpha_gradient = None
        if wanted[1]:  # sum of t u, with u = x - mu - z sigma
            along = (t * x).sum(1, keepdim=True)
            alpha_gradient = _per_value(along.addcmul_(total, torch.addcmul(mean, z, std), value=-1)).mul_(2)
        pull = total.mul_(slope)
        bend = pull * z
    else:
        z_gradient = _per_value(t * std).mul_(-slope) if wanted[0] else None
        alpha_gradient = None
        if wanted[1]:
            alpha_gradient = _per_value((x - mean).addcmul_(z, std, value=-1).mul_(t)).mul_(2)
        w = t * slope
        pull, bend = w.sum(1, keepdim=True), w.mul_(z).sum(1, keepdim=True)
    # dx = g gate + w + factor (x - mean) - pull / n
    factor = bend.div_(std).mul_(-1 / x.shape[1])
    offset = pull.mul_(-1 / x.shape[1]).addcmul_(factor, mean, value=-1)
    x_gradient = torch.addcmul(offset, g, sigmoid).addcmul_(t, slope).addcmul_(x, factor)
    return x_gradient, z_gradient, alpha_gradient


def _per_value(sums: Tensor) -> Tensor:
    """Add up over samples: (R, P, B) to (R, P, 1)."""
    return sums.sum(-1, keepdim=True, dtype=torch.float64).to(sums.dtype)


class StackedAsh(StackedActivation):
    """ASH of all replicas.

    Args:
        modules: The ASH of every replica, alike but for z and alpha.
    """

    z: Tensor
    raw_alpha: Tensor
    groups: Tensor | None

    def __init__(self, modules: Sequence[ASH]) -> None:
        super().__init__(modules)
        if modules[0].groups is None:
            self.groups = None
        first = modules[0]
        self.gate = AshGate(first.eps, first.mode, first.negative_slope if first.mode == "leaky" else 0.0)

    def per_replica(self) -> tuple[Tensor, Tensor]:
        """Return z and alpha, (R, 1) or one per unit, (R, N)."""
        z, raw = self.z, self.raw_alpha
        if self.groups is not None:
            z, raw = z.gather(1, self.groups), raw.gather(1, self.groups)
        return z, nn.functional.softplus(raw)

    def forward(self, x: Tensor) -> Tensor:
        """Map (R, B, N), or (B, N) for all, to (R, B, N)."""
        z, alpha = (value.to(statistics_dtype(x.dtype)).unsqueeze(1) for value in self.per_replica())
        mean, std = mean_and_std(x, (-1,), self.gate.eps)
        return composed_ash(x, mean + z * std, alpha, self.gate.mode, self.gate.leak)
