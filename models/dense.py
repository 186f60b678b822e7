"""Multi-layer perceptron with an activation that the config names.

Shapes: B batch, F features, O outputs.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from torch import Tensor, nn

from ..activations import ActivationSpec, LayerActivations, build_activation
from ..errors import InputError
from .layers.dropout import UnitDropout
from .sites import Site, around

__all__ = ["DenseNetwork"]


class DenseNetwork(nn.Module):
    """Multi-layer perceptron: linear, norm, activation, dropout for each hidden layer, then one linear layer.

    Args:
        in_features: Width F of the input; on the command line it comes from the data.
        out_features: Width O of the output; on the command line the task decides it.
        hidden: Widths of the hidden layers.
        activation: One spec for all hidden layers, or a list with one spec per hidden layer. Every layer gets a
            module of its own.
        norm: Normalisation before the activation.
        dropout: Share of hidden units zeroed in training, in [0, 1).
        activation_parameters: Whether an activation with trainable values holds one per "layer" or one per "unit".

    Shape:
        - Input: (B, F)
        - Output: (B, O)

    Raises:
        InputError: If a size is not positive, `dropout` is outside [0, 1), or the list of activations does not
            have one entry per hidden layer.

    Example:
        >>> import torch
        >>> network = DenseNetwork(54, 1, hidden=[64, 32], activation="ash(z=0.5)", dropout=0.3)
        >>> network(torch.zeros(8, 54)).shape
        torch.Size([8, 1])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hidden: list[int] = [64, 32],  # noqa: B006  (a literal default that --print_config can show; never mutated)
        activation: LayerActivations = "relu",
        norm: Literal["batch", "layer", "none"] = "batch",
        dropout: float = 0.0,
        activation_parameters: Literal["layer", "unit"] = "layer",
    ) -> None:
        super().__init__()
        _check_sizes(in_features, out_features, hidden, dropout)
        specs = _one_per_layer(activation, len(hidden))
        layers: list[nn.Module] = []
        activations: list[tuple[int, int]] = []
        width = in_features
        for next_width, spec in zip(hidden, specs, strict=True):
            layers.append(nn.Linear(width, next_width))
            layers.extend(_norm(norm, next_width))
            groups = 1 if activation_parameters == "layer" else None
            activations.append((len(layers), next_width))
            layers.append(build_activation(spec, width=next_width, groups=groups))
            layers.extend([UnitDropout(dropout)] if dropout else [])
            width = next_width
        layers.append(nn.Linear(width, out_features))
        self.layers = nn.Sequential(*layers)
        self._activations = activations

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, F) to (B, O)."""
        return self.layers(x)

    def sites(self) -> Iterator[Site]:
        """Yield what goes into ("hidden_0.pre") and comes out of ("hidden_0.post") every activation."""
        for number, (place, width) in enumerate(self._activations):
            yield from around(f"hidden_{number}", f"layers.{place}", width=width)


def _check_sizes(in_features: int, out_features: int, hidden: Sequence[int], dropout: float) -> None:
    for name, value in [("in_features", in_features), ("out_features", out_features)]:
        if value < 1:
            raise InputError(f"{name} is {value}; it must be a positive integer")
    if any(width < 1 for width in hidden):
        raise InputError(f"hidden is {list(hidden)}; every width must be a positive integer")
    if not 0 <= dropout < 1:
        raise InputError(f"dropout is {dropout}; it must lie in [0, 1)")


def _one_per_layer(activation: LayerActivations, count: int) -> list[ActivationSpec]:
    if not isinstance(activation, list):
        return [activation] * count
    if len(activation) != count:
        raise InputError(f"activation lists {len(activation)} specs for {count} hidden layers; give one per layer")
    return list(activation)


def _norm(kind: str, width: int) -> list[nn.Module]:
    if kind == "none":
        return []
    return [nn.BatchNorm1d(width) if kind == "batch" else nn.LayerNorm(width)]
