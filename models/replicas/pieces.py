"""Elementwise activations of many replicas in few passes: forward finds the slopes too, backward is one product.

Replicas are taken one after the other, so that what a formula needs on the way stays in the processor's cache.
Legend of shapes: R replicas, N units, B batch; a piece's part is (r, N, B), masks are (1, N, B) or (R, N, B).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ...activations import Formula
from ...activations.base import is_plain_elementwise
from ...activations.formula.slopes import SlopeProgram, compile_slopes
from .mixed import MixedActivation, Run, call_plain

__all__ = ["Pieces", "pieces_of"]

# Entries that go through a formula together; twice as many leave the cache.
_ENTRIES = 1 << 16


class _Graph(NamedTuple):
    """An activation with trained values that waits for its gradient."""

    replica: int
    input: Tensor
    values: dict[str, Tensor]
    output: Tensor


class _Run(NamedTuple):
    """Neighbours that share a function, with its program if there is one, and what a normalised formula adds."""

    run: Run
    program: SlopeProgram | None
    has_graph: bool
    affine: tuple[int, int] | None


class Pieces(NamedTuple):
    """What a layer's activations are made of.

    Attributes:
        activation: Where their values are; None without values.
        runs: Neighbours of one function.
        registers: Most registers that a program needs beside x.
    """

    activation: MixedActivation | None
    runs: tuple[_Run, ...]
    registers: int

    def forward(self, y: Tensor, mask: Tensor | None) -> tuple[Tensor, list[_Graph]]:
        """Write activation times mask over (R, N, B); return slope times mask, and what has no slope yet."""
        slope, graphs = torch.empty_like(y), []
        step = max(1, _ENTRIES // (y.shape[1] * y.shape[2]))
        parts = [part for run in self.runs for part in _parts(run, step)]
        sizes = [size for _, size in parts]
        most = max(sizes)
        scratch = y.new_empty(self.registers, most, *y.shape[1:])
        registers = {most: scratch.unbind()}
        zero = y.new_zeros(())
        kept = self._kept()
        masks = [mask] * len(sizes) if mask is None or mask.shape[0] == 1 else mask.split(sizes)
        for (run, size), own_y, own_slope, own_mask in zip(
            parts, y.split(sizes), slope.split(sizes), masks, strict=True
        ):
            if run.has_graph:
                graphs.append(self._graph(run.run, own_y[0], own_slope[0], own_mask))
            elif run.program is None:
                _by_autograd(run.run.module, own_y, own_slope, own_mask)
            else:
                if size not in registers:
                    registers[size] = scratch[:, :size].unbind()
                affine = (0.0, 1.0) if run.affine is None else (kept[run.affine[0]], kept[run.affine[1]])
                _by_program(run.program, own_y, own_slope, registers[size], own_mask, affine, zero)
        return slope, graphs

    def _kept(self) -> list[float]:
        """Return the values that are not trained: a state may change them."""
        kept = getattr(self.activation, "kept_float", None)
        return [] if kept is None else kept.tolist()

    def _graph(self, run: Run, y: Tensor, slope: Tensor, mask: Tensor | None) -> _Graph:
        """Apply an activation with values to (N, B) of one replica, and leave the mask where the slope belongs."""
        assert self.activation is not None  # noqa: S101
        place = run.first
        trained = self.activation.trained_names(place)
        values = {
            name: value.detach().requires_grad_(name in trained) for name, value in self.activation.views(place).items()
        }
        with torch.enable_grad():
            x = y.clone().requires_grad_()
            out = functional_call(run.module.train(), values, (x.t(),)).t()
        if mask is None:
            y.copy_(out.detach())
            slope.fill_(1.0)
        else:
            torch.mul(out.detach(), mask[0], out=y)
            slope.copy_(mask[0])
        return _Graph(place, x, {name: values[name] for name in trained}, out)

    def backward(
        self, g: Tensor, slope: Tensor, graphs: Sequence[_Graph], trained: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Return the gradient of (R, N, B), which takes the slope's place, and that of the trained values."""
        slope.mul_(g)
        found = None if trained is None else torch.zeros_like(trained)
        for graph in graphs:
            wanted = [graph.input, *graph.values.values()]
            gradients = torch.autograd.grad(graph.output, wanted, slope[graph.replica], allow_unused=True)
            slope[graph.replica] = 0.0 if gradients[0] is None else gradients[0]
            for name, value in zip(graph.values, gradients[1:], strict=True):
                if found is not None and self.activation is not None and value is not None:
                    found[self.activation.span(graph.replica, name)] = value.flatten()
        return slope, found


def pieces_of(activation: nn.Module, count: int) -> Pieces | None:
    """Return the pieces of the activations of a layer of `count` replicas, or None if they are of another kind."""
    if isinstance(activation, MixedActivation):
        values, runs = activation, activation.runs
    elif isinstance(activation, Formula) and compile_slopes(activation.program) is not None:
        values, runs = None, (Run(0, count, activation),)
    else:  # torch's own differentiation of all at once is as good
        return None
    known = tuple(_known(run, values) for run in runs)
    most = max((run.program.registers for run in known if run.program is not None), default=1)
    return Pieces(values, known, most - 1)


def _known(run: Run, activation: MixedActivation | None) -> _Run:
    module, program, affine = run.module, None, None
    if isinstance(module, Formula) and not module.program.constants:
        program = compile_slopes(module.program)
        if module.normalize and activation is not None:
            shift, scale = (activation.span(run.first, name).start for name in ("output_shift", "output_scale"))
            affine = (shift, scale)
    has_graph = program is None and not is_plain_elementwise(module)
    return _Run(run, program, has_graph, affine)


def _parts(run: _Run, step: int) -> Iterator[tuple[_Run, int]]:
    """Yield a run with the numbers of replicas that go through together."""
    for start in range(run.run.first, run.run.last, step):
        yield run, min(step, run.run.last - start)


def _by_program(
    program: SlopeProgram,
    y: Tensor,
    slope: Tensor,
    scratch: Sequence[Tensor],
    mask: Tensor | None,
    affine: tuple[float, float],
    zero: Tensor,
) -> None:
    (factor, _), (slope_factor, at), (shift, scale) = program.value, program.slope, affine
    registers = [y, *scratch]
    if at:  # the slope is found where it belongs
        registers[at] = slope
    value, found = program.run(registers)
    _times(found, mask, slope_factor * scale, slope, zero)
    if shift:
        value = torch.sub(value, shift / factor, out=value)
    _times(value, mask, factor * scale, y, zero)


def _times(value: Tensor | None, mask: Tensor | None, factor: float, out: Tensor, zero: Tensor) -> None:
    """Write the product of a tensor (None: 1), a mask (None: 1) and a number."""
    if value is None:
        out.fill_(factor) if mask is None else torch.mul(mask.expand_as(out), factor, out=out)
    elif mask is not None:
        torch.addcmul(zero, value, mask, value=factor, out=out)
    elif factor != 1:
        torch.mul(value, factor, out=out)
    elif value.data_ptr() != out.data_ptr():
        out.copy_(value)


def _by_autograd(module: nn.Module, y: Tensor, slope: Tensor, mask: Tensor | None) -> None:
    x = y.detach().requires_grad_()
    with torch.enable_grad():
        out = call_plain(module.train(), x)
    given = torch.ones_like(y) if mask is None else mask.expand_as(y)
    # before x is written over
    slope.copy_(torch.autograd.grad(out, x, given)[0] if out.requires_grad else torch.zeros_like(y))
    y.copy_(out.detach()) if mask is None else torch.mul(out.detach(), mask, out=y)
