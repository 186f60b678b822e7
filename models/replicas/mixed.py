"""Activations that are different functions, or functions of different settings, as one module.

Values lie one replica after the other in flat tensors: those that are trained, and by type those that are not.
Legend of shapes: R replicas, B batch, N units.
"""

from collections.abc import Iterator, Sequence
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ...activations.base import is_plain_elementwise
from .checks import are_alike
from .leaves import StackedLeaf

__all__ = ["MixedActivation", "Run", "call_plain"]

_TRAINED = "trained"


class _Place(NamedTuple):
    """Where one value of one replica lies."""

    tensor: str
    start: int
    shape: torch.Size

    @property
    def end(self) -> int:
        return self.start + prod(self.shape)


class Run(NamedTuple):
    """Replicas from `first` to before `last`, side by side, that one call of one module serves."""

    first: int
    last: int
    module: nn.Module


class MixedActivation(StackedLeaf):
    """One activation per replica, each called on its own part of the batch; equal neighbours share a call.

    Args:
        modules: The activation of every replica: whatever can be stacked, in any mixture.

    Example:
        >>> mixed = MixedActivation([nn.ReLU(), nn.Tanh(), nn.Tanh()])
        >>> mixed(-torch.ones(2, 1))[:, 0, 0], len(mixed.runs)
        (tensor([ 0.0000, -0.7616, -0.7616]), 2)
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__(modules)
        self._places: list[dict[str, _Place]] = []
        self._starts: dict[str, list[int]] = {_TRAINED: []}
        self._take_over(modules)
        # not registered: their own values take no part
        self._modules_of = tuple(modules)
        self.runs = tuple(_runs(modules))

    def _take_over(self, modules: Sequence[nn.Module]) -> None:
        pieces: dict[str, list[Tensor]] = {_TRAINED: []}
        ends: dict[str, int] = {_TRAINED: 0}
        for module in modules:
            for name, start in ends.items():
                self._starts[name].append(start)
            places = {}
            for name, value in _values_of(module):
                tensor = _TRAINED if isinstance(value, nn.Parameter) and value.requires_grad else _kept_name(value)
                if tensor not in pieces:
                    pieces[tensor], ends[tensor], self._starts[tensor] = [], 0, [0] * len(self._starts[_TRAINED])
                places[name] = _Place(tensor, ends[tensor], value.shape)
                pieces[tensor].append(value.detach().flatten())
                ends[tensor] += value.numel()
            self._places.append(places)
        for name, end in ends.items():
            self._starts[name].append(end)
            value = torch.cat(pieces[name]) if pieces[name] else torch.zeros(0)
            if name == _TRAINED:
                self.trained = nn.Parameter(value)
            else:
                self.register_buffer(name, value)

    def rows(self, name: str, first: int, last: int) -> slice:
        """Values of a replica lie between those of its neighbours."""
        starts = self._starts.get(name)
        return slice(0, 0) if starts is None else slice(starts[first], starts[last])

    def values(self, replica: int) -> dict[str, Tensor]:
        """Return copies of the values of one replica, by their names in its own activation."""
        return {name: value.detach().clone() for name, value in self.views(replica).items()}

    def views(self, replica: int) -> dict[str, Tensor]:
        """Return the values of one replica where they lie, by their names in its own activation."""
        return {
            name: getattr(self, place.tensor)[self.span(replica, name)].view(place.shape)
            for name, place in self._places[replica].items()
        }

    def trained_names(self, replica: int) -> list[str]:
        """Return the names of the trained values of one replica."""
        return [name for name, place in self._places[replica].items() if place.tensor == _TRAINED]

    def span(self, replica: int, name: str) -> slice:
        """Return where a value lies in its flat tensor."""
        place = self._places[replica][name]
        return slice(place.start, place.end)

    def assign(self, replica: int, name: str, value: Tensor) -> None:
        """Set a value of one replica, by its name in its own activation."""
        self.views(replica)[name].detach().copy_(value)

    def forward(self, x: Tensor) -> Tensor:
        """Map (R, B, N), or (B, N) for all, to (R, B, N)."""
        x = x.expand(self.count, -1, -1) if x.dim() == 2 else x
        # units first, as other leaves lay their batches
        parts = x.split([run.last - run.first for run in self.runs])
        return torch.cat([self.call(run, part).mT for run, part in zip(self.runs, parts, strict=True)]).mT

    def call(self, run: Run, x: Tensor) -> Tensor:
        """Map the part (r, B, N) of a run."""
        module = run.module.train(self.training)
        if is_plain_elementwise(module):
            return call_plain(module, x)
        return functional_call(module, self.views(run.first), (x[0],))[None]


def call_plain(module: nn.Module, x: Tensor) -> Tensor:
    """Apply an activation without values; not over x itself, which is a part of what others get."""
    return module(x.clone() if getattr(module, "inplace", False) else x)


def _values_of(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield what a module's state holds; other buffers, such as the labels of units, are part of the architecture."""
    persistent = module.state_dict(keep_vars=True)
    yield from ((name, value) for name, value in persistent.items() if isinstance(value, Tensor))


def _kept_name(value: Tensor) -> str:
    kind = "float" if value.is_floating_point() else str(value.dtype).removeprefix("torch.")
    return f"kept_{kind}"


def _runs(modules: Sequence[nn.Module]) -> Iterator[Run]:
    first = 0
    while first < len(modules):
        last, module = first + 1, modules[first]
        if is_plain_elementwise(module):
            while last < len(modules) and are_alike([module, modules[last]]):
                last += 1
        yield Run(first, last, module)
        first = last
