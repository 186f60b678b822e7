"""Blocks of replicas as views: what a block learns, the whole has learned."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .leaves import StackedLeaf

__all__ = ["Gradients", "Link", "link_block"]


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


class Gradients:
    """Adds the gradients of blocks to those of the whole, whose memory is kept from step to step."""

    def __init__(self) -> None:
        self._kept: dict[int, Tensor] = {}
        self._places: dict[int, Tensor] = {}

    def prepare(self, links: Iterable[Sequence[Link]]) -> None:
        """Give every parameter that learns its gradient's memory, before several threads add to it."""
        for block in links:
            for link in block:
                if link.whole.requires_grad:
                    self._place(link)

    def add(self, loss: Tensor, links: Sequence[Link]) -> None:
        """Differentiate a block's loss and add what comes out.

        Args:
            loss: A number.
            links: The parameters of the block.
        """
        wanted = [link for link in links if link.whole.requires_grad]
        found = torch.autograd.grad(loss, [link.part for link in wanted], allow_unused=True)
        pairs = [(link, value) for link, value in zip(wanted, found, strict=True) if value is not None]
        if pairs:
            torch._foreach_add_([self._place(link) for link, _ in pairs], [value for _, value in pairs])  # pyright: ignore[reportPrivateImportUsage]

    def _place(self, link: Link) -> Tensor:
        whole, rows, part = link
        kept = self._kept.get(id(whole))
        if whole.grad is None:
            whole.grad = torch.zeros_like(whole) if kept is None else kept.zero_()
        if kept is None or whole.grad is not kept:
            self._kept[id(whole)] = kept = whole.grad
            self._places.clear()
        if id(part) not in self._places:
            self._places[id(part)] = kept[rows]
        return self._places[id(part)]
