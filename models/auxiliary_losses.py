"""Losses that parts of a network add to that of the task: one hook, which a task asks once per training step."""

from collections.abc import Callable

from torch import Tensor, nn

__all__ = ["auxiliary_losses"]


def auxiliary_losses(network: nn.Module) -> dict[str, Tensor]:
    """Collect what the modules of a network have to add to the loss of the last training step, weighted already.

    A module adds losses by a method ``auxiliary_losses()`` that returns scalars by name and forgets them. A task adds
    their sum to the loss of a training step.

    Args:
        network: The network, after its forward pass in training.

    Returns:
        Scalars with gradients, by "PATH.NAME"; empty where no module adds anything.

    Example:
        >>> import torch
        >>> from axonlight.models import PrototypeEncoder
        >>> from axonlight.models.bags import pack
        >>> network = nn.ModuleDict({"slides": PrototypeEncoder(6, width=4, num_prototypes=3, diversity=0.1)})
        >>> tokens = network["slides"](pack([torch.randn(5, 6)]))
        >>> list(auxiliary_losses(network)), auxiliary_losses(network)
        (['slides.diversity'], {})
    """
    found: dict[str, Tensor] = {}
    for path, module in network.named_modules():
        own: Callable[[], dict[str, Tensor]] | None = getattr(module, "auxiliary_losses", None)
        if callable(own):
            found |= {f"{path}.{name}" if path else name: value for name, value in own().items()}
    return found
