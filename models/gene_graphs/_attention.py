"""The attention of pathways to genes in eager mode, as one node of the autograd graph.

Every edge needs a(source + target) in all channels of all heads. Both passes make them for some hundred edges of one
patient at a time, in two buffers that stay in the cache, and throw them away; what is kept per edge is one weight per
head. The sums over genes run in the sparse kernels of `models.layers`.

Legend of shapes: S sources, P pathways, B patients, D width, H heads, C channels of a head, E edges.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from ..layers._kernels import product, sampled
from .structure import AttentionEdges, chunks

__all__ = ["EdgeAttention", "composed_attention", "segment_softmax"]

# Edges whose channels lie in the buffers at a time: 512 rows of 512 channels are 1 MiB, a second-level cache. On a
# GPU a call costs more than the memory of one patient.
_EDGES_AT_A_TIME = {"cpu": 512}
_MANY_EDGES = 1 << 17


class _Work(NamedTuple):
    """Buffers and cuts that all patients share."""

    projected: Tensor  # (S, H C)
    rows: Tensor  # (n, H C)
    other: Tensor  # (n, H C)
    cuts: list[tuple[int, int, int, int]]

    @classmethod
    def of(cls, weight: Tensor, sources: int, edges: AttentionEdges) -> "_Work":
        cuts = chunks(edges.pointer, _EDGES_AT_A_TIME.get(weight.device.type, _MANY_EDGES))
        longest = max((last - first for first, last, _, _ in cuts), default=0)
        projected, rows, other = (weight.new_empty(number, len(weight)) for number in (sources, longest, longest))
        return cls(projected, rows, other, cuts)

    def sums(self, target: Tensor, edges: AttentionEdges, first: int, last: int) -> Tensor:
        """Return source plus target (n, H C) of some edges, in `rows`."""
        rows, other = self.rows[: last - first], self.other[: last - first]
        torch.index_select(self.projected, 0, edges.source[first:last], out=rows)
        torch.index_select(target, 0, edges.target[first:last], out=other)
        return rows.add_(other)


class EdgeAttention(Function):
    """Attention with a leaky ReLU inside, see `MembershipAttention`.

    Returns the sums over the edges, (P, B, C) as the mean of the heads or (P, B, H C), and the attention weights
    (B, E, H) before dropout, which have no gradient.
    """

    @staticmethod
    def forward(
        ctx: Any,
        source: Tensor,
        target: Tensor,
        weight: Tensor,
        bias: Tensor,
        attention: Tensor,
        mask: Tensor | None,
        edges: AttentionEdges,
        slope: float,
    ) -> tuple[Tensor, Tensor]:
        """Attend patient by patient."""
        patients, heads, channels = source.shape[1], *attention.shape
        work = _Work.of(weight, len(source), edges)
        targets = len(edges.pointer) - 1
        out = source.new_empty(targets, patients, edges.sums.out_features // targets * channels)
        weights = source.new_empty(patients, len(edges.source), heads)
        for patient in range(patients):
            torch.addmm(bias, source[:, patient], weight.t(), out=work.projected)
            scores = _scores(work, target[:, patient].contiguous(), attention, edges, slope)
            weights[patient] = segment_softmax(scores, edges)
            shares = _shares(weights[patient], mask, patient, edges)
            sums = product(shares, work.projected.view(-1, channels), edges.sums, False, "bag")
            out[:, patient] = sums.view(targets, -1)
        ctx.mark_non_differentiable(weights)
        ctx.save_for_backward(source, target, weight, bias, attention, mask, weights)
        ctx.options = edges, slope
        return out, weights

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of sources, targets, weight, bias and attention vectors."""
        *inputs, mask, weights = ctx.saved_tensors
        if torch.is_grad_enabled():
            found = _differentiable_backward(inputs, mask, gradients[0], *ctx.options)
        else:
            found = _backward(inputs, mask, weights, gradients[0], *ctx.options)
        return (*found, None, None, None)


def _scores(work: _Work, target: Tensor, attention: Tensor, edges: AttentionEdges, slope: float) -> Tensor:
    """Return what the softmax takes, (E, H): the attention vector times the activation of source plus target."""
    heads, channels = attention.shape
    scores = target.new_empty(heads, len(edges.source))
    for first, last, _, _ in work.cuts:
        rows = torch.nn.functional.leaky_relu_(work.sums(target, edges, first, last), slope)
        for head in range(heads):
            part = rows[:, head * channels : (head + 1) * channels]
            torch.mv(part, attention[head], out=scores[head, first:last])
    return scores.t().contiguous()


def segment_softmax(scores: Tensor, edges: AttentionEdges) -> Tensor:
    """Return the softmax of scores (E, H) over the edges of every target."""
    number = len(edges.pointer) - 1
    index = edges.target.unsqueeze(1).expand_as(scores)
    highest = scores.new_full((number, scores.shape[1]), float("-inf"))
    highest = highest.scatter_reduce(0, index, scores.detach(), "amax")
    shares = (scores - highest.index_select(0, edges.target)).exp()
    totals = shares.new_zeros(number, scores.shape[1]).index_add(0, edges.target, shares)
    return shares / totals.index_select(0, edges.target)


def _shares(weights: Tensor, mask: Tensor | None, patient: int, edges: AttentionEdges) -> Tensor:
    """Return the factor of each edge and head in the sums, (E H,)."""
    shares = weights if mask is None else weights * mask[patient]
    return (shares / _number_summed(edges)).flatten()


def _number_summed(edges: AttentionEdges) -> int:
    """Return the number of heads that one output is the mean of."""
    return edges.heads * (len(edges.pointer) - 1) // edges.sums.out_features


def _backward(
    inputs: list[Tensor], mask: Tensor | None, weights: Tensor, gradient: Tensor, edges: AttentionEdges, slope: float
) -> list[Tensor]:
    source, target, weight, bias, attention = inputs
    channels = attention.shape[1]
    work = _Work.of(weight, len(source), edges)
    found = [torch.empty_like(source), torch.empty_like(target), *(torch.zeros_like(item) for item in inputs[2:])]
    for patient in range(source.shape[1]):
        torch.addmm(bias, source[:, patient], weight.t(), out=work.projected)
        g = gradient[:, patient].reshape(-1, channels)
        projected = work.projected.view(-1, channels)
        shares = _shares(weights[patient], mask, patient, edges)
        d_projected = product(shares, g, edges.sums, True, "bag").view_as(work.projected)
        d_weights = sampled(g, projected, edges.sums, "bag").view_as(weights[patient]) / _number_summed(edges)
        d_weights = d_weights if mask is None else d_weights * mask[patient]
        d_scores = _softmax_gradient(weights[patient], d_weights, edges)
        d_target = _scores_backward(
            work, target[:, patient].contiguous(), attention, edges, slope, d_scores, d_projected, found[4]
        )
        found[0][:, patient] = d_projected @ weight
        found[1][:, patient] = d_target
        found[2].addmm_(d_projected.t(), source[:, patient])
        found[3] += d_projected.sum(0)
    return found


def _softmax_gradient(weights: Tensor, gradient: Tensor, edges: AttentionEdges) -> Tensor:
    """Return the gradient of the scores (E, H)."""
    terms = weights * gradient
    totals = terms.new_zeros(len(edges.pointer) - 1, terms.shape[1]).index_add_(0, edges.target, terms)
    return terms.sub_(weights * totals.index_select(0, edges.target))


def _scores_backward(
    work: _Work,
    target: Tensor,
    attention: Tensor,
    edges: AttentionEdges,
    slope: float,
    d_scores: Tensor,
    d_projected: Tensor,
    d_attention: Tensor,
) -> Tensor:
    """Add to the gradients of the projected sources and of the attention vectors, and return that of the targets."""
    heads, channels = attention.shape
    d_target = torch.empty_like(target)
    spread = torch.block_diag(*attention.unsqueeze(1))  # (H, H C): an edge's scores to all its channels
    by_head = d_scores.t().contiguous()
    place = torch.arange(len(work.rows), device=target.device)
    for first, last, low, high in work.cuts:
        rows = work.sums(target, edges, first, last)
        other = work.other[: last - first]
        torch.ops.aten.leaky_relu.out(rows, slope, out=other)
        for head in range(heads):
            part = other[:, head * channels : (head + 1) * channels]
            d_attention[head].addmv_(part.t(), by_head[head, first:last])
        torch.mm(d_scores[first:last], spread, out=other)
        torch.ops.aten.leaky_relu_backward.grad_input(other, rows, slope, False, grad_input=other)
        d_projected.index_add_(0, edges.source[first:last], other)
        bags = torch.embedding_bag(
            other, place[: last - first], edges.pointer[low : high + 1] - first, False, 0, False, None, True
        )
        d_target[low:high] = bags[0]
    return d_target


def composed_attention(
    source: Tensor,
    target: Tensor,
    weight: Tensor,
    bias: Tensor,
    attention: Tensor,
    mask: Tensor | None,
    edges: AttentionEdges,
    activation: Any,
) -> tuple[Tensor, Tensor]:
    """Return sums and weights of one patient from sources (S, D) and targets (P, H C), in torch's own operators.

    Any activation can stand inside; it sees edges as samples, (E, H C).
    """
    heads, channels = attention.shape
    projected = torch.nn.functional.linear(source, weight, bias)
    gathered = projected.index_select(0, edges.source)
    rows = activation(gathered + target.index_select(0, edges.target))
    scores = (rows.unflatten(1, (heads, channels)) * attention).sum(2)
    weights = segment_softmax(scores, edges)
    shares = weights if mask is None else weights * mask
    values = gathered.unflatten(1, (heads, channels)) * shares.unsqueeze(2)
    values = values.mean(1) if _number_summed(edges) > 1 else values.flatten(1)
    sums = values.new_zeros(len(edges.pointer) - 1, values.shape[1]).index_add(0, edges.target, values)
    return sums, weights


def _differentiable_backward(
    inputs: list[Tensor], mask: Tensor | None, gradient: Tensor, edges: AttentionEdges, slope: float
) -> tuple[Tensor, ...]:
    """Return the gradients as functions that can be differentiated again."""

    def activation(rows: Tensor) -> Tensor:
        return torch.nn.functional.leaky_relu(rows, slope)

    source, target, weight, bias, attention = inputs
    sums = [
        composed_attention(
            source[:, patient],
            target[:, patient],
            weight,
            bias,
            attention,
            None if mask is None else mask[patient],
            edges,
            activation,
        )[0]
        for patient in range(source.shape[1])
    ]
    wanted = [item for item in inputs if item.requires_grad]
    found = iter(torch.autograd.grad(torch.stack(sums, 1), wanted, gradient, create_graph=True))
    return tuple(next(found) if item.requires_grad else None for item in inputs)  # type: ignore[return-value]
