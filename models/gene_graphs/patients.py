"""Patients one by one through layers that share nothing between patients, several side by side in threads.

On a processor the states of one patient stay in the cache, and two threads that take a patient each wait for one
another much less than two threads that share every operation.
Legend of shapes: G genes, P pathways, B patients, D width, E edges, H heads.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from ...activations.base import is_activation, is_elementwise
from ..layers._eager import is_plain
from ..workers import count_workers, for_each
from .attention import is_listened_to
from .channel_dropout import ChannelDropout

__all__ = ["PatientLayers"]

Run = Callable[[Tensor, torch.Generator | None], tuple[Tensor, Tensor]]


class PatientLayers(nn.Module):
    """Base class of layers from expression to pathways that treat every patient by itself.

    A subclass says in `states` what they do.
    """

    def forward(self, expression: Tensor) -> tuple[Tensor, Tensor]:
        """Return pathways (P, B, D) and attention weights (B, E, H) of expression (G, B)."""
        if not self._is_apart(expression):
            return self.states(expression, None)
        seeds: list[int | None] = [None] * expression.shape[1]
        if self._draws():
            # A generator per patient: what is drawn does not depend on who comes first.
            seeds = torch.randint(1 << 62, (len(seeds),)).tolist()
        has_backward = torch.is_grad_enabled()  # inside the function nothing says so
        return OneByOne.apply(expression, self.states, seeds, has_backward, *self.parameters())  # type: ignore[return-value]

    def states(self, expression: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Return the same for all patients at once, with random numbers of a generator."""
        raise NotImplementedError

    def _is_apart(self, expression: Tensor) -> bool:
        """Whether patients may go one by one: on a processor, where nobody looks into the layers."""
        return (
            expression.device.type == "cpu"
            and expression.shape[1] > 0
            and is_plain()
            and not is_listened_to(self)
            # buffers may count what the whole batch brings
            and all(is_elementwise(item) and not [*item.buffers()] for item in self.modules() if is_activation(item))
        )

    def _draws(self) -> bool:
        """Whether random numbers are drawn now."""
        return self.training and any(item.p > 0 for item in self.modules() if isinstance(item, ChannelDropout))


class OneByOne(Function):
    """Run a function of one patient for all of them, each with an autograd graph of its own."""

    @staticmethod
    def forward(
        ctx: Any, expression: Tensor, run: Run, seeds: list[int | None], has_backward: bool, *parameters: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return pathways (P, B, D) and attention weights (B, E, H), which have no gradient."""
        ctx.options = run, seeds, has_backward and any(ctx.needs_input_grad)
        found = _graphs(expression, ctx)
        if has_backward:
            ctx.save_for_backward(expression, *parameters)
            ctx.graphs = [(x, pathways) for x, pathways, _ in found]
        weights = torch.cat([item for *_, item in found])
        ctx.mark_non_differentiable(weights)
        return torch.cat([pathways.detach() for _, pathways, _ in found], 1), weights

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of expression and parameters."""
        expression, *parameters = ctx.saved_tensors
        needs = [ctx.needs_input_grad[0], *ctx.needs_input_grad[4:]]
        if torch.is_grad_enabled():
            found = _differentiable_backward(ctx, gradients[0])
        else:
            # Graphs serve once; who goes back again pays for new ones.
            graphs = ctx.graphs or [(x, pathways) for x, pathways, _ in _graphs(expression, ctx)]
            ctx.graphs = None
            wanted = [item for item, is_needed in zip(parameters, needs[1:], strict=True) if is_needed]
            found = _summed(graphs, gradients[0], wanted, needs[0])
        each = iter(found)
        first, *others = (next(each) if is_needed else None for is_needed in needs)
        return first, None, None, None, *others


def _graphs(expression: Tensor, ctx: Any) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return of every patient: expression (G, 1), pathways (P, 1, D) and attention weights."""
    run, seeds, has_backward = ctx.options

    def one(place: int) -> tuple[Tensor, Tensor, Tensor]:
        # Whether gradients are wanted is known to one thread.
        with torch.set_grad_enabled(has_backward):
            x = expression[:, place : place + 1].detach()
            if has_backward and ctx.needs_input_grad[0]:
                x.requires_grad_()
            return x, *run(x, _generator(seeds[place]))

    return for_each(one, range(expression.shape[1]), count_workers())


def _generator(seed: int | None) -> torch.Generator | None:
    return None if seed is None else torch.Generator().manual_seed(seed)


def _summed(
    graphs: list[tuple[Tensor, Tensor]], gradient: Tensor, wanted: list[Tensor], with_expression: bool
) -> list[Tensor]:
    """Return the gradient of the expression, if asked for, and the sums of those of the parameters."""

    def one(place: int) -> tuple[Tensor, ...]:
        x, pathways = graphs[place]
        graphs[place] = (x, x)  # memory goes as the patients do
        inputs = [x, *wanted] if with_expression else wanted
        return torch.autograd.grad(pathways, inputs, gradient[:, place : place + 1])

    found = for_each(one, range(len(graphs)), count_workers())
    columns = list(zip(*found, strict=True))
    first = [torch.cat(columns.pop(0), 1)] if with_expression else []
    return first + [torch.stack(column).sum(0) for column in columns]


def _differentiable_backward(ctx: Any, gradient: Tensor) -> list[Tensor]:
    """Return the same as functions that can be differentiated again."""
    expression, *parameters = ctx.saved_tensors
    run, seeds, _ = ctx.options
    patients = zip(expression.split(1, dim=1), seeds, strict=True)
    pathways = torch.cat([run(x, _generator(seed))[0] for x, seed in patients], 1)
    needs = [ctx.needs_input_grad[0], *ctx.needs_input_grad[4:]]
    wanted = [item for item, is_needed in zip([expression, *parameters], needs, strict=True) if is_needed]
    return list(torch.autograd.grad(pathways, wanted, gradient, create_graph=True))
