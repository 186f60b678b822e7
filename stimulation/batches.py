"""What a batch is made of, by name; and which part of a module is its network."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

__all__ = ["count_tokens", "named_batch", "number_of_samples", "stimulated_network"]


def stimulated_network(module: nn.Module) -> nn.Module:
    """Return the network of a task, or the module itself where it has none.

    Example:
        >>> layer = nn.Linear(2, 2)
        >>> stimulated_network(layer) is layer
        True
    """
    network = getattr(module, "network", None)
    return network if isinstance(network, nn.Module) else module


def named_batch(batch: Any, module: nn.Module | None = None) -> dict[str, Tensor]:
    """Return the tensors of a batch by name.

    A module with a method ``stimulation_batch(batch)`` names them itself. Else mappings and named tuples have names; of
    a pair the first is the "input" and the second the "target"; a tensor alone is the "input".

    Example:
        >>> import torch
        >>> list(named_batch((torch.zeros(4, 2), torch.zeros(4))))
        ['input', 'target']
    """
    own = getattr(module, "stimulation_batch", None)
    if callable(own):
        batch = own(batch)
    elif hasattr(batch, "_asdict"):
        batch = batch._asdict()
    elif isinstance(batch, (tuple, list)):
        batch = dict(zip(("input", "target"), batch, strict=False))
    elif not isinstance(batch, Mapping):
        batch = {"input": batch}
    return {name: value for name, value in batch.items() if isinstance(value, Tensor)}


def number_of_samples(batch: Mapping[str, Tensor]) -> int:
    """Return the number of samples: the length of the first tensor that has one.

    Example:
        >>> import torch
        >>> number_of_samples({"input": torch.zeros(4, 2)})
        4
    """
    return next((len(value) for value in batch.values() if value.dim()), 0)


def count_tokens(batch: Mapping[str, Tensor]) -> int:
    """Return the number of tokens of a batch.

    The entries of its two-dimensional whole numbers other than the target; without any, samples times positions of a
    three-dimensional input; else one per sample.

    Example:
        >>> import torch
        >>> count_tokens({"exemplars": torch.zeros(4, 3).long(), "labels": torch.zeros(4, 2).long()})
        20
        >>> count_tokens({"input": torch.zeros(4, 7, 16)}), count_tokens({"input": torch.zeros(4, 16)})
        (28, 4)
    """
    words = [
        value.numel()
        for name, value in batch.items()
        if name != "target" and value.dim() == 2 and not value.is_floating_point()
    ]
    if words:
        return sum(words)
    x = batch.get("input")
    return x.shape[0] * x.shape[1] if x is not None and x.dim() == 3 else number_of_samples(batch)
