"""Which entries of the stacked values belong to which replica.

Legend of shapes: R replicas, N rows of a parameter.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from .leaves import StackedLeaf

__all__ = ["clear_optimizer", "clip_norms", "row_owners"]


def row_owners(stacked: nn.Module, count: int) -> Iterator[tuple[nn.Parameter, Tensor]]:
    """Yield every trainable parameter with the replica, int64 (N,), that each of its rows belongs to."""
    for module in stacked.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad:
                yield parameter, _owners(module, name, count).to(parameter.device)


def _owners(module: nn.Module, name: str, count: int) -> Tensor:
    replicas = torch.arange(count)
    if not isinstance(module, StackedLeaf):
        return replicas
    starts = [module.rows(name, replica, replica + 1).start for replica in range(count)]
    ends = [*starts[1:], module.rows(name, count - 1, count).stop]
    return replicas.repeat_interleave(torch.tensor([end - start for start, end in zip(starts, ends, strict=True)]))


def clip_norms(stacked: nn.Module, count: int, most: float) -> Tensor:
    """Scale the gradient of every replica to a norm of at most `most`, as `clip_grad_norm_` does for one network.

    Returns:
        The norms (R,) before.
    """
    owned = [(parameter.grad, owner) for parameter, owner in row_owners(stacked, count) if parameter.grad is not None]
    if not owned:
        return torch.zeros(count)
    squares = torch.zeros(count, dtype=owned[0][0].dtype, device=owned[0][0].device)
    for gradient, owner in owned:
        squares.index_add_(0, owner, gradient.flatten(1).square().sum(1) if gradient.dim() > 1 else gradient.square())
    norms = squares.sqrt()
    factors = (most / (norms + 1e-6)).clamp(max=1.0)
    for gradient, owner in owned:
        gradient.mul_(factors[owner].view(-1, *[1] * (gradient.dim() - 1)))
    return norms


def clear_optimizer(stacked: nn.Module, count: int, optimizer: Optimizer, replica: int) -> None:
    """Set what an optimizer remembers of one replica to 0."""
    for parameter, owner in row_owners(stacked, count):
        for value in optimizer.state.get(parameter, {}).values():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                value[owner == replica] = 0
