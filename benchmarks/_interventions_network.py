"""The network that benchmarks/interventions.py stimulates, and the bare hook."""

from collections.abc import Callable

import torch
from axonlight.models import Electrode
from torch import Tensor, nn

__all__ = ["PLACES", "Transformer", "bare_hook", "kept"]

HEADS = 8
# What can be set to 0, and the name of that axis in a protocol.
PLACES = {"units": "units", "heads": "heads"}


class Block(nn.Module):
    """Pre-norm attention and hidden layer, with a module where units and heads can be reached."""

    def __init__(self, width: int, point: Callable[[str], nn.Module]) -> None:
        super().__init__()
        self.attention_norm, self.hidden_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.activation, self.down = nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        self.heads, self.units = point("heads"), point("units")

    def forward(self, x: Tensor) -> Tensor:
        """Return the residual stream after the block, (B, T, D) as before it."""
        batch, positions, width = x.shape
        each = self.queries_keys_values(self.attention_norm(x)).reshape(batch, positions, 3, HEADS, -1)
        query, key, value = each.permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.projection(self.heads(mixed.transpose(1, 2)).reshape(batch, positions, width))
        return x + self.down(self.units(self.activation(self.up(self.hidden_norm(x)))))


def electrode(place: str) -> nn.Module:
    """Return the module of a place in our own networks."""
    axes = ("batch", "position", "head", "unit") if place == "heads" else ("batch", "position", "unit")
    return Electrode(*axes)


class Transformer(nn.Module):
    """Blocks on vectors.

    Args:
        width: Width of the residual stream.
        layers: Number of blocks.
        point: Makes the module of a place.
    """

    def __init__(self, width: int, layers: int, point: Callable[[str], nn.Module] = electrode) -> None:
        super().__init__()
        self.width = width
        self.blocks = nn.ModuleList(Block(width, point) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        """Return the residual stream after the last block."""
        for block in self.blocks:
            x = block(x)
        return x

    def count(self, place: str) -> int:
        """Return the number of units or heads."""
        return HEADS if place == "heads" else 4 * self.width

    def places(self, place: str) -> list[nn.Module]:
        """Return the modules of a place, one per block."""
        return [block.get_submodule(place) for block in self.blocks]


def kept(network: Transformer, place: str) -> Tensor:
    """Return which entries stay, as bool broadcastable to the activation: the second half."""
    count = network.count(place)
    chosen = torch.arange(count, device=next(network.parameters()).device) >= count // 2
    return chosen[:, None] if place == "heads" else chosen


def bare_hook(network: Transformer, place: str) -> Callable[..., Tensor]:
    """Return a forward hook that sets the first half to 0."""
    written, zero = ~kept(network, place), torch.zeros((), device=next(network.parameters()).device)

    def hook(_module: nn.Module, _inputs: tuple, x: Tensor) -> Tensor:
        return torch.where(written, zero, x)

    return hook
