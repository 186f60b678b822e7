"""What every activation of a network is fed with on given rows, and the curves it applies to that.

Legend of shapes: R rows, U units, K curves (one per layer, unit or group), S samples, N points of a grid.
"""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...activations import Activation
from ...activations.base import unit_dimension
from ...errors import InputError

__all__ = ["LearnedCurves", "curve_of_unit", "evaluate", "even_curve", "learned_curves", "seen_inputs"]

_POINTS = 257
_MOST_VALUES = 8192  # per curve: enough for quantiles of one in a thousand
# Part of the weight that lies evenly on the interval, so that a rarely visited part of it is not free.
_EVEN_SHARE = 0.02
_SMALLEST_WIDTH = 1e-6
_FLAT = 1e-9


@dataclass(frozen=True)
class LearnedCurves:
    """The curves of one activation where its inputs lie.

    Attributes:
        x: Equally spaced points over the interval of each curve, float64 (K, N).
        y: Values of the curves there, (K, N).
        weight: Weight of each point, (K, N); each row sums to 1.
        samples: Inputs that were seen, (K, S), and `sample_values`, what the curves make of them.
        coverage: Share of the seen inputs that the intervals hold.
        still: Whether the inputs of a curve do not vary, (K,).
    """

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    samples: np.ndarray
    sample_values: np.ndarray
    coverage: float
    still: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def part(self, rows: slice | np.ndarray) -> "LearnedCurves":
        """Return some of the curves."""
        arrays = (self.x, self.y, self.weight, self.samples, self.sample_values)
        x, y, weight, samples, values = (array[rows] for array in arrays)
        return LearnedCurves(x, y, weight, samples, values, self.coverage, self.still[rows])

    @property
    def spread(self) -> np.ndarray:
        """Weighted standard deviation of the values of each curve, (K,): the scale of its errors."""
        mean = (self.weight * self.y).sum(1, keepdims=True)
        return np.sqrt((self.weight * (self.y - mean) ** 2).sum(1))

    @property
    def flat(self) -> np.ndarray:
        """Whether a curve is constant where its inputs lie, or these do not vary, (K,): there is nothing to fit."""
        return self.still | ~(self.spread > _FLAT * np.maximum(1, np.abs(self.y).max(1)))

    @property
    def typical_spread(self) -> float:
        """Root mean square of the spreads."""
        return max(float(np.sqrt(np.mean(self.spread**2))), 1e-300)


def seen_inputs(model: nn.Module, batches: Iterable[Any], paths: Iterable[str], max_rows: int) -> dict[str, Tensor]:
    """Run rows through a network in evaluation mode and return the inputs of some of its modules.

    Args:
        model: The network or task; its modes are restored.
        batches: Tensors, or tuples whose first entry is the input.
        paths: Modules to listen at.
        max_rows: Rows after which no further batch is read.

    Returns:
        For each path that was called, its inputs as (values, U) in float64, units last.

    Raises:
        InputError: If there is no batch, or a batch is not of these kinds.
    """
    heard: dict[str, list[Tensor]] = {path: [] for path in paths}
    hooks = [model.get_submodule(path).register_forward_pre_hook(_listen(heard[path])) for path in heard]
    modes = {module: module.training for module in model.modules()}
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    rows = 0
    try:
        model.eval()
        with torch.no_grad():
            for batch in batches:
                x = _input_of(batch)
                model(x.to(device))
                rows += len(x)
                if rows >= max_rows:
                    break
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training
    if not rows:
        raise InputError("batches is empty; it must hold the rows on which the inputs of the curves are measured")
    return {path: torch.cat(parts) for path, parts in heard.items() if parts}


def _listen(parts: list[Tensor]) -> Any:
    def hook(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        x = arguments[0].detach()
        dim = unit_dimension(x, getattr(module, "channel_dim", None))
        parts.append(x.movedim(dim, -1).reshape(-1, x.shape[dim]).double().cpu())

    return hook


def _input_of(batch: Any) -> Tensor:
    first = batch[0] if isinstance(batch, (tuple, list)) and batch else batch
    if not isinstance(first, Tensor):
        raise InputError(f"a batch is a {type(first).__name__}; it must be a tensor or a tuple that begins with one")
    return first


def learned_curves(module: Activation, inputs: Tensor, coverage: float) -> LearnedCurves:
    """Read the curves of an activation over the inputs that it was seen to get.

    Args:
        module: An elementwise activation with one curve, one per unit, or one per group of units.
        inputs: (values, U) of float64, from `seen_inputs`.
        coverage: Share of the inputs that the interval of each curve holds, between its outer quantiles.
    """
    owner = curve_of_unit(module, inputs.shape[1])
    samples = _pooled(inputs.numpy(), owner)
    margin = (1 - coverage) / 2
    low, high = np.quantile(samples, [margin, 1 - margin], axis=1)
    still = high - low <= _SMALLEST_WIDTH * np.maximum(1, np.abs(low))
    high = np.where(still, low + _SMALLEST_WIDTH, high)
    x = np.linspace(low, high, _POINTS, axis=1)
    weight = np.stack([_density(row, points) for row, points in zip(samples, x, strict=True)])
    values = evaluate(module, np.concatenate([x, samples], axis=1), owner)
    return LearnedCurves(x, values[:, :_POINTS], weight, samples, values[:, _POINTS:], coverage, still)


def evaluate(module: nn.Module, x: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return the values of every curve of a module at its own points: (K, N) to (K, N), in float64."""
    twin: Any = copy.deepcopy(module).double().cpu().eval()
    if getattr(twin, "channel_dim", None) is not None:
        twin.channel_dim = 1
    units = np.array([int(np.argmax(owner == curve)) for curve in range(len(x))])
    wide = x[owner] if len(x) > 1 else x
    with torch.no_grad():
        values = twin(torch.from_numpy(np.ascontiguousarray(wide.T))).numpy().T
    return values[units] if len(x) > 1 else values


def curve_of_unit(module: Activation, units: int) -> np.ndarray:
    """Return which curve each unit uses, (U,)."""
    if module.num_parameters == 1:
        return np.zeros(units, dtype=int)
    return np.arange(units) if module.groups is None else module.groups.cpu().numpy()


def _pooled(inputs: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return equally many inputs of every curve, (K, S): those of all its units, thinned evenly."""
    pooled = [inputs[:, owner == curve].reshape(-1) for curve in range(owner.max() + 1)]
    count = min(_MOST_VALUES, *map(len, pooled), len(pooled[0]))
    return np.stack([values[np.linspace(0, len(values) - 1, count).astype(int)] for values in pooled])


def _density(samples: np.ndarray, points: np.ndarray) -> np.ndarray:
    edges = np.concatenate([points[:1], (points[1:] + points[:-1]) / 2, points[-1:]])
    counts = np.histogram(samples, edges)[0].astype(float)
    return (1 - _EVEN_SHARE) * counts / max(counts.sum(), 1) + _EVEN_SHARE / len(points)


def even_curve(function: Callable[[Tensor], Tensor], low: float, high: float) -> LearnedCurves:
    """Return one curve of a function with equal weight everywhere on an interval."""
    x = np.linspace(low, high, _POINTS)[None]
    with torch.no_grad():
        y = function(torch.from_numpy(x)).numpy()
    weight = np.full_like(x, 1 / _POINTS)
    return LearnedCurves(x, y, weight, x, y, 1.0, np.array([False]))
