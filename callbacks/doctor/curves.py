"""What an activation computes and holds, step by step.

Shapes: N points of the grid, U units that an activation tells apart, C units whose curves are kept.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ...activations import Activation
from ...errors import InputError
from .findings import depends_on_others

__all__ = ["History", "curve_values", "parameter_values", "value_labels"]

_MOST_CURVES = 16  # of the units of one activation
_MOST_VALUES = 64  # of one parameter; more are told by three quantiles
_MOST_TIMES = 64  # at which curves are kept


def parameter_values(module: nn.Module) -> dict[str, Tensor]:
    """Return what an activation trains, by name, one-dimensional; what it trains in disguise as what it means.

    Example:
        >>> from axonlight.activations import ASH
        >>> values = parameter_values(ASH(z=0.5, alpha=2.0))
        >>> [(name, round(value.item(), 4)) for name, value in values.items()]
        [('z', 0.5), ('alpha', 2.0)]
    """
    found = {}
    for name, parameter in module.named_parameters():
        plain = name.removeprefix("raw_")
        meant = getattr(module, plain, None) if plain != name else None
        value = (meant if isinstance(meant, Tensor) else parameter).detach().reshape(-1)
        found[plain if isinstance(meant, Tensor) else name] = value if len(value) <= _MOST_VALUES else _spread(value)
    return found


def _spread(value: Tensor) -> Tensor:
    ordered = value.sort().values
    return torch.stack([ordered[0], ordered[len(ordered) // 2], ordered[-1]])


def value_labels(module: nn.Module, name: str, count: int) -> list[str]:
    """Return what each value of a parameter belongs to: a group, a unit, a quantile of very many; "" for all units."""
    groups = getattr(module, "group_names", ())
    raw = getattr(module, f"raw_{name}", None)
    parameter = raw if isinstance(raw, Tensor) else dict(module.named_parameters()).get(name)
    if parameter is not None and parameter.numel() > count:
        return ["min", "median", "max"]
    return (
        [str(group) for group in groups]
        if len(groups) == count
        else [str(i) if count > 1 else "" for i in range(count)]
    )


def curve_values(module: nn.Module, grid: Tensor) -> Tensor | None:
    """Return the function of an elementwise activation on a grid (N,) as (N, C), C <= 16 units or groups; else None.

    Example:
        >>> curve_values(nn.ReLU(), torch.tensor([-1.0, 2.0])).flatten().tolist()
        [0.0, 2.0]
        >>> curve_values(nn.Softmax(-1), torch.tensor([-1.0, 2.0])) is None
        True
    """
    if depends_on_others(module):
        return None
    units, chosen = _units(module)
    parameter = next(module.parameters(), None)
    if parameter is not None:
        grid = grid.to(parameter)
    was_training = module.training
    try:
        with torch.no_grad():
            value = module.eval().forward(_placed(grid[:, None].repeat(1, units), module))
    except (RuntimeError, InputError, TypeError):
        return None  # an activation that takes tensors of one kind alone
    finally:
        module.train(was_training)
    return _placed_back(value, module, units)[:, chosen]


def _units(module: nn.Module) -> tuple[int, list[int]]:
    """Return the width that an activation expects and the units whose curves are drawn, one of each group."""
    groups = getattr(module, "groups", None)
    if isinstance(groups, Tensor):
        labels = groups.tolist()
        width, units = len(labels), [labels.index(group) for group in sorted(set(labels))]
    elif isinstance(module, Activation):
        width, units = module.num_parameters, list(range(module.num_parameters))
    else:
        width = max((value.numel() for value in module.parameters() if value.dim() == 1), default=1)
        units = list(range(width))
    every = torch.linspace(0, len(units) - 1, min(len(units), _MOST_CURVES)).round().long()
    return width, [units[i] for i in every.tolist()]


def _placed(x: Tensor, module: nn.Module) -> Tensor:
    """Bring (N, U) into a shape whose dimension of units is the one that an activation looks at."""
    dim = getattr(module, "channel_dim", None)
    if dim is None or dim in (1, -1):
        return x
    if dim == 0:
        return x.T
    return x.reshape(len(x), *(1,) * (dim - 1), -1) if dim > 0 else x.reshape(*x.shape, *(1,) * (-dim - 1))


def _placed_back(y: Tensor, module: nn.Module, units: int) -> Tensor:
    return y.T if getattr(module, "channel_dim", None) == 0 else y.reshape(-1, units)


@dataclass
class History:
    """Curves of one activation over training, at most 64, evenly spaced in the number of examined steps.

    Attributes:
        steps: Updates that were done before each.
        curves: The curves, each (N, C).

    Example:
        >>> history = History()
        >>> for step in range(1000):
        ...     history.add(step, torch.zeros(3, 1))
        >>> len(history.steps), history.steps[:3]
        (63, [0, 16, 32])
    """

    steps: list[int] = field(default_factory=list)
    curves: list[Tensor] = field(default_factory=list)
    seen: int = 0
    stride: int = 1

    def add(self, step: int, curve: Tensor) -> None:
        """Keep a curve, unless it falls between those that are kept."""
        if self.seen % self.stride == 0:
            self.steps.append(step)
            self.curves.append(curve)
        self.seen += 1
        if len(self.steps) > _MOST_TIMES:
            self.steps, self.curves, self.stride = self.steps[::2], self.curves[::2], 2 * self.stride
