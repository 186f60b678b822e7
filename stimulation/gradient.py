"""Gradient rules: what flows back through an activation that was written over.

The forward value and the gradient are chosen apart: a clamped unit may still be taught, a free one may not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ..errors import InputError

__all__ = ["GradientRule", "write"]

GradientKind = Literal["natural", "block", "pass", "scaled", "routed"]


@dataclass(frozen=True)
class GradientRule:
    """What flows back at the written entries.

    Args:
        kind: "natural": the derivative of what was done; "block": nothing; "pass": the gradient as if nothing had been
            written; "scaled": that times `factor`; "routed": that for samples of `classes`, nothing for the others.
        factor: Factor of "scaled".
        classes: Classes of "routed", values of the batch's "target".

    Raises:
        InputError: If the kind is unknown, or a value is given to a kind that does not use it.

    Example:
        >>> x = torch.ones(2, requires_grad=True)
        >>> y = write(x, torch.zeros(2), torch.tensor([True, False]), GradientRule("scaled", factor=0.5))
        >>> y.tolist(), torch.autograd.grad(y.sum(), x)[0].tolist()
        ([0.0, 1.0], [0.5, 1.0])
    """

    kind: GradientKind = "natural"
    factor: float | None = None
    classes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        kinds = GradientKind.__args__  # type: ignore[attr-defined]
        if self.kind not in kinds:
            raise InputError(f"gradient is {self.kind!r}; it must be one of {', '.join(kinds)}")
        if (self.factor is not None) != (self.kind == "scaled"):
            raise InputError(f"gradient {self.kind} has factor {self.factor}; 'scaled' needs one, no other takes one")
        if bool(self.classes) != (self.kind == "routed"):
            raise InputError(f"gradient {self.kind} has classes {list(self.classes)}; 'routed' needs them, others none")

    def to_dict(self) -> dict[str, Any]:
        """Return its values as plain data."""
        values = {"kind": self.kind, "factor": self.factor, "classes": list(self.classes)}
        return {name: value for name, value in values.items() if value not in (None, [])}


def write(
    x: Tensor, value: Tensor, written: Tensor, rule: GradientRule, target: Tensor | None = None, batch_dim: int = 0
) -> Tensor:
    """Write values over the chosen entries of an activation.

    Every rule leaves every parameter part of the graph: its gradient may be 0 but is never absent, on no rank.

    Args:
        x: The activation.
        value: The new values, of the same shape and dtype.
        written: bool, broadcastable to x: the chosen entries.
        rule: The gradient rule.
        target: (B,) classes of the samples, for "routed".
        batch_dim: Dimension of the samples.
    """
    if rule.kind == "natural":
        return torch.where(written, value, x)
    if rule.kind == "block":
        return torch.where(written, value.detach(), x)
    share: Tensor | float = 1.0
    if rule.kind == "scaled":
        share = float(rule.factor or 0.0)
    elif rule.kind == "routed":
        share = _routed(x, rule.classes, target, batch_dim)
    return _substitute(x, value, written, share)


def _routed(x: Tensor, classes: Sequence[int], target: Tensor | None, batch_dim: int) -> Tensor:
    if target is None:
        raise InputError("gradient 'routed' needs the classes of the samples; the batch has no 'target'")
    chosen = torch.zeros_like(target, dtype=torch.bool)
    for name in classes:
        chosen = chosen | (target == name)
    shape = [1] * x.dim()
    shape[batch_dim] = len(target)
    return chosen.to(x.dtype).reshape(shape)


def _substitute(x: Tensor, value: Tensor, written: Tensor, share: Tensor | float) -> Tensor:
    """Return the values where written, with the gradient of x times a share there.

    x * share - (x * share).detach() is 0 with the wanted gradient; what is not finite in x is kept out of it.
    """
    carrier = torch.nan_to_num(x, nan=0.0, posinf=0.0, neginf=0.0) * share
    return torch.where(written, value.detach() + (carrier - carrier.detach()), x)
