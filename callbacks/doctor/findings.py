"""What one activation did in a step, as sums that add up over calls, micro-batches and ranks.

Shapes: B rows, U units, S sums.
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

__all__ = ["Findings", "depends_on_others", "sums_of"]

# Below this slope (or, where entries of a sample decide together, this share of the input) nothing comes through.
CLOSED = 0.01
_SUMS = ("entries", "x", "x_squared", "y", "y_squared", "bad_x", "bad_y", "closed", "judged", "passed", "expected")
_NOT_ELEMENTWISE = (nn.Softmax, nn.Softmax2d, nn.Softmin, nn.LogSoftmax, nn.GLU)


def depends_on_others(module: nn.Module) -> bool:
    """Tell whether an entry of the output depends on other entries of the tensor.

    Example:
        >>> depends_on_others(ASH()), depends_on_others(nn.Tanh()), depends_on_others(nn.Softmax(-1))
        (True, False, True)
    """
    return module.gated if isinstance(module, Activation) else isinstance(module, _NOT_ELEMENTWISE)


def sums_of(heard: Heard, module: nn.Module, max_entries: int, grid: Tensor) -> Tensor:
    """Return the sums of a call, float64 on its device.

    First those named in `_SUMS`; then, where entries depend on one another, how many inputs lie nearest to each point
    of the grid (N,), and the sum of their outputs; then the closed entries of each unit.
    """
    rows = _rows(heard.x, max_entries)
    x, y = (value[:rows].to(statistics_dtype(value.dtype)) for value in (heard.x, heard.y))
    wide = torch.float32 if x.device.type == "mps" else torch.float64
    closed = _closed(module, x, y)
    unit = unit_dimension(x, getattr(module, "channel_dim", None)) if x.dim() else 0
    per_unit = closed.sum([dim for dim in range(closed.dim()) if dim != unit]).to(wide).reshape(-1)
    judged, passed, expected = _passed(module, x, heard.options, rows)
    parts = [
        torch.tensor(x.numel(), dtype=wide, device=x.device),
        *_two_sums(x, wide),
        *_two_sums(y, wide),
        (~torch.isfinite(x)).sum(),
        (~torch.isfinite(y)).sum(),
        per_unit.sum(),
        judged,
        passed,
        expected,
    ]
    response = _response(x, y, grid.to(x), wide) if depends_on_others(module) else []
    return torch.cat([torch.stack([part.to(wide) for part in parts]), *response, per_unit])


def _response(x: Tensor, y: Tensor, grid: Tensor, wide: torch.dtype) -> list[Tensor]:
    """Return how many inputs lie nearest to each point of the grid, and the sum of their outputs; none beyond it."""
    counts, sums = torch.zeros(2, len(grid), dtype=wide, device=x.device)
    if x.shape == y.shape:
        half = (grid[1] - grid[0]) / 2
        flat, outputs = x.reshape(-1), y.reshape(-1).to(wide)
        inside = (flat > grid[0] - half) & (flat < grid[-1] + half)
        nearest = torch.bucketize(flat, grid[:-1] + half)
        counts.index_add_(0, nearest, inside.to(wide))
        sums.index_add_(0, nearest, torch.where(inside, outputs, 0.0))
    return [counts, sums]


def _rows(x: Tensor, max_entries: int) -> int:
    return max(1, min(len(x), max_entries * len(x) // max(x.numel(), 1))) if x.dim() else 1


def _two_sums(values: Tensor, wide: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the sum and the sum of squares; the variance comes first, so that a large mean costs no digits."""
    mean = values.mean()
    variance = (values - mean).square().mean()
    mean, count = mean.to(wide), values.numel()
    return mean * count, (variance.to(wide) + mean.square()) * count


def _closed(module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    if depends_on_others(module) or x.shape != y.shape:
        return (y.abs() <= CLOSED * x.abs()) & (x != 0) if x.shape == y.shape else torch.zeros_like(y, dtype=torch.bool)
    with torch.enable_grad():
        point = x.detach().clone().requires_grad_()
        value = _call(module, point)
        if not value.requires_grad:
            return torch.ones_like(x, dtype=torch.bool)  # a constant
        (slope,) = torch.autograd.grad(value.sum(), point)
    return slope.abs() < CLOSED


def _call(module: nn.Module, x: Tensor) -> Tensor:
    """Compute an activation as it is, without its hooks; one that works in place gets a copy."""
    return module.forward(x + 0 if getattr(module, "inplace", False) else x)


def _passed(module: nn.Module, x: Tensor, options: dict[str, Any], rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return how many entries ASH judged, how many lie above its threshold, how many would in a normal sample."""
    if not isinstance(module, ASH):
        none = torch.zeros((), device=x.device)
        return none, none, none
    with torch.no_grad():
        mask, batch = (None if options.get(key) is None else options[key][:rows] for key in ("mask", "batch"))
        z = module.per_unit(module.z.to(x.dtype), x)
        if module.threshold == "quantile":
            mask = None if mask is None else align_mask(mask, x)
            level = sample_quantile(x, z, reduced_dimensions(x, module.dims, module.channel_dim), mask)
        else:
            mean, std = sample_statistics(
                x, module.dims, eps=module.eps, mask=mask, batch=batch, channel_dim=module.channel_dim
            )
            level = mean + z * std
        counted = torch.ones_like(x, dtype=torch.bool) if mask is None else align_mask(mask, x).expand_as(x)
        normal = 0.5 * torch.special.erfc(z / math.sqrt(2))
        return counted.sum(), ((x > level) & counted).sum(), (normal * counted).sum()


@dataclass(frozen=True)
class Findings:
    """Sums of one activation in one step, read off.

    Args:
        sums: As `sums_of` gives them, on the CPU, added up over calls and ranks.
        points: Number of points of the grid, where the sums hold the response; else 0.

    Example:
        >>> x = torch.tensor([[-2.0, 1.0], [-1.0, 3.0]])
        >>> found = Findings(sums_of(Heard("relu", 0, x, x.relu(), {}), nn.ReLU(), 100, torch.arange(3)), 0).row()
        >>> found["saturated"], found["dead"], round(found["gain"], 3)
        (0.5, 0.5, 0.638)
    """

    sums: Tensor
    points: int

    def response(self) -> Tensor:
        """Return the mean output near each point of the grid, (N, 1), NaN where no input was."""
        count, total = self.sums[len(_SUMS) : len(_SUMS) + 2 * self.points].reshape(2, -1)
        return (total / count)[:, None]

    def row(self) -> dict[str, float]:
        """Return the columns of the table."""
        total: dict[str, float] = dict(zip(_SUMS, self.sums.tolist(), strict=False))
        count = total["entries"]
        x_std, y_std = (_std(total[name], total[f"{name}_squared"], count) for name in "xy")
        per_unit = self.sums[len(_SUMS) + 2 * self.points :]
        of_each = count / max(len(per_unit), 1)
        judged = total["judged"]
        return {
            "entries": count,
            "input_mean": total["x"] / count,
            "input_std": x_std,
            "output_mean": total["y"] / count,
            "output_std": y_std,
            "gain": y_std / x_std if x_std else math.nan,
            "saturated": total["closed"] / count,
            "dead": float((per_unit >= of_each).double().mean()) if len(per_unit) else math.nan,
            "non_finite_inputs": total["bad_x"] / count,
            "non_finite_outputs": total["bad_y"] / count,
            "passed_percent": 100 * total["passed"] / judged if judged else math.nan,
            "normal_percent": 100 * total["expected"] / judged if judged else math.nan,
        }


def _std(total: float, squares: float, count: float) -> float:
    variance = squares / count - (total / count) ** 2
    return math.sqrt(max(variance, 0.0)) if math.isfinite(variance) else math.nan
