"""A layer of GraphSAGE over genes and pathways in eager mode, as one node of the autograd graph.

What linear map, means and both kinds of nodes contribute is added up in place, forward and backward; as separate nodes
they would each write states of all nodes.
Legend of shapes: N nodes (G genes, then P pathways), S nodes that lead to pathways, B patients, D and O channels.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from ..layers import EdgeStructure
from ..layers._kernels import product

__all__ = ["EagerSample", "Means", "composed_sample", "mean_of"]


class Means(NamedTuple):
    """A mean over sources as a sparse product."""

    structure: EdgeStructure
    shares: Tensor  # one over the number of sources, per edge
    backend: str


def mean_of(x: Tensor, means: Means, transposed: bool = False) -> Tensor:
    """Return the product for (T, B, D) of (S, B, D), or the other way around; without a gradient."""
    y = product(means.shares, x.flatten(1), means.structure, transposed, means.backend)
    return y.view(len(y), *x.shape[1:])


class EagerSample(Function):
    """Map states (N, B, D) to (N, B, O); means into genes are None where genes have no neighbours."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        neighbours: Tensor,
        itself: Tensor,
        bias: Tensor,
        to_pathways: Means,
        to_genes: Means | None,
    ) -> Tensor:
        """Return the new states."""
        pathways = to_pathways.structure.out_features
        genes = len(x) - pathways
        means = mean_of(x, to_pathways)
        y = torch.nn.functional.linear(x, itself, bias)
        y[genes:] += torch.nn.functional.linear(means, neighbours)
        if to_genes is not None:
            y[:genes] += mean_of(torch.nn.functional.linear(x[genes:], neighbours), to_genes)
        ctx.save_for_backward(x, means, neighbours, itself, bias)
        ctx.means = to_pathways, to_genes
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        """Return the gradients of states and weights."""
        x, means, neighbours, itself, bias = ctx.saved_tensors
        g, (to_pathways, to_genes) = gradients[0].contiguous(), ctx.means
        if torch.is_grad_enabled():
            return *_differentiable_backward((x, neighbours, itself, bias), g, *ctx.means), None, None
        genes = len(x) - to_pathways.structure.out_features
        dx = g @ itself
        d_neighbours = _outer(g[genes:], means)
        dx += mean_of(g[genes:] @ neighbours, to_pathways, transposed=True)
        if to_genes is not None:
            received = mean_of(g[:genes], to_genes, transposed=True)
            d_neighbours += _outer(received, x[genes:])
            dx[genes:] += received @ neighbours
        return dx, d_neighbours, _outer(g, x), g.sum((0, 1)), None, None


def _outer(left: Tensor, right: Tensor) -> Tensor:
    return left.flatten(0, 1).t() @ right.flatten(0, 1)


def composed_sample(
    x: Tensor, neighbours: Tensor, itself: Tensor, bias: Tensor, to_pathways: Any, to_genes: Any, num_genes: int
) -> Tensor:
    """Return the same in operators that anything can look into; the means are functions of states."""
    linear = torch.nn.functional.linear
    messages = [to_genes(linear(x[num_genes:], neighbours)), linear(to_pathways(x), neighbours)]
    return linear(x, itself, bias) + torch.cat(messages)


def _differentiable_backward(
    inputs: tuple[Tensor, ...], g: Tensor, to_pathways: Means, to_genes: Means | None
) -> tuple[Tensor | None, ...]:
    """Return the gradients as functions that can be differentiated again."""
    num_genes = len(inputs[0]) - to_pathways.structure.out_features

    def gathered(means: Means | None) -> Any:
        def mean(x: Tensor) -> Tensor:
            if means is None:
                return x.new_zeros(num_genes, *x.shape[1:])
            terms = x.index_select(0, means.structure.source) * means.shares.view(-1, 1, 1)
            return x.new_zeros(means.structure.out_features, *x.shape[1:]).index_add(0, means.structure.target, terms)

        return mean

    y = composed_sample(*inputs, gathered(to_pathways), gathered(to_genes), num_genes)  # type: ignore[misc]
    wanted = [item for item in inputs if item.requires_grad]
    found = iter(torch.autograd.grad(y, wanted, g, create_graph=True))
    return tuple(next(found) if item.requires_grad else None for item in inputs)
