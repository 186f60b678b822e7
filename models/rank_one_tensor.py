"""The smallest network whose parts must form together: a rank-one tensor fitted by gradient descent.

Shapes: B batch, D width of a factor.
"""

import torch
from torch import Tensor, nn

from ..randomness import derive_seed
from .sites import Electrode

__all__ = ["RankOneTensor"]

FACTORS = ("a", "b", "c")


class RankOneTensor(nn.Module):
    """The product of three trainable vectors, and the product of three fixed ones that it is to become.

    Each factor learns in proportion to the other two, so that the loss stays on a plateau until all are right at once.
    With one factor clamped to the truth the plateau shrinks, with two it is gone: what is left is linear regression,
    whose error falls by the factor 1 - lr |b|^2 |c|^2 / D^3 per update. The toy of Singh et al., "What needs to go
    right for an induction head?" (arXiv:2404.07129), where D = 20 and gradient descent takes 1,000 updates at rate 1;
    the distributions of factors and truth are ours.

    Args:
        width: Width D of the factors.
        seed: Seed of the truth (standard normal) and of the factors (the same, times `scale`).
        scale: Standard deviation of the factors at the start.

    Attributes:
        a, b, c: Sites (B, D) of the factors.
        truth: (3, D), what the factors are to become; only the product is determined, unless two of them are clamped.

    Shape:
        - Input: (B, ...), of which only B counts
        - Output: (B, D, D, D)

    Example:
        >>> network = RankOneTensor(width=4)
        >>> network(torch.zeros(2, 1)).shape, float(network.loss(torch.zeros(1, 1)).detach()) > 0
        (torch.Size([2, 4, 4, 4]), True)
    """

    truth: Tensor

    def __init__(self, width: int = 20, seed: int = 0, scale: float = 0.5) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(derive_seed(seed, "rank-one tensor"))
        self.register_buffer("truth", torch.randn(3, width, generator=generator))
        self.factors = nn.ParameterDict(
            {name: nn.Parameter(scale * torch.randn(width, generator=generator)) for name in FACTORS}
        )
        for name in FACTORS:
            setattr(self, name, Electrode("batch", "unit", sizes={"unit": width}))

    def forward(self, x: Tensor) -> Tensor:
        """Return the product of the factors, once per sample."""
        a, b, c = (getattr(self, name)(self.factors[name].expand(len(x), -1)) for name in FACTORS)
        return torch.einsum("bi,bj,bk->bijk", a, b, c)

    def target(self) -> Tensor:
        """Return the product (D, D, D) of the truth."""
        return torch.einsum("i,j,k->ijk", *self.truth)

    def loss(self, x: Tensor) -> Tensor:
        """Return half the mean squared error over samples and entries."""
        return 0.5 * nn.functional.mse_loss(self(x), self.target().expand(len(x), -1, -1, -1))
