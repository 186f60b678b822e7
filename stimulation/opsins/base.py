"""What all opsins share."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...errors import InputError
from ...models import Site
from ..kinetics import Kinetics
from ..scene import Place

__all__ = ["Opsin", "lit", "settle", "source_name", "towards"]


@dataclass(frozen=True)
class Opsin:
    """What light does at a site. A subclass is a frozen dataclass of plain values and says `value`.

    Args:
        kinetics: How the opsin follows the light; None: at once.

    Attributes:
        kind: Name in protocols.
        rank: Place in the order of precedence at a site: lower ranks act first, so that higher ones have the last word.
        sets: Whether the new value replaces the old one, so that two of them on the same entries contradict each other.
        gradient: Gradient rule where the protocol names none: "block" for values that do not depend on the activation,
            "natural" otherwise.
        draws: Whether it may draw random numbers from the seed of the step; where none does, the seed is not renewed.
        permanent: Whether it stays fully lit once light has reached it.
        axes: Axes that a site must have.
        keys: Keys of values in protocols where they differ from the name of the field (a field cannot be `value`).

    Example:
        >>> from axonlight.stimulation.opsins import Silence
        >>> isinstance(Silence(), Opsin), Silence().to_dict()
        (True, {'kind': 'silence'})
    """

    kind: ClassVar[str] = ""
    rank: ClassVar[int] = 0
    sets: ClassVar[bool] = False
    gradient: ClassVar[str] = "natural"
    draws: ClassVar[bool] = True
    permanent: ClassVar[bool] = False
    axes: ClassVar[tuple[str, ...]] = ("batch",)
    keys: ClassVar[Mapping[str, str]] = {}

    kinetics: Kinetics | None = field(default=None, kw_only=True)

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

    def constant(self, x: Tensor, place: Place) -> Tensor | None:
        """Return the value at full light, broadcastable to x, where it is the same for every x; None where it is not.

        It stands for `value` and `entries` where light is full and gradients are blocked or natural: it costs less.
        """
        return None

    def entries(self, x: Tensor, place: Place) -> Tensor | None:
        """Return which entries of a target it writes (bool, broadcastable to x); None: all.

        A gradient rule holds at these entries alone: a pattern clamp of one row leaves the others to the network.
        """
        return None

    def check(self, site: Site) -> None:
        """Refuse a site where it cannot act, as far as that is known before the first pass.

        Raises:
            InputError: If the site lacks an axis, or has another size than the values of the opsin.
        """
        for axis in self.axes:
            if site.axes is not None and axis not in site.axes:
                raise InputError(
                    f"opsin {self.kind} needs a site with the axis {axis!r}; {site.name} has {', '.join(site.axes)}"
                )

    def needs_batch(self) -> frozenset[str]:
        """Return the names of the tensors of the batch that it reads ("target", "labels", ...)."""
        return frozenset()

    def reads_sites(self) -> frozenset[str]:
        """Return the names of the sites whose activation in the same pass it reads; they must come before its own."""
        return frozenset()

    def needs_source(self) -> Mapping[str, Any] | None:
        """Return which other pass its values come from, or None.

        ``{"pass": "first" | "batch" | "checkpoint"}``, with "path" for a checkpoint and "site" where the values are
        not those of its own site. They are expected in ``scene.sources`` under `source_name` and the name of the site.
        """
        return None

    def needs_statistic(self) -> str | None:
        """Return which running statistic of its site it reads ("mean"), or None.

        It is expected in ``scene.sources`` under that name and the name of the site: a tensor in the shape of the
        activation without batch, written at the start of a batch, NaN as long as nothing is known.
        """
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return its kind and its values as plain data, without defaults; `build_opsin` makes the same opsin of it."""
        values = {item.name: (getattr(self, item.name), item.default) for item in fields(self)}
        changed = {
            self.keys.get(name, name): _plain(value) for name, (value, default) in values.items() if value != default
        }
        return {"kind": self.kind, **changed}


def _plain(value: Any) -> Any:
    """Return lists for tuples and whole numbers as int, so that equal opsins read the same."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Kinetics):
        return value.to_dict()
    return int(value) if isinstance(value, float) and value.is_integer() else value


def settle(opsin: Opsin, **values: Any) -> None:
    """Write values of a frozen opsin while it is constructed.

    Past the fields, too, where a value is derived: into the place that a cached property looks at.
    """
    for name, value in values.items():
        opsin.__dict__[name] = value


def source_name(need: Mapping[str, Any]) -> str:
    """Return the name of another pass in ``scene.sources``: "first", "batch", "checkpoint:PATH".

    Example:
        >>> source_name({"pass": "checkpoint", "path": "run/last.ckpt"})
        'checkpoint:run/last.ckpt'
    """
    return ":".join(str(need[key]) for key in ("pass", "path") if need.get(key) is not None)


def towards(x: Tensor, value: Tensor, intensity: Tensor) -> Tensor:
    """Move an activation towards a value: all the way at intensity 1, exactly, whatever the activation was.

    (1 - intensity) x + intensity value between 0 and 1; x itself, bit by bit, at 0 and below; the value above 1.

    Example:
        >>> infinite = float("inf")
        >>> towards(torch.tensor([infinite, 1.0, infinite]), torch.tensor(3.0), torch.tensor([1.0, 0.5, 0.0]))
        tensor([3., 2., inf])
    """
    value = value.to(x.dtype)
    whole = intensity >= 1
    part = (intensity > 0) & ~whole
    # an unused branch must hold nothing that is not finite: its gradient is 0 times whatever it is
    mixed = (1 - intensity) * x.where(part, 0.0) + intensity * value
    return torch.where(whole, value, torch.where(part, mixed, x))


def lit(x: Tensor, value: Tensor, intensity: Tensor) -> Tensor:
    """Return the value where there is light, and x itself, bit by bit, where there is none.

    Example:
        >>> lit(torch.zeros(2), torch.ones(2), torch.tensor([0.0, 0.5]))
        tensor([0., 1.])
    """
    return torch.where(intensity != 0, value.to(x.dtype), x)
