"""Rules that compare every patch with every prototype once: cosine softmax and Student-t.

Legend of shapes: B bags, N patches of all bags together, K prototypes, d width.
"""

from collections.abc import Sequence

from torch import Tensor

from ...errors import InputError
from .assignment import Assigned, PrototypeAssignment, cosine_scores, squared_distances, weighted_tokens

__all__ = ["CosineAssignment", "StudentTAssignment"]


class CosineAssignment(PrototypeAssignment):
    """Softmax over the prototypes of the cosines divided by a temperature: the published rule of ProtoPathway.

    a_nk = softmax_k(cos(h_n, p_k) / tau), Gallagher-Syed et al. 2026, arXiv 2605.21454; tau = 0.1 there.

    Args:
        width: Width d.
        num_prototypes: Prototypes K.
        temperature: tau; towards 0 every patch goes to its nearest prototype.

    Shape:
        - Input: patches (N, d), prototypes (K, d), B + 1 bounds
        - Output: see `Assigned`

    Raises:
        InputError: If a size or the temperature is not positive.

    Example:
        >>> import torch
        >>> rule = CosineAssignment(width=2, num_prototypes=2)
        >>> rule(torch.tensor([[1.0, 0.0], [0.0, 3.0]]), torch.eye(2), [0, 2]).weights.round(decimals=3)
        tensor([[1., 0.],
                [0., 1.]])
    """

    def __init__(self, width: int, num_prototypes: int, temperature: float = 0.1) -> None:
        super().__init__(width, num_prototypes)
        if not temperature > 0:
            raise InputError(f"temperature is {temperature}; it must be positive")
        self.temperature = temperature

    def forward(self, values: Tensor, prototypes: Tensor, pointers: Sequence[int]) -> Assigned:
        """Share out packed patches among prototypes."""
        weights = (cosine_scores(values, prototypes) / self.temperature).softmax(-1)
        return weighted_tokens(weights, values, pointers)

    def extra_repr(self) -> str:
        """Say what the rule was built with."""
        return f"temperature={self.temperature}"


class StudentTAssignment(PrototypeAssignment):
    """Shares by a Student-t kernel of the distance, as in deep embedded clustering.

    a_nk proportional to (1 + |h_n - p_k|^2 / nu)^(-(nu + 1) / 2), Xie, Girshick and Farhadi 2016, arXiv 1511.06335,
    equation 1. Its loss, which sharpens the shares towards their own squares, is `sharpening` of the encoder.

    Args:
        width: Width d.
        num_prototypes: Prototypes K.
        freedom: Degrees of freedom nu; the paper takes 1.

    Shape:
        - Input: patches (N, d), prototypes (K, d), B + 1 bounds
        - Output: see `Assigned`

    Raises:
        InputError: If a size or `freedom` is not positive.

    Example:
        >>> import torch
        >>> rule = StudentTAssignment(width=1, num_prototypes=2)
        >>> rule(torch.tensor([[0.0]]), torch.tensor([[1.0], [3.0]]), [0, 1]).weights  # 1 / (1 + 1), 1 / (1 + 9)
        tensor([[0.8333, 0.1667]])
    """

    def __init__(self, width: int, num_prototypes: int, freedom: float = 1.0) -> None:
        super().__init__(width, num_prototypes)
        if not freedom > 0:
            raise InputError(f"freedom is {freedom}; it must be positive")
        self.freedom = freedom

    def forward(self, values: Tensor, prototypes: Tensor, pointers: Sequence[int]) -> Assigned:
        """Share out packed patches among prototypes."""
        closeness = (squared_distances(values, prototypes) / self.freedom).log1p()
        return weighted_tokens((closeness * (-(self.freedom + 1) / 2)).softmax(-1), values, pointers)

    def extra_repr(self) -> str:
        """Say what the rule was built with."""
        return f"freedom={self.freedom}"
