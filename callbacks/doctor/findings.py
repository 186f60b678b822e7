"""What one activation did in a step.

Shapes: K micro-batches and ranks, S numbers, N points of the grid.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...activations import ASH, Activation
from ...activations.base import unit_dimension
from ...activations.quantile import sample_quantile
from ...activations.statistics import align_mask, reduced_dimensions, sample_statistics, statistics_dtype
from .listening import Heard

__all__ = ["Findings", "depends_on_others", "numbers_of"]

# Below this slope (or, where entries of a sample decide together, this share of the input) nothing comes through.
CLOSED = 0.01
_NUMBERS: tuple[str, ...] = (
    "entries",
    "judged",
    "x",
    "x_deviation",
    "y",
    "y_deviation",
    "expected",
    "bad_x",
    "bad_y",
    "passed",
)
_NOT_ELEMENTWISE = (nn.Softmax, nn.Softmax2d, nn.Softmin, nn.LogSoftmax, nn.GLU)


def depends_on_others(module: nn.Module) -> bool:
    """Tell whether an entry of the output depends on other entries of the tensor.

    Example:
        >>> depends_on_others(ASH()), depends_on_others(nn.Tanh()), depends_on_others(nn.Softmax(-1))
        (True, False, True)
    """
    return module.gated if isinstance(module, Activation) else isinstance(module, _NOT_ELEMENTWISE)


def numbers_of(heard: Heard, module: nn.Module, max_entries: int, grid: Tensor) -> Tensor:
    """Return the numbers of a call, one-dimensional, on its device and in its type (float32 for half types).

    First those named in `_NUMBERS`; then, where entries depend on one another, how many inputs lie nearest to each
    point of the grid (N,), and the sum of their outputs; then the closed entries of each unit. Few operators: on small
    tensors it is their number that costs.
    """
    rows = _rows(heard.x, max_entries)
    x, y = (value[:rows].to(statistics_dtype(value.dtype)) for value in (heard.x, heard.y))
    closed = _closed(module, x, y)
    unit = unit_dimension(x, getattr(module, "channel_dim", None)) if x.dim() else 0
    others = [dim for dim in range(closed.dim()) if dim != unit]
    judged, passed, expected = _passed(module, x, heard.options, rows)
    known = torch.tensor([x.numel(), judged], dtype=x.dtype, device=x.device)
    measured = torch.stack([*_mean_and_deviation(x), *_mean_and_deviation(y), expected])
    counted = torch.stack([_not_finite(x), _not_finite(y), passed])
    response = _response(x, y, grid.to(x)) if depends_on_others(module) else []
    return torch.cat([known, measured, counted, *response, closed.sum(others).reshape(-1)])


def _response(x: Tensor, y: Tensor, grid: Tensor) -> list[Tensor]:
    """Return how many inputs lie nearest to each point of the grid, and the sum of their outputs; none beyond it."""
    points = len(grid)
    found = torch.zeros(2, points + 2, dtype=x.dtype, device=x.device)  # the two ends: what lies beyond the grid
    if x.shape == y.shape:
        step = grid[1] - grid[0]
        # clamped as whole numbers: NaN becomes some number, and must stay within the table
        place = ((x.reshape(-1) - grid[0]) / step + 1.5).floor().long().clamp(0, points + 1)
        found[0].index_add_(0, place, torch.ones_like(place, dtype=x.dtype))
        found[1].index_add_(0, place, y.reshape(-1).to(x.dtype))
    return list(found[:, 1:-1])


def _rows(x: Tensor, max_entries: int) -> int:
    return max(1, min(len(x), max_entries * len(x) // max(x.numel(), 1))) if x.dim() else 1


def _mean_and_deviation(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean, and the sum of squares of the deviations from it."""
    mean = values.mean()
    deviation = (values - mean).reshape(-1)
    return mean, torch.dot(deviation, deviation)


def _not_finite(values: Tensor) -> Tensor:
    """Return how many values are NaN or infinite: only there x - x is not 0."""
    # torch.isfinite takes three times as long
    return torch.count_nonzero(values - values)


def _closed(module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    if depends_on_others(module) or x.shape != y.shape:
        return (y.abs() <= CLOSED * x.abs()) & (x != 0) if x.shape == y.shape else torch.zeros_like(y, dtype=torch.bool)
    with torch.enable_grad():
        point = x.detach().requires_grad_()
        value = _call(module, point)
        if not value.requires_grad:
            return torch.ones_like(x, dtype=torch.bool)  # a constant
        (slope,) = torch.autograd.grad(value, point, torch.ones_like(value))
    return slope.abs() < CLOSED


def _call(module: nn.Module, x: Tensor) -> Tensor:
    """Compute an activation as it is, without its hooks; one that works in place gets a copy."""
    return module.forward(x + 0 if getattr(module, "inplace", False) else x)


def _passed(module: nn.Module, x: Tensor, options: dict[str, Any], rows: int) -> tuple[Any, Tensor, Tensor]:
    """Return how many entries ASH judged, how many lie above its threshold, which share would in a normal sample."""
    if not isinstance(module, ASH):
        return 0, torch.zeros((), dtype=torch.int64, device=x.device), torch.zeros((), dtype=x.dtype, device=x.device)
    with torch.no_grad():
        mask, batch = (None if options.get(key) is None else options[key][:rows] for key in ("mask", "batch"))
        aligned = None if mask is None else align_mask(mask, x)
        z = module.per_unit(module.z.to(x.dtype), x)
        if module.threshold == "quantile":
            level = sample_quantile(x, z, reduced_dimensions(x, module.dims, module.channel_dim), aligned)
        else:
            mean, std = sample_statistics(
                x, module.dims, eps=module.eps, mask=mask, batch=batch, channel_dim=module.channel_dim
            )
            level = mean + z * std
        share = 0.5 * torch.special.erfc(z / math.sqrt(2)).mean()
        if aligned is None:
            return x.numel(), torch.count_nonzero(x > level), share
        counted = aligned.expand_as(x)
        return int(counted.sum()), torch.count_nonzero((x > level) & counted), share


@dataclass(frozen=True)
class Findings:
    """What one activation did in one step: the numbers of its calls, merged.

    Args:
        parts: (K, S), the numbers of K micro-batches and ranks as `numbers_of` gives them, float64 on the CPU.
        points: Number of points of the grid, where the numbers hold the response; else 0.

    Example:
        >>> x = torch.tensor([[-2.0, 1.0], [-1.0, 3.0]])
        >>> part = numbers_of(Heard("relu", 0, x, x.relu(), {}), nn.ReLU(), 100, torch.arange(3))
        >>> found = Findings(part[None].double(), 0).row()
        >>> found["saturated"], found["dead"], round(found["gain"], 3)
        (0.5, 0.5, 0.638)
    """

    parts: Tensor
    points: int

    def response(self) -> Tensor:
        """Return the mean output near each point of the grid, (N, 1), NaN where no input was."""
        first = len(_NUMBERS)
        count, total = self.parts.sum(0)[first : first + 2 * self.points].reshape(2, -1)
        return (total / count)[:, None]

    def row(self) -> dict[str, float]:
        """Return the columns of the table."""
        part = dict(zip(_NUMBERS, self.parts.T, strict=False))
        total = {name: float(values.sum()) for name, values in part.items()}
        count, judged = total["entries"], total["judged"]
        (x_mean, x_std), (y_mean, y_std) = (self._moments(part, name) for name in "xy")
        closed = self.parts.sum(0)[len(_NUMBERS) + 2 * self.points :]
        return {
            "entries": count,
            "input_mean": x_mean,
            "input_std": x_std,
            "output_mean": y_mean,
            "output_std": y_std,
            "gain": y_std / x_std if x_std else math.nan,
            "saturated": float(closed.sum()) / count,
            "dead": float((closed >= count / len(closed)).double().mean()),
            "non_finite_inputs": total["bad_x"] / count,
            "non_finite_outputs": total["bad_y"] / count,
            "passed_percent": 100 * total["passed"] / judged if judged else math.nan,
            "normal_percent": 100 * float(part["expected"].mean()) if judged else math.nan,
        }

    @staticmethod
    def _moments(part: dict[str, Tensor], name: str) -> tuple[float, float]:
        """Return mean and standard deviation over all parts, by the pairwise formula."""
        count, means = part["entries"], part[name]
        mean = (count * means).sum() / count.sum()
        squares = (part[f"{name}_deviation"] + count * (means - mean).square()).sum()
        return float(mean), float((squares / count.sum()).sqrt())
