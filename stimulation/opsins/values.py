"""Opsins that set or shift a value: silence, lesion, clamp, drive, shunt, sham."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from ...errors import InputError
from ...models import Site
from ..scene import Place
from .base import Opsin, lit, settle, towards
from .checks import check_choice, check_number, is_number
from .measures import UNITS, finite_mean, scale
from .vectors import Constant

__all__ = ["Clamp", "Drive", "Lesion", "Sham", "Shunt", "Silence"]


@dataclass(frozen=True)
class Silence(Opsin):
    """Set activations to 0: x' = (1 - s) x at intensity s from 0 to 1.

    In the laboratory an inhibitory opsin (a chloride pump such as NpHR, an anion channel such as GtACR2). Silencing
    tests necessity. A gradient of 0 reaches what was silenced (rule "block").

    Example:
        >>> from axonlight.stimulation import Scene
        >>> from axonlight.models import Site
        >>> place = Place(Site("s", "s"), ("batch", "unit"), Scene())
        >>> Silence().value(torch.tensor([[2.0, 4.0]]), torch.tensor([1.0, 0.5]), place)
        tensor([[0., 2.]])
    """

    kind: ClassVar[str] = "silence"
    draws: ClassVar[bool] = False
    rank: ClassVar[int] = 70
    sets: ClassVar[bool] = True
    gradient: ClassVar[str] = "block"

    def value(self, x: Tensor, intensity: Tensor, place: Place) -> Tensor:
        """Return the activation without its share in light."""
        return towards(x, torch.zeros_like(x), intensity)

    def constant(self, x: Tensor, place: Place) -> Tensor:
        """Return 0."""
        return x.new_zeros(())


@dataclass(frozen=True)
class Lesion(Silence):
    """Set activations to 0 for good: as silence, but once light has reached it the gate stays fully open.

    In the laboratory the removal of cells. The light says when the lesion is made; neither its end nor its strength
    matters after that.

    Example:
        >>> Lesion().permanent, Silence().permanent
        (True, False)
    """

    kind: ClassVar[str] = "lesion"
    rank: ClassVar[int] = 80
    permanent: ClassVar[bool] = True


@dataclass(frozen=True)
class Clamp(Opsin):
    """Set activations to a value c: x' = (1 - s) x + s c at intensity s from 0 to 1.

    In the laboratory a voltage clamp. "mean" is the running mean of each entry of the site (mean ablation), taken by
    the conductor before anything is written; as long as it knows none, the mean over this batch.

    Args:
        level: A number, one number per unit of the site, or "mean"; in protocols its key is ``value``.

    Raises:
        InputError: If it is none of these.

    Example:
        >>> from axonlight.stimulation import Scene
        >>> from axonlight.models import Site
        >>> place = Place(Site("s", "s"), ("batch", "unit"), Scene())
        >>> Clamp([1.0, 7.0]).value(torch.zeros(1, 2), torch.ones(()), place)
        tensor([[1., 7.]])
    """

    level: float | str | tuple[float, ...]

    kind: ClassVar[str] = "clamp"
    draws: ClassVar[bool] = False
    rank: ClassVar[int] = 60
    sets: ClassVar[bool] = True
    gradient: ClassVar[str] = "block"
    keys: ClassVar[Mapping[str, str]] = {"level": "value"}

    def __post_init__(self) -> None:
        if isinstance(self.level, list):
            object.__setattr__(self, "level", tuple(self.level))
        numbers = self.level if isinstance(self.level, tuple) else (self.level,)
        if self.level != "mean" and not (numbers and all(map(is_number, numbers))):
            allowed = "a finite number, a list of them (one per unit) or 'mean'"
            raise InputError(f"value of opsin clamp is {self.level!r}; it must be {allowed}")
        if isinstance(self.level, tuple):
            settle(self, levels=self.levels)

    @cached_property
    def levels(self) -> Constant:
        """One number per unit; made at construction, not within a pass."""
        return Constant(torch.tensor(self.level, dtype=torch.float64))

    def value(self, x: Tensor, intensity: Tensor, place: Place) -> Tensor:
        """Return the activation moved to the level."""
        if self.level == "mean":
            return towards(x, self._mean(x, place), intensity)
        if isinstance(self.level, tuple):
            return towards(x, place.along(self._levels(x, place), "unit"), intensity)
        return towards(x, torch.full_like(x, float(self.level)), intensity)

    def constant(self, x: Tensor, place: Place) -> Tensor | None:
        """Return the level, unless it is the running mean."""
        if isinstance(self.level, tuple):
            return place.along(self._levels(x, place), "unit")
        return None if isinstance(self.level, str) else x.new_full((), float(self.level))

    def _mean(self, x: Tensor, place: Place) -> Tensor:
        batch = place.axes.index("batch")
        here = finite_mean(x.detach(), batch)
        running = place.scene.sources.get(("mean", place.site.name))
        if running is None:
            return here
        running = running.unsqueeze(batch)
        return torch.where(running.isnan(), here, running.to(here))

    def _levels(self, x: Tensor, place: Place) -> Tensor:
        levels = self.levels.like(x)
        if "unit" in place.axes and len(levels) != (width := x.shape[place.axes.index("unit")]):
            raise InputError(f"opsin clamp has {len(levels)} levels; site {place.site.name} has {width} units")
        return levels

    def check(self, site: Site) -> None:
        """Refuse a site of another number of units than there are levels."""
        super().check(site)
        if isinstance(self.level, tuple) and site.size("unit") not in (None, len(self.level)):
            raise InputError(
                f"opsin clamp has {len(self.level)} levels; site {site.name} has {site.size('unit')} units"
            )

    def needs_statistic(self) -> str | None:
        """Return "mean" where that is its level."""
        return "mean" if self.level == "mean" else None


@dataclass(frozen=True)
class Drive(Opsin):
    """Add a current: x' = x + s a u at intensity s, with amount a and unit u (1, or the spread of the site).

    In the laboratory an excitatory channel (ChR2), or, with a negative amount, a hyperpolarising pump. Driving tests
    sufficiency. The derivative is 1 (rule "natural"); the spread counts as a constant.

    Args:
        amount: What is added at full light.
        unit: "absolute", or "sigma": the standard deviation over all finite entries of the site in this batch (of
            this process).

    Raises:
        InputError: If the amount is no finite number or the unit unknown.

    Example:
        >>> from axonlight.stimulation import Scene
        >>> from axonlight.models import Site
        >>> place = Place(Site("s", "s"), ("batch", "unit"), Scene())
        >>> Drive(2.0, unit="sigma").value(torch.tensor([[-3.0, 3.0]]), torch.tensor([1.0, 0.5]), place)
        tensor([[3., 6.]])
    """

    amount: float
    unit: str = "absolute"

    kind: ClassVar[str] = "drive"
    draws: ClassVar[bool] = False
    rank: ClassVar[int] = 30

    def __post_init__(self) -> None:
        check_number("amount of opsin drive", self.amount)
        check_choice("unit of opsin drive", self.unit, UNITS)

    def value(self, x: Tensor, intensity: Tensor, place: Place) -> Tensor:
        """Return the activation with the current added."""
        return lit(x, x + intensity * (self.amount * scale(x, self.unit)), intensity)


@dataclass(frozen=True)
class Shunt(Opsin):
    """Multiply by a gain g: x' = (1 - s) x + s g x at intensity s from 0 to 1.

    In the laboratory shunting inhibition: a conductance that divides, whatever the input. At attention scores a gain
    of 1 / T is a temperature T. The derivative is that of the product (rule "natural").

    Args:
        gain: Factor at full light; 0 silences, 1 changes nothing, above 1 amplifies.

    Raises:
        InputError: If the gain is no finite number.

    Example:
        >>> from axonlight.stimulation import Scene
        >>> from axonlight.models import Site
        >>> place = Place(Site("s", "s"), ("batch", "unit"), Scene())
        >>> Shunt(0.25).value(torch.tensor([[4.0, 4.0]]), torch.tensor([1.0, 0.0]), place)
        tensor([[1., 4.]])
    """

    gain: float

    kind: ClassVar[str] = "shunt"
    draws: ClassVar[bool] = False
    rank: ClassVar[int] = 20

    def __post_init__(self) -> None:
        check_number("gain of opsin shunt", self.gain)

    def value(self, x: Tensor, intensity: Tensor, place: Place) -> Tensor:
        """Return the activation multiplied."""
        # 0 times what is not finite would be NaN
        return towards(x, x * self.gain if self.gain else torch.zeros_like(x), intensity)


@dataclass(frozen=True)
class Sham(Opsin):
    """Change nothing, with all bookkeeping: x' = x, bit by bit.

    In the laboratory light on cells without opsin. A difference between a sham and an untouched run is an artefact.

    Example:
        >>> from axonlight.stimulation import Scene
        >>> from axonlight.models import Site
        >>> place = Place(Site("s", "s"), ("batch", "unit"), Scene())
        >>> Sham().value(torch.tensor([[4.0]]), torch.ones(()), place)
        tensor([[4.]])
    """

    kind: ClassVar[str] = "sham"
    draws: ClassVar[bool] = False
    rank: ClassVar[int] = 90

    def value(self, x: Tensor, intensity: Tensor, place: Place) -> Tensor:
        """Return the activation as it is."""
        return x
