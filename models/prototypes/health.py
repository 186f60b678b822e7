"""Whether prototypes are used, alive, apart from one another and far from where they started.

Legend of shapes: K prototypes, D features.
"""

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from ...errors import InputError

__all__ = ["PrototypeHealth", "prototype_health"]

# Less than this share of an even part: patients hardly ever show it.
DEAD_BELOW = 0.1


@dataclass(frozen=True)
class PrototypeHealth:
    """Four figures about the prototypes of an encoder, and what they were found from.

    Attributes:
        usage: (K,) share of a patient's patches that each prototype takes, averaged over patients; sums to 1.
        usage_entropy: Entropy of `usage` divided by log K: 1 when all are used alike, 0 when one takes all.
        dead: Prototypes that take less than a tenth of an even part.
        drift: Mean of 1 - cosine between the prototypes now and at the start, in the space of the features.
        max_cosine: Largest cosine between two different projected prototypes; near 1: two are one.

    Example:
        >>> health = prototype_health(torch.eye(2), torch.eye(2), torch.eye(2), torch.tensor([1.0, 1.0]))
        >>> health.usage_entropy, health.dead, health.drift, health.max_cosine
        (1.0, 0, 0.0, 0.0)
    """

    usage: tuple[float, ...]
    usage_entropy: float
    dead: int
    drift: float
    max_cosine: float

    def figures(self) -> dict[str, float]:
        """Return the four figures by name, as loggers take them."""
        return {name: float(value) for name, value in asdict(self).items() if name != "usage"}


@torch.no_grad()
def prototype_health(prototypes: Tensor, initial: Tensor, projected: Tensor, usage: Tensor) -> PrototypeHealth:
    """Judge prototypes.

    Args:
        prototypes: (K, D), now.
        initial: (K, D), at the start.
        projected: (K, d), the prototypes now, in the space where patches are compared with them.
        usage: (K,) mass that each takes, of any scale. All zeros (no patch seen) gives NaN and no dead.

    Raises:
        InputError: If the shapes do not belong together.

    Example:
        >>> usage = torch.tensor([0.98, 0.01, 0.01])
        >>> health = prototype_health(torch.eye(3), -torch.eye(3), torch.ones(3, 2), usage)
        >>> {name: round(value, 4) for name, value in health.figures().items()}
        {'usage_entropy': 0.1019, 'dead': 2.0, 'drift': 2.0, 'max_cosine': 1.0}
    """
    count = len(prototypes)
    if prototypes.shape != initial.shape or len(projected) != count or usage.shape != (count,):
        raise InputError(
            f"shapes are {tuple(prototypes.shape)}, {tuple(initial.shape)}, {tuple(projected.shape)} and "
            f"{tuple(usage.shape)}; they must be (K, D), (K, D), (K, d) and (K,) with one K"
        )
    shares = usage.double() / usage.double().sum()
    entropy = -torch.special.xlogy(shares, shares).sum().item()
    drift = 1 - torch.cosine_similarity(prototypes.double(), initial.double(), dim=1)
    return PrototypeHealth(
        usage=tuple(shares.tolist()),
        usage_entropy=entropy / math.log(count) if count > 1 else 1.0,
        dead=int((shares < DEAD_BELOW / count).sum()),
        drift=drift.mean().item(),
        max_cosine=_largest_cosine(projected.double()),
    )


def _largest_cosine(projected: Tensor) -> float:
    if len(projected) < 2:
        return 0.0
    directions = torch.nn.functional.normalize(projected, dim=1)
    cosines = directions @ directions.T
    return cosines.fill_diagonal_(-1.0).max().item()
