"""What every rule shares that shares out patches among prototypes.

Legend of shapes: B bags (patients) of a batch, N patches of all bags together, K prototypes, d width.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...errors import InputError
from ..bags import segment_sum, segment_weighted_sum

__all__ = ["Assigned", "PrototypeAssignment", "cosine_scores", "squared_distances", "weighted_tokens"]

# Published: a prototype to which a bag gives less than this in all has a token that shrinks to zero.
LEAST_MASS = 1e-6


class Assigned(NamedTuple):
    """What a rule makes of the patches of a batch.

    Attributes:
        tokens: (B, K, d), one token per bag and prototype.
        weights: (N, K), the share of every patch that every prototype takes; rows sum to 1.
        mass: (B, K), the patches of a bag that every prototype takes in all; rows sum to the size of the bag.
        variances: (B, K, d) around the tokens, of rules that have them.

    Example:
        >>> weighted_tokens(torch.ones(3, 1), torch.tensor([[0.0], [3.0], [6.0]]), [0, 3]).mass
        tensor([[3.]])
    """

    tokens: Tensor
    weights: Tensor
    mass: Tensor
    variances: Tensor | None = None


class PrototypeAssignment(nn.Module):
    """Base class of the rules: projected patches and prototypes in, tokens and shares out.

    A subclass takes (width, num_prototypes) and its own options, and writes `forward`. All rules see a bag as a set:
    the order of its patches and the other bags of the batch change nothing.

    Args:
        width: Width d of the projected patches and of the tokens.
        num_prototypes: Prototypes K.

    Raises:
        InputError: If a size is not positive.

    Example:
        >>> from axonlight.models.prototypes import CosineAssignment
        >>> isinstance(CosineAssignment(width=4, num_prototypes=3), PrototypeAssignment)
        True
    """

    def __init__(self, width: int, num_prototypes: int) -> None:
        super().__init__()
        for name, value in [("width", width), ("num_prototypes", num_prototypes)]:
            if value < 1:
                raise InputError(f"{name} is {value}; it must be a positive integer")
        self.width = width
        self.num_prototypes = num_prototypes

    def forward(self, values: Tensor, prototypes: Tensor, pointers: Sequence[int]) -> Assigned:
        """Share out packed patches (N, d) among prototypes (K, d), bag by bag."""
        raise NotImplementedError

    def initialize(self, values: Tensor, prototypes: Tensor) -> None:
        """Take up what the rule learns from projected training patches (N, d) before training; most need nothing."""


def weighted_tokens(weights: Tensor, values: Tensor, pointers: Sequence[int]) -> Assigned:
    """Average the patches of every bag by the shares of every prototype.

    Token k of a bag is the sum of a_nk h_n over its patches, divided by the sum of a_nk (at least 1e-6).

    Args:
        weights: (N, K) shares a.
        values: (N, d) patches h.
        pointers: B + 1 bounds of the bags.

    Example:
        >>> weighted_tokens(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[2.0], [4.0]]), [0, 2]).tokens
        tensor([[[3.],
                 [0.]]])
    """
    mass = segment_sum(weights, pointers)
    tokens = segment_weighted_sum(weights, values, pointers) / mass.clamp_min(LEAST_MASS).unsqueeze(-1)
    return Assigned(tokens, weights, mass)


def cosine_scores(values: Tensor, prototypes: Tensor) -> Tensor:
    """Return the cosines (N, K) between patches (N, d) and prototypes (K, d).

    The product is divided by the norms, so that no normalised copy of the patches is kept.

    Example:
        >>> cosine_scores(torch.tensor([[2.0, 0.0]]), torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
        tensor([[1., 0.]])
    """
    directions = nn.functional.normalize(prototypes, dim=-1, eps=1e-6)
    lengths = torch.linalg.vector_norm(values, dim=-1, keepdim=True)
    return values @ directions.T / lengths.clamp_min(1e-6)


def squared_distances(values: Tensor, prototypes: Tensor) -> Tensor:
    """Return the squared distances (N, K) between patches (N, d) and prototypes (K, d).

    By a matrix product around the mean of the prototypes, where little cancels.

    Example:
        >>> squared_distances(torch.tensor([[1.0, 1.0]]), torch.tensor([[0.0, 0.0], [4.0, 5.0]]))
        tensor([[ 2., 25.]])
    """
    centre = prototypes.mean(0)
    values, prototypes = values - centre, prototypes - centre
    squares = values.square().sum(-1, keepdim=True) + prototypes.square().sum(-1)
    return (squares - 2 * values @ prototypes.T).clamp_min(0)
