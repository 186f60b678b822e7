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

# Edges whose channels lie in the two buffers at a time: twice 2,048 rows of 512 channels are 8 MiB, in the last cache.
# Fewer fit a nearer one, but threads that take a patient each then wait for the interpreter between the calls.
# On a GPU a call costs more than the memory of one patient.
_EDGES_AT_A_TIME = {"cpu": 2048}
_MANY_EDGES = 1 << 17


class _Piece(NamedTuple):
    """Some edges of whole targets, and what both passes need of them for every patient."""

    edges: slice
    targets: slice
    source: Tensor  # (n,) source of each edge
    ends: Tensor  # (2 n,) the two rows of states (S + P, H C), sources then targets, that each edge adds up
    pairs: Tensor  # (n + 1,) where each edge begins in `ends`
    place: Tensor  # (n,) counts the edges
    bags: Tensor  # where each target's edges begin
    buffer: Tensor  # (n, H C)

    def sums(self, states: Tensor) -> Tensor:
        """Return source plus target (n, H C): bags of two rows, in one pass over the memory."""
        return torch.embedding_bag(states, self.ends, self.pairs, False, 0, False, None, True)[0]


def _pieces(states: Tensor, edges: AttentionEdges) -> list[_Piece]:
    cuts = chunks(edges.pointer, _EDGES_AT_A_TIME.get(states.device.type, _MANY_EDGES))
    longest = max((last - first for first, last, _, _ in cuts), default=0)
    ends = torch.stack([edges.source, edges.target + len(states) - len(edges.pointer) + 1], 1)
    place = torch.arange(2 * longest + 1, device=states.device)
    buffer = states.new_empty(longest, states.shape[1])
    return [
        _Piece(
            slice(first, last),
            slice(low, high),
            edges.source[first:last],
            ends[first:last].flatten(),
            place[: 2 * (last - first) + 1 : 2].contiguous(),
            place[: last - first],
            edges.pointer[low : high + 1] - first,
            buffer[: last - first],
        )
        for first, last, low, high in cuts
    ]


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
        has_backward: bool,
    ) -> tuple[Tensor, Tensor]:
        """Attend patient by patient; for a backward pass the projected sources are kept."""
        sources, patients, channels = len(source), source.shape[1], attention.shape[1]
        states = source.new_empty(patients if has_backward else 1, sources + len(target), len(weight))
        pieces = _pieces(states[0], edges)
        out = source.new_empty(len(target), patients, edges.sums.out_features // len(target) * channels)
        weights = source.new_empty(patients, len(edges.source), edges.heads)
        for patient in range(patients):
            state = states[patient if has_backward else 0]
            torch.addmm(bias, source[:, patient], weight.t(), out=state[:sources])
            state[sources:] = target[:, patient]
            weights[patient] = segment_softmax(_scores(pieces, state, attention, slope), edges)
            shares = _shares(weights[patient], mask, patient, edges)
            sums = product(shares, state[:sources].view(-1, channels), edges.sums, False, "bag")
            out[:, patient] = sums.view(len(target), -1)
        ctx.mark_non_differentiable(weights)
        ctx.save_for_backward(source, target, weight, bias, attention, mask, weights, states if has_backward else None)
        ctx.options = edges, slope
        return out, weights

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of sources, targets, weight, bias and attention vectors."""
        *inputs, mask, weights, states = ctx.saved_tensors
        if torch.is_grad_enabled():
            found = _differentiable_backward(inputs, mask, gradients[0], *ctx.options)
        else:
            found = _backward(inputs, mask, weights, states, gradients[0], *ctx.options)
        return (*found, None, None, None, None)


def _scores(pieces: list[_Piece], states: Tensor, attention: Tensor, slope: float) -> Tensor:
    """Return what the softmax takes, (E, H): the attention vector times the activation of source plus target."""
    found = [states.new_empty(0, len(attention))]
    for piece in pieces:
        rows = torch.nn.functional.leaky_relu_(piece.sums(states), slope)
        by_head = rows.unflatten(1, attention.shape).permute(1, 2, 0)
        found.append(torch.bmm(attention.unsqueeze(1), by_head).squeeze(1).t())
    return torch.cat(found)


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
    inputs: list[Tensor],
    mask: Tensor | None,
    weights: Tensor,
    states: Tensor,
    gradient: Tensor,
    edges: AttentionEdges,
    slope: float,
) -> list[Tensor]:
    source, target, weight, _, attention = inputs
    sources, channels = len(source), attention.shape[1]
    pieces = _pieces(states[0], edges)
    found = [torch.empty_like(source), torch.empty_like(target), *(torch.zeros_like(item) for item in inputs[2:])]
    for patient, state in enumerate(states):
        g = gradient[:, patient].reshape(-1, channels)
        shares = _shares(weights[patient], mask, patient, edges)
        d_projected = product(shares, g, edges.sums, True, "bag").view(sources, -1)
        d_weights = sampled(g, state[:sources].view(-1, channels), edges.sums, "bag").view_as(weights[patient])
        d_weights = (d_weights if mask is None else d_weights * mask[patient]) / _number_summed(edges)
        d_scores = _softmax_gradient(weights[patient], d_weights, edges)
        d_target = _scores_backward(pieces, state, attention, slope, d_scores, d_projected, found[4])
        found[1][:, patient] = d_target
        torch.mm(d_projected, weight, out=found[0][:, patient])
        found[2].addmm_(d_projected.t(), source[:, patient])
        found[3] += d_projected.sum(0)
    return found


def _softmax_gradient(weights: Tensor, gradient: Tensor, edges: AttentionEdges) -> Tensor:
    """Return the gradient of the scores (E, H)."""
    terms = weights * gradient
    totals = terms.new_zeros(len(edges.pointer) - 1, terms.shape[1]).index_add_(0, edges.target, terms)
    return terms.sub_(weights * totals.index_select(0, edges.target))


def _scores_backward(
    pieces: list[_Piece],
    states: Tensor,
    attention: Tensor,
    slope: float,
    d_scores: Tensor,
    d_projected: Tensor,
    d_attention: Tensor,
) -> Tensor:
    """Add to the gradients of the projected sources and of the attention vectors, and return that of the targets."""
    d_target = states.new_empty(len(states) - len(d_projected), states.shape[1])
    by_head, d_attention = d_scores.t().unsqueeze(1).contiguous(), d_attention.unsqueeze(1)
    for piece in pieces:
        rows, other = piece.sums(states), piece.buffer
        heads = other.unflatten(1, attention.shape)
        torch.ops.aten.leaky_relu.out(rows, slope, out=other)
        d_attention.baddbmm_(by_head[:, :, piece.edges], heads.transpose(0, 1))
        torch.mul(d_scores[piece.edges].unsqueeze(2), attention, out=heads)
        torch.ops.aten.leaky_relu_backward.grad_input(other, rows, slope, False, grad_input=other)
        d_projected.index_add_(0, piece.source, other)
        bags = torch.embedding_bag(other, piece.place, piece.bags, False, 0, False, None, True)
        d_target[piece.targets] = bags[0]
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
