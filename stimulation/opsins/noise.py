"""Opsins of chance: noise, and the activation of another sample of the batch.

All randomness is a function of ``scene.step_seed``, so that a segment that is computed again sees the same numbers.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..counter_random import normal, permutation, stream_of
from ..scene import Place
from .base import Opsin, lit, towards
from .checks import check_choice, check_number
from .measures import UNITS, scale

__all__ = ["Noise", "Resample", "donors"]


@dataclass(frozen=True)
class Noise(Opsin):
    """Add normal noise: x' = x + s sigma u n at intensity s, with unit u (1, or the spread of the site), n ~ N(0, 1).

    New numbers for every entry, step, stimulus and site. The derivative is 1 (rule "natural").

    Args:
        sigma: Standard deviation at full light.
        unit: "absolute", or "sigma": the standard deviation over all finite entries of the site in this batch (of
            this process).

    Raises:
        InputError: If sigma is negative or the unit unknown.

    Example:
        >>> import torch
        >>> from axonlight.stimulation import Scene
        >>> from axonlight.models import Site
        >>> place = Place(Site("s", "s"), ("batch", "unit"), Scene(step_seed=torch.tensor(3)))
        >>> first, again = (Noise(0.1).value(torch.zeros(2, 2), torch.ones(()), place) for _ in range(2))
        >>> bool((first == again).all()), bool((first != 0).all())
        (True, True)
    """

    sigma: float
    unit: str = "absolute"

    kind: ClassVar[str] = "noise"
    rank: ClassVar[int] = 40

    def __post_init__(self) -> None:
        check_number("sigma of opsin noise", self.sigma, at_least=0)
        check_choice("unit of opsin noise", self.unit, UNITS)

    def value(self, x: Tensor, intensity: Tensor, place: Place) -> Tensor:
        """Return the activation with noise."""
        stream = stream_of("noise", place.number, place.site.name)
        numbers = normal(place.scene.step_seed.to(x.device), x.shape, stream).to(x.dtype)
        return lit(x, x + intensity * (self.sigma * scale(x, self.unit)) * numbers, intensity)


@dataclass(frozen=True)
class Resample(Opsin):
    """Write the activation of another sample of the batch: x'_b = (1 - s) x_b + s x_p(b) at intensity s from 0 to 1.

    The permutation p is one random cycle through the batch (of this process), drawn anew at every step and the same at
    all sites of a stimulus: a resampling ablation, which keeps the distribution of every unit. The other sample counts
    as a constant (rule "block"). A batch of one sample stays as it is.

    Example:
        >>> import torch
        >>> from axonlight.stimulation import Scene
        >>> from axonlight.models import Site
        >>> place = Place(Site("s", "s"), ("batch", "unit"), Scene())
        >>> Resample().value(torch.tensor([[1.0], [2.0]]), torch.ones(()), place)
        tensor([[2.],
                [1.]])
    """

    kind: ClassVar[str] = "resample"
    rank: ClassVar[int] = 60
    sets: ClassVar[bool] = True
    gradient: ClassVar[str] = "block"

    def value(self, x: Tensor, intensity: Tensor, place: Place) -> Tensor:
        """Return the activation moved to that of another sample."""
        return towards(x, donors(x, place), intensity)


def donors(x: Tensor, place: Place) -> Tensor:
    """Return for every sample the activation of another one, the same one at all sites of a stimulus."""
    batch = place.axes.index("batch")
    order = permutation(place.scene.step_seed.to(x.device), x.shape[batch], stream_of("resample", place.number))
    return x.index_select(batch, order)
