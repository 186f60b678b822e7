"""Shares by a mixture of Gaussians that each bag fits for itself, with the prototypes as its prior.

Legend of shapes: B bags, n patches of one bag, K prototypes, d width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...errors import InputError
from ..bags import split_bags
from .assignment import Assigned, PrototypeAssignment

__all__ = ["GaussianMixtureAssignment"]


class GaussianMixtureAssignment(PrototypeAssignment):
    """Expectation and maximisation of a diagonal Gaussian mixture per bag, started at prototypes shared by all bags.

    The form of PANTHER (Song et al. 2024, arXiv 2405.11643), made trainable: means p_k (the prototypes), variances
    s_k (d each) and proportions pi_k are learned, and stand for `prior` patches that every prototype has seen before
    the bag. With shares a_nk = softmax_k(log pi_k + log Normal(h_n; m_k, v_k)), masses N_k = sum_n a_nk, kappa = prior:

        pi_k = (N_k + kappa / K) / (n + kappa)        m_k = (sum_n a_nk h_n + kappa p_k) / (N_k + kappa)
        v_k = (sum_n a_nk (h_n - m_k)^2 + kappa (s_k + (p_k - m_k)^2)) / (N_k + kappa)

    repeated `iterations` times. Tokens are the means m, with the variances v beside them. The shares are those of the
    last expectation, from which m was made. In many dimensions they are nearly hard; `tempering` divides the
    log-densities (Ueda and Nakano 1998) and softens them.

    Args:
        width: Width d.
        num_prototypes: Prototypes K.
        iterations: Rounds; PANTHER takes one.
        prior: Patches kappa that the prior is worth, positive; 0 would leave unused prototypes without a mean.
        tempering: Divisor of the log-densities; 1 is the exact mixture.
        least_variance: Added to every variance.

    Shape:
        - Input: patches (N, d), prototypes (K, d), B + 1 bounds
        - Output: see `Assigned`

    Raises:
        InputError: If a size or an option is not positive.

    Example:
        >>> rule = GaussianMixtureAssignment(width=1, num_prototypes=2, prior=1e-6)
        >>> patches = torch.tensor([[-3.0], [-5.0], [4.0], [6.0]])
        >>> result = rule(patches, torch.tensor([[-4.0], [5.0]]), [0, 4])
        >>> result.tokens.flatten().tolist(), [round(value, 3) for value in result.variances.flatten().tolist()]
        ([-4.0, 5.0], [1.0, 1.0])
    """

    def __init__(
        self,
        width: int,
        num_prototypes: int,
        iterations: int = 1,
        prior: float = 1.0,
        tempering: float = 1.0,
        least_variance: float = 1e-6,
    ) -> None:
        super().__init__(width, num_prototypes)
        options = {"iterations": iterations, "prior": prior, "tempering": tempering, "least_variance": least_variance}
        for name, value in options.items():
            if not value > 0:
                raise InputError(f"{name} is {value}; it must be positive")
        self.iterations = iterations
        self.prior = prior
        self.tempering = tempering
        self.least_variance = least_variance
        self.log_variances = nn.Parameter(torch.zeros(num_prototypes, width))
        self.log_proportions = nn.Parameter(torch.zeros(num_prototypes))

    def forward(self, values: Tensor, prototypes: Tensor, pointers: Sequence[int]) -> Assigned:
        """Fit the mixture of every bag."""
        # Around the mean of the prototypes little cancels in the products below.
        centre = prototypes.mean(0)
        means = prototypes - centre
        fits = [self._fit(part - centre, means) for part in split_bags(values, pointers)]
        tokens, variances, weights = zip(*fits, strict=True)
        mass = torch.stack([part.sum(0) for part in weights])
        return Assigned(torch.stack(tokens) + centre, torch.cat(weights), mass, torch.stack(variances))

    def _fit(self, values: Tensor, prior_means: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        prior_variances = self.log_variances.to(values.dtype).exp() + self.least_variance
        prior_proportions = self.log_proportions.to(values.dtype).softmax(0)
        means, variances, proportions = prior_means, prior_variances, prior_proportions
        weights = values.new_zeros(len(values), self.num_prototypes)
        squares = values.square()
        for _ in range(self.iterations):
            log_densities = _log_densities(values, squares, means, variances)
            weights = ((proportions.log() + log_densities) / self.tempering).softmax(1)
            mass = weights.sum(0)
            total = (mass + self.prior).unsqueeze(1)
            means = (weights.T @ values + self.prior * prior_means) / total
            # E[h^2] - m^2, with the prior's share of both
            second = weights.T @ squares + self.prior * (prior_variances + prior_means.square())
            variances = (second / total - means.square()).clamp_min(0) + self.least_variance
            proportions = (mass + self.prior * prior_proportions) / (len(values) + self.prior)
        return means, variances, weights

    @torch.no_grad()
    def initialize(self, values: Tensor, prototypes: Tensor) -> None:
        """Take variances and proportions from training patches, each given to its nearest prototype."""
        nearest = torch.cdist(values, prototypes).argmin(1)
        overall = values.var(0, correction=0)
        for index in range(self.num_prototypes):
            members = values[nearest == index]
            # Worth one patch with the variance of all: a prototype with few members keeps a usable width.
            spread = ((members - prototypes[index]).square().sum(0) + overall) / (len(members) + 1)
            self.log_variances[index] = spread.clamp_min(self.least_variance).log()
            self.log_proportions[index] = (len(members) + 1) / (len(values) + self.num_prototypes)
        self.log_proportions.log_()

    def extra_repr(self) -> str:
        """Say what the rule was built with."""
        return f"iterations={self.iterations}, prior={self.prior}, tempering={self.tempering}"


def _log_densities(values: Tensor, squares: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    """Return log Normal(h_n; m_k, v_k) (n, K), less the constant that all share, by two matrix products."""
    precisions = variances.reciprocal()
    constant = (means.square() * precisions + variances.log()).sum(1)
    return -0.5 * (squares @ precisions.T - 2 * values @ (means * precisions).T + constant)
