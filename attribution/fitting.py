"""The plain training of the checks that train networks themselves.

Legend of shapes: B batch, N rows, F columns.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..models import EdgeLinear, combined
from ..randomness import derive_seed

__all__ = ["FitOptions", "fit_network"]


@dataclass(frozen=True)
class FitOptions:
    """How a network is trained: Adam, a learning rate that falls to 0 as a cosine, the last weights.

    Args:
        epochs: Passes over the rows.
        learning_rate: The first one.
        batch_size: Rows per step; rows that fill no batch wait for the next epoch's order.
        l1: What the sum of the sizes of the edges' weights counts in the loss.
        l2: What the sum of their squares counts.

    Raises:
        InputError: If a number is out of range.

    Example:
        >>> FitOptions(epochs=50, l2=1e-3).batch_size
        64
    """

    epochs: int = 200
    learning_rate: float = 0.01
    batch_size: int = 64
    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        for key, least in (("epochs", 1), ("batch_size", 2)):
            if getattr(self, key) < least:
                raise InputError(f"{key} is {getattr(self, key)}; it must be at least {least}")
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate is {self.learning_rate}; it must be positive")
        for key in ("l1", "l2"):
            if not getattr(self, key) >= 0:
                raise InputError(f"{key} is {getattr(self, key)}; it must not be negative")


def fit_network(
    network: nn.Module,
    x: Tensor,
    target: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    options: FitOptions,
    seed: int,
) -> nn.Module:
    """Train a network in place, and return it in evaluation mode.

    Args:
        network: Maps (B, F) to (B, 1).
        x: (N, F) rows.
        target: (N,)
        loss: Of outputs (B,) and targets (B,).
        options: How.
        seed: Seed of the order of the rows and of dropout; torch's own random state is given back.

    Example:
        >>> x = torch.randn(256, 2, generator=torch.Generator().manual_seed(0))
        >>> options = FitOptions(epochs=50, learning_rate=0.1)
        >>> network = fit_network(nn.Linear(2, 1), x, x[:, 0], nn.functional.mse_loss, options, seed=0)
        >>> bool((network.weight - torch.tensor([1.0, 0.0])).abs().max() < 1e-3)
        True
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=options.learning_rate)
    size = min(options.batch_size, len(x))
    steps = len(x) // size
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs * steps)
    weights = [module.weight for module in network.modules() if isinstance(module, EdgeLinear)]
    network.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "fit"))
        for _ in range(options.epochs):
            for rows in torch.randperm(len(x))[: steps * size].view(steps, size):
                optimizer.zero_grad()
                value = loss(combined(network(x[rows])).flatten(), target[rows])
                (value + _penalty(weights, options)).backward()
                optimizer.step()
                schedule.step()
    return network.eval()


def _penalty(weights: list[nn.Parameter], options: FitOptions) -> Tensor | float:
    found: Tensor | float = 0.0
    for weight in weights:
        found = found + options.l1 * weight.abs().sum() if options.l1 else found
        found = found + options.l2 * weight.square().sum() if options.l2 else found
    return found
