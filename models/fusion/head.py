"""From streams to outputs: a layer norm per stream, one hidden layer.

Legend of shapes: B patients, d width, T outputs.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from ...activations import ActivationSpec, build_activation
from ...errors import InputError
from ..sites import Electrode, Site, around

__all__ = ["StreamHead"]


class StreamHead(nn.Module):
    """Layer norm of every stream, all of them side by side, one hidden layer, dropout, outputs.

    Sites: `streams.NAME` (batch, unit), after the norm; `hidden.pre` and `hidden.post`.

    Args:
        streams: Width d of every stream, by name.
        hidden: Width of the hidden layer.
        out_features: Number of outputs T.
        activation: Spec of the hidden layer's activation.
        dropout: Share of the hidden units zeroed in training.

    Shape:
        - Input: (B, d) per stream
        - Output: (B, T)

    Raises:
        InputError: If a size is not positive.

    Example:
        >>> head = StreamHead({"pathway": 8, "slide": 8}, hidden=4, out_features=2)
        >>> head({"pathway": torch.zeros(3, 8), "slide": torch.zeros(3, 8)}).shape
        torch.Size([3, 2])
    """

    def __init__(
        self,
        streams: Mapping[str, int],
        hidden: int,
        out_features: int,
        activation: ActivationSpec = "relu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        for name, size in (("fusion_width", hidden), ("out_features", out_features)):
            if size < 1:
                raise InputError(f"{name} is {size}; it must be a positive integer")
        self.norms = nn.ModuleDict({name: nn.LayerNorm(width) for name, width in streams.items()})
        self.streams = nn.ModuleDict(
            {name: Electrode("batch", "unit", sizes={"unit": width}) for name, width in streams.items()}
        )
        self.first = nn.Linear(sum(streams.values()), hidden)
        self.activation = build_activation(activation, width=hidden, groups=1)
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(hidden, out_features)

    def forward(self, streams: Mapping[str, Tensor]) -> Tensor:
        """Map streams to outputs."""
        normed = [self.streams[name](norm(streams[name])) for name, norm in self.norms.items()]
        return self.last(self.dropout(self.activation(self.first(torch.cat(normed, 1)))))

    def sites(self) -> Iterator[Site]:
        """Yield what goes into and what comes out of the hidden layer's activation."""
        yield from around("hidden", "activation", width=self.first.out_features)
