"""Tokens by slot attention: prototypes compete for patches and are rewritten by what they win.

Legend of shapes: B bags, N patches of all bags together, n patches of one bag, K prototypes (slots), d width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...activations import ActivationSpec, build_activation
from ...errors import InputError
from ..bags import split_bags
from .assignment import Assigned, PrototypeAssignment

__all__ = ["SlotAssignment"]


class SlotAssignment(PrototypeAssignment):
    """Slot attention whose slots start at the prototypes instead of at noise.

    Locatello et al. 2020, arXiv 2006.15055, algorithm 1: attention over the slots of keys of the patches and queries
    of the slots, a mean over the patches weighted by it, a gated recurrent update and a residual perceptron, repeated.
    Fixed starts make the slots the same in every bag, and the result the same in every evaluation; `noise` moves the
    starts in training alone.

    Args:
        width: Width d.
        num_prototypes: Prototypes K.
        iterations: Rounds; the paper takes 3.
        hidden: Width of the perceptron; None: twice d.
        activation: Spec of the perceptron's activation.
        noise: Standard deviation of what is added to the starts in training.

    Shape:
        - Input: patches (N, d), prototypes (K, d), B + 1 bounds
        - Output: see `Assigned`; tokens are the slots, the shares those of the last round

    Raises:
        InputError: If a size is not positive, `noise` is negative or the spec cannot be read.

    Example:
        >>> rule = SlotAssignment(width=8, num_prototypes=4, activation="swish").eval()
        >>> rule(torch.randn(10, 8), torch.randn(4, 8), [0, 4, 10]).tokens.shape
        torch.Size([2, 4, 8])
    """

    def __init__(
        self,
        width: int,
        num_prototypes: int,
        iterations: int = 3,
        hidden: int | None = None,
        activation: ActivationSpec = "relu",
        noise: float = 0.0,
    ) -> None:
        super().__init__(width, num_prototypes)
        hidden = 2 * width if hidden is None else hidden
        for name, value in [("iterations", iterations), ("hidden", hidden)]:
            if value < 1:
                raise InputError(f"{name} is {value}; it must be a positive integer")
        if not noise >= 0:
            raise InputError(f"noise is {noise}; it must not be negative")
        self.iterations = iterations
        self.noise = noise
        self.norm_patches = nn.LayerNorm(width)
        self.norm_slots = nn.LayerNorm(width)
        self.norm_hidden = nn.LayerNorm(width)
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.update = nn.GRUCell(width, width)
        self.widen = nn.Linear(width, hidden)
        self.activation = build_activation(activation, width=hidden)
        self.narrow = nn.Linear(hidden, width)

    def forward(self, values: Tensor, prototypes: Tensor, pointers: Sequence[int]) -> Assigned:
        """Let the slots of every bag compete for its patches."""
        dtype = self.key.weight.dtype
        patches = self.norm_patches(values.to(dtype))
        keys = split_bags(self.key(patches) * self.width**-0.5, pointers)
        contents = split_bags(self.value(patches), pointers)
        slots = prototypes.to(dtype).expand(len(keys), -1, -1)
        if self.training and self.noise:
            slots = slots + self.noise * torch.randn_like(slots)
        shares: tuple[Tensor, ...] = ()
        for _ in range(self.iterations):
            queries = self.query(self.norm_slots(slots))
            shares = tuple((key @ query.T).softmax(1) for key, query in zip(keys, queries, strict=True))
            won = torch.stack([_mean_by(share, content) for share, content in zip(shares, contents, strict=True)])
            slots = self.update(won.flatten(0, 1), slots.flatten(0, 1)).view_as(won)
            slots = slots + self.narrow(self.activation(self.widen(self.norm_hidden(slots))))
        mass = torch.stack([share.sum(0) for share in shares])
        return Assigned(slots, torch.cat(shares), mass)

    def extra_repr(self) -> str:
        """Say what the rule was built with."""
        return f"iterations={self.iterations}, noise={self.noise}"


def _mean_by(share: Tensor, content: Tensor) -> Tensor:
    """Return the means (K, d) of a bag's contents, weighted by the shares of each slot; zeros for an empty bag."""
    normal = share / share.sum(0).clamp_min(1e-8)
    return normal.T @ content
