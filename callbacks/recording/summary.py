"""Statistics of an activation that can be merged over batches and ranks.

Shapes: S the five moments, ... the sizes of the kept axes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["STATISTICS", "Summary"]

# What can be asked for; all follow from the moments of `Summary`.
STATISTICS = ("mean", "std", "rms", "rate", "min", "max")


@dataclass(frozen=True)
class Summary:
    """Moments of an activation over all axes but some, at one site and one step.

    Args:
        axes: Names of the kept axes.
        count: Number of values behind each entry.
        moments: (S, ...): mean, mean squared deviation, share above the threshold, minimum, maximum; in float32 at
            least, on the device of the activation, so that nothing waits for it.

    Example:
        >>> first = Summary.of(torch.tensor([[0.0, 1.0], [2.0, 1.0]]), ("batch", "unit"), ("unit",))
        >>> second = Summary.of(torch.tensor([[7.0, -2.0]]), ("batch", "unit"), ("unit",))
        >>> merged = first.merged(second)
        >>> merged.count, merged.values("mean").tolist(), merged.values("max").tolist()
        (3, [3.0, 0.0], [7.0, 1.0])
    """

    axes: tuple[str, ...]
    count: int
    moments: Tensor

    @classmethod
    def of(cls, x: Tensor, axes: Sequence[str], keep: Sequence[str], threshold: float = 0.0) -> "Summary":
        """Return the moments of an activation.

        Args:
            x: The activation.
            axes: Meaning of its dimensions.
            keep: Names of the axes that are kept; those it lacks are passed over.
            threshold: A value above it counts as active.
        """
        x = x.detach()
        x = x if x.dtype == torch.float64 else x.float()
        dims = [place for place, axis in enumerate(axes) if axis not in keep]
        kept = tuple(axis for axis in axes if axis in keep)
        variance, mean = torch.var_mean(x, dim=dims, correction=0)
        above = (x > threshold).to(x.dtype).mean(dim=dims)
        moments = torch.stack([mean, variance, above, x.amin(dim=dims), x.amax(dim=dims)])
        return cls(kept, x.numel() // max(mean.numel(), 1), moments)

    def merged(self, other: "Summary") -> "Summary":
        """Return the moments of both together, by the pairwise update of Chan, Golub and LeVeque (1983)."""
        count = self.count + other.count
        share = other.count / count
        mine, theirs = self.moments, other.moments.to(self.moments)
        difference = theirs[0] - mine[0]
        mean = mine[0] + difference * share
        variance = torch.lerp(mine[1], theirs[1], share) + difference.square() * share * (1 - share)
        above = torch.lerp(mine[2], theirs[2], share)
        extremes = [torch.minimum(mine[3], theirs[3]), torch.maximum(mine[4], theirs[4])]
        return Summary(self.axes, count, torch.stack([mean, variance, above, *extremes]))

    def values(self, statistic: str) -> Tensor:
        """Return one of `STATISTICS`, of the shape of the kept axes."""
        mean, variance, above, low, high = self.moments
        if statistic == "std":
            return variance.sqrt()
        if statistic == "rms":
            return (mean.square() + variance).sqrt()
        return {"mean": mean, "rate": above, "min": low, "max": high}[statistic]

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        return self.moments.numel() * self.moments.element_size()
