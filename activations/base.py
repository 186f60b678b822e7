"""What every activation of this package shares: parameters that may differ between units.

Shapes: B batch, F features, T tokens, D model width, C channels, P parameters per name (1, one per unit, or one
per named group of units).
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..errors import InputError

__all__ = ["Activation", "is_activation", "is_elementwise", "is_plain_elementwise", "unit_dimension"]

# torch's activations that look at other entries of the tensor, or draw random numbers.
_NOT_ELEMENTWISE = (nn.Softmax, nn.Softmax2d, nn.Softmin, nn.LogSoftmax, nn.GLU, nn.RReLU, nn.MultiheadAttention)


def unit_dimension(x: Tensor, channel_dim: int | None = None) -> int:
    """Return the dimension along which units (features, channels) differ, as a non-negative index.

    Without `channel_dim` it is dimension 1 of (B, F) and of (B, C, H, W) or longer, and the last dimension of
    (F,) and (B, T, D): the layouts of dense networks, convolutions and transformers.
    """
    if channel_dim is not None:
        return channel_dim % x.dim()
    return 1 if x.dim() >= 4 else x.dim() - 1


class Activation(nn.Module):
    """Base class of activations: a tensor in, a tensor of the same shape out.

    Args:
        num_parameters: Values held per parameter name: 1 (shared by all units), the number of units, or the
            number of groups when `groups` is given.
        groups: One label per unit (a pathway's name, a cell type); units with the same label share a value.
            The order of `group_names` is that of first appearance.
        channel_dim: Dimension of the units; None picks it by the number of dimensions (see `unit_dimension`).

    Raises:
        InputError: If `num_parameters` is not positive or contradicts `groups`.

    Example:
        >>> from axonlight.activations import Swish
        >>> grouped = Swish(groups=["DNA repair", "apoptosis", "DNA repair"], num_parameters=2)
        >>> isinstance(grouped, Activation), grouped.group_names, grouped.beta.shape
        (True, ('DNA repair', 'apoptosis'), torch.Size([2]))
    """

    gated: ClassVar[bool] = False  # whether an entry of the output depends on other entries of the tensor or batch
    groups: Tensor | None

    def __init__(
        self,
        num_parameters: int = 1,
        groups: Sequence[int | str] | None = None,
        channel_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.channel_dim = channel_dim
        self.group_names: tuple[int | str, ...] = tuple(dict.fromkeys(groups)) if groups is not None else ()
        index = None
        if groups is not None:
            if num_parameters not in (1, len(self.group_names)):
                raise InputError(f"num_parameters is {num_parameters}, but groups names {len(self.group_names)} groups")
            num_parameters = len(self.group_names)
            position = {name: i for i, name in enumerate(self.group_names)}
            index = torch.tensor([position[label] for label in groups])
        if num_parameters < 1:
            raise InputError(f"num_parameters is {num_parameters}; it must be a positive integer")
        self.num_parameters = num_parameters
        # Part of the architecture, not of the learned state.
        self.register_buffer("groups", index, persistent=False)

    def per_unit(self, parameter: Tensor, x: Tensor) -> Tensor:
        """Shape a (P,) parameter so that it broadcasts over the units of `x`."""
        if self.groups is not None:
            parameter = parameter[self.groups]
        if parameter.numel() == 1:
            return parameter
        dim = unit_dimension(x, self.channel_dim)
        if parameter.numel() != x.shape[dim]:
            raise InputError(
                f"{type(self).__name__} holds {parameter.numel()} values per parameter, but dimension {dim} of its "
                f"input of shape {tuple(x.shape)} has {x.shape[dim]} units"
            )
        return parameter.view(-1, *(1,) * (x.dim() - dim - 1))


def is_activation(module: nn.Module) -> bool:
    """Tell whether a module is an activation: one of ours, one of torch's, or one that a spec built.

    Example:
        >>> is_activation(nn.Tanh()), is_activation(nn.Linear(2, 2))
        (True, False)
    """
    if isinstance(module, nn.MultiheadAttention):
        return False
    return (
        isinstance(module, Activation)
        or type(module).__module__ == nn.ReLU.__module__
        or getattr(module, "built_from_spec", False)
    )


def is_elementwise(module: nn.Module) -> bool:
    """Tell whether an activation treats every entry of a tensor by itself and draws no random numbers.

    Example:
        >>> is_elementwise(nn.Tanh()), is_elementwise(nn.PReLU()), is_elementwise(nn.RReLU())
        (True, True, False)
    """
    if isinstance(module, Activation):
        return not module.gated
    return type(module).__module__ == nn.ReLU.__module__ and not isinstance(module, _NOT_ELEMENTWISE)


def is_plain_elementwise(module: nn.Module) -> bool:
    """Tell whether an activation `is_elementwise` and has no values of its own.

    Example:
        >>> is_plain_elementwise(nn.Tanh()), is_plain_elementwise(nn.PReLU()), is_plain_elementwise(nn.Softmax())
        (True, False, False)
    """
    has_values = next(module.parameters(), None) is not None or next(module.buffers(), None) is not None
    return not has_values and is_elementwise(module)
