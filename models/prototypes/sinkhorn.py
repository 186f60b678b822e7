"""Shares by optimal transport: the patches of a bag are spread evenly over the prototypes.

Legend of shapes: N patches, n patches of one bag, K prototypes, d width.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ...errors import InputError
from ..bags import split_bags
from .assignment import Assigned, PrototypeAssignment, cosine_scores, weighted_tokens

__all__ = ["SinkhornAssignment"]


class SinkhornAssignment(PrototypeAssignment):
    """Entropic transport between the patches of each bag and the prototypes, by Sinkhorn's iterations in log space.

    Within a bag, a_nk = softmax_k(cos(h_n, p_k) / tau + g_k), where g is found so that every prototype takes n / K
    patches: n times the plan of Cuturi 2013, arXiv 1306.0895, with cost 1 - cos, regularisation tau and even
    marginals, ended by its step over the rows, so that the shares of a patch sum to 1 exactly. `balance` below 1
    relaxes the marginal of the prototypes by a Kullback-Leibler penalty rho, balance = rho / (rho + tau) (Chizat et
    al. 2018, arXiv 1607.05816); 0 is the cosine softmax. Gradients flow through the iterations.

    Strict balance hides from the mass how a patient's tissue is composed; the tokens still hold it.

    Args:
        width: Width d.
        num_prototypes: Prototypes K.
        temperature: tau.
        iterations: Updates of g.
        balance: How strictly prototypes are used evenly within a bag, in [0, 1].

    Shape:
        - Input: patches (N, d), prototypes (K, d), B + 1 bounds
        - Output: see `Assigned`

    Raises:
        InputError: If a size, the temperature or the iterations are not positive, or `balance` is outside [0, 1].

    Example:
        >>> rule = SinkhornAssignment(width=2, num_prototypes=2, iterations=50)
        >>> patches = torch.tensor([[1.0, 0.1], [1.0, 0.2], [1.0, 0.3], [1.0, 0.4]])
        >>> rule(patches, torch.eye(2), [0, 4]).mass.round()  # the cosine softmax would give all to the first
        tensor([[2., 2.]])
    """

    def __init__(
        self,
        width: int,
        num_prototypes: int,
        temperature: float = 0.1,
        iterations: int = 5,
        balance: float = 1.0,
    ) -> None:
        super().__init__(width, num_prototypes)
        if not temperature > 0:
            raise InputError(f"temperature is {temperature}; it must be positive")
        if iterations < 1:
            raise InputError(f"iterations is {iterations}; it must be a positive integer")
        if not 0 <= balance <= 1:
            raise InputError(f"balance is {balance}; it must lie in [0, 1]")
        self.temperature = temperature
        self.iterations = iterations
        self.balance = balance

    def forward(self, values: Tensor, prototypes: Tensor, pointers: Sequence[int]) -> Assigned:
        """Share out packed patches among prototypes."""
        scores = cosine_scores(values, prototypes) / self.temperature
        weights = torch.cat([self._shares(part) for part in split_bags(scores, pointers)])
        return weighted_tokens(weights, values, pointers)

    def _shares(self, scores: Tensor) -> Tensor:
        potential = scores.new_zeros(scores.shape[1])
        if not len(scores):
            return scores
        even = math.log(scores.shape[0] / scores.shape[1])
        for _ in range(self.iterations):
            used = (scores + potential).log_softmax(1).logsumexp(0)
            potential = self.balance * (potential + even - used)
        return (scores + potential).softmax(1)

    def extra_repr(self) -> str:
        """Say what the rule was built with."""
        return f"temperature={self.temperature}, iterations={self.iterations}, balance={self.balance}"
