"""Blocks of replicas as views: what a block learns, the whole has learned."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .leaves import StackedLeaf

__all__ = ["Link", "add_gradients", "link_block"]


class Link(NamedTuple):
    """A parameter of all replicas, where a block's rows lie in it, and the block's parameter, a view of these rows."""

    whole: nn.Parameter
    rows: slice
    part: nn.Parameter


def link_block(stacked: nn.Module, block: nn.Module, first: int) -> list[Link]:
    """Make the values of a block views of those of all replicas.

    Args:
        stacked: The network of all replicas.
        block: The network of some that follow each other.
        first: Place of the first of these.
    """
    links: list[Link] = []
    for whole, part in zip(stacked.modules(), block.modules(), strict=True):
        if whole is part:  # an activation without values serves both
            continue
        for name, value in whole.named_parameters(recurse=False):
            rows = _rows(whole, part, name, first)
            view = nn.Parameter(value.detach()[rows], value.requires_grad)
            part._parameters[name] = view
            links.append(Link(value, rows, view))
        for name, value in whole.named_buffers(recurse=False):
            is_stacked = isinstance(whole, StackedLeaf)
            part._buffers[name] = value[_rows(whole, part, name, first)] if is_stacked else value
    return links


def _rows(whole: nn.Module, part: nn.Module, name: str, first: int) -> slice:
    if isinstance(whole, StackedLeaf) and isinstance(part, StackedLeaf):
        return whole.rows(name, first, first + part.count)
    return slice(first, first + _count(part))


def _count(block: nn.Module) -> int:
    return next(module.count for module in block.modules() if isinstance(module, StackedLeaf))


def add_gradients(loss: Tensor, links: Sequence[Link]) -> None:
    """Add the gradients of a block's loss to those of the whole."""
    wanted = [link for link in links if link.whole.requires_grad]
    gradients = torch.autograd.grad(loss, [link.part for link in wanted], allow_unused=True)
    places, values = [], []
    for (whole, rows, _), gradient in zip(wanted, gradients, strict=True):
        if gradient is None:
            continue
        if whole.grad is None:
            whole.grad = torch.zeros_like(whole)
        places.append(whole.grad[rows])
        values.append(gradient)
    torch._foreach_add_(places, values)
