"""The network under explanation: one number per row, in float64, as it answers outside of training.

Legend of shapes: B batch, F columns.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ..errors import InputError
from ..models import combined

__all__ = ["Explained", "device_of", "evaluating"]


class Explained(nn.Module):
    """One output of a network as a function of its columns; the tensors of the network are not touched.

    The network runs on detached copies of its tensors in another type: no gradient reaches its parameters, and
    differences of outputs do not drown in rounding.

    Args:
        network: Maps (B, F) to (B, O), to (B,) or to the outputs of several heads.
        target: Which output.
        dtype: Type to compute in.

    Shape:
        - Input: (B, F)
        - Output: (B,)

    Example:
        >>> explained = Explained(nn.Linear(2, 3), target=1)
        >>> explained(torch.zeros(4, 2, dtype=torch.float64)).shape
        torch.Size([4])
    """

    def __init__(self, network: nn.Module, target: int = 0, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.inputs = nn.Identity()  # a module for the columns, so that they are a layer as any other
        self.network = network
        self.target = target
        tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        self.state = {
            name: tensor.detach().to(dtype) if tensor.is_floating_point() else tensor
            for name, tensor in tensors.items()
        }

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, F) to (B,)."""
        outputs = combined(functional_call(self.network, self.state, (self.inputs(x),)))
        outputs = outputs.unsqueeze(-1) if outputs.dim() == 1 else outputs
        if outputs.dim() != 2 or not 0 <= self.target < outputs.shape[-1]:
            raise InputError(
                f"target is {self.target}, but the network gives outputs of shape {tuple(outputs.shape)}; it must be "
                "the place of one of the outputs of a row"
            )
        return outputs[:, self.target]


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Run a block with the network in evaluation mode, uncompiled and with gradients; restore its modes afterwards.

    Example:
        >>> network = nn.Dropout()
        >>> with evaluating(network):
        ...     inside = network.training
        >>> inside, network.training
        (False, True)
    """
    modules = list(network.modules())
    training = [module.training for module in modules]
    # A compiled module would run what it compiled, without the hooks that read and scale its layers.
    compiled = [module.__dict__.pop("_compiled_call_impl", None) for module in modules]
    device = device_of(network).type
    try:
        network.eval()
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device, enabled=False):
            yield
    finally:
        for module, was_training, call in zip(modules, training, compiled, strict=True):
            module.training = was_training
            if call is not None:
                module._compiled_call_impl = call


def device_of(network: nn.Module) -> torch.device:
    """Return the device of the network's first tensor, the CPU if it has none.

    Example:
        >>> device_of(nn.Linear(1, 1)).type
        'cpu'
    """
    first = next(network.parameters(), next(network.buffers(), None))
    return torch.device("cpu") if first is None else first.device
