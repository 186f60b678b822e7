"""What all opsins share."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..scene import Place

__all__ = ["Opsin", "towards"]


@dataclass(frozen=True)
class Opsin:
    """What light does at a site. A subclass is a frozen dataclass of plain values and says `value`.

    Attributes:
        kind: Name in protocols.
        rank: Place in the order of precedence at a site: lower ranks act first, so that higher ones have the last word.
        sets: Whether the new value replaces the old one, so that two of them on the same entries contradict each other.
        gradient: Gradient rule where the protocol names none: "block" for values that do not depend on the activation,
            "natural" otherwise.
    """

    kind: ClassVar[str] = ""
    rank: ClassVar[int] = 0
    sets: ClassVar[bool] = False
    gradient: ClassVar[str] = "natural"

    def value(self, x: Tensor, intensity: Tensor, place: Place) -> Tensor:
        """Return the new value of an activation, as a differentiable function of it.

        Called in eager mode, compiled, under `torch.func.vmap`, and twice under activation checkpointing: no state may
        change, no Python number may depend on the step, and all randomness comes from ``place.scene.step_seed``.

        Args:
            x: The activation, of any floating dtype; the result has its shape, dtype and device.
            intensity: Light times expression, in the dtype of x, broadcastable to it; 0 where nothing is written, 1 for
                full light on full expression.
            place: Where it acts.
        """
        raise NotImplementedError

    def needs_batch(self) -> frozenset[str]:
        """Return the names of the tensors of the batch that it reads ("target", "labels", ...)."""
        return frozenset()

    def reads_sites(self) -> frozenset[str]:
        """Return the names of the sites whose activation in the same pass it reads; they must come before its own."""
        return frozenset()

    def needs_source(self) -> Mapping[str, Any] | None:
        """Return which other pass its values come from, ``{"pass": "first" | "batch" | "checkpoint"}``, or None."""
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return its kind and its values as plain data."""
        return {"kind": self.kind, **{item.name: getattr(self, item.name) for item in fields(self)}}


def towards(x: Tensor, value: Tensor, intensity: Tensor) -> Tensor:
    """Move an activation towards a value: all the way at intensity 1, exactly, whatever the activation was.

    Example:
        >>> towards(torch.tensor([float("inf"), 1.0]), torch.tensor(3.0), torch.tensor([1.0, 0.5]))
        tensor([3., 2.])
    """
    value = value.to(x.dtype)
    whole = intensity >= 1
    # the unused branch must hold nothing that is not finite: its gradient is 0 times whatever it is
    part = x.where(~whole, 0.0)
    return torch.where(whole, value, part + intensity * (value - part))
