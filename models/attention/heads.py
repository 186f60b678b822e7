"""What each head of a trained network does, and what it could do alone.

Legend of shapes: B batch, E exemplars, T tokens, C classes, F features, H heads.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from .block import AttentionBlock
from .transformer import AttentionOnlyTransformer

__all__ = ["attention_patterns", "head_accuracies"]


@torch.no_grad()
def attention_patterns(
    network: AttentionOnlyTransformer, exemplars: Tensor, labels: Tensor, features: Tensor | None = None
) -> list[Tensor]:
    """Return the attention of every layer, (B, H, T, T) each.

    Args:
        network: A network with explicit attention.
        exemplars: (B, E, F), or int64 (B, E) with `features`.
        labels: int64 (B, E - 1).
        features: (C, F), or None.

    Raises:
        InputError: If the network's attention is fused, which keeps no patterns.

    Example:
        >>> network = AttentionOnlyTransformer(16, 5)
        >>> patterns = attention_patterns(network, torch.randn(4, 3, 16), torch.zeros(4, 2, dtype=torch.int64))
        >>> len(patterns), patterns[1].shape
        (2, torch.Size([4, 8, 5, 5]))
    """
    attention = [_block(network, layer).attention for layer in range(len(network.blocks))]
    if any(part.attention == "fused" for part in attention):
        raise InputError("the network's attention is 'fused', which keeps no patterns; set attention to 'explicit'")
    found: list[Tensor] = []

    def keep(_module: Any, _inputs: Any, output: Tensor) -> None:
        found.append(output)

    with _hooked([(part.pattern, keep) for part in attention]):
        _run(network, exemplars, labels, features)
    return found


@torch.no_grad()
def head_accuracies(
    network: AttentionOnlyTransformer,
    exemplars: Tensor,
    labels: Tensor,
    target: Tensor,
    features: Tensor | None = None,
    layer: int = -1,
) -> Tensor:
    """Return the accuracy with one head of a layer left at a time: the values of all others are 0.

    Args:
        network: The network.
        exemplars: (B, E, F), or int64 (B, E) with `features`.
        labels: int64 (B, E - 1).
        target: int64 (B,).
        features: (C, F), or None.
        layer: The layer, from 0; negative numbers count from the last.

    Returns:
        float32 (H,).

    Raises:
        InputError: If there is no such layer.

    Example:
        >>> network = AttentionOnlyTransformer(16, 5)
        >>> labels = torch.tensor([[0, 1]] * 4)
        >>> head_accuracies(network, torch.randn(4, 3, 16), labels, labels[:, 0]).shape
        torch.Size([8])
    """
    values = _block(network, layer).attention.v
    accuracies = []
    for head in range(values.sizes["head"]):

        def leave_one(_module: Any, _inputs: Any, output: Tensor, head: int = head) -> Tensor:
            left = torch.zeros_like(output)
            left[:, head] = output[:, head]
            return left

        with _hooked([(values, leave_one)]):
            outputs = _run(network, exemplars, labels, features)
        accuracies.append((outputs.argmax(-1) == target).float().mean())
    return torch.stack(accuracies)


def _block(network: AttentionOnlyTransformer, layer: int) -> AttentionBlock:
    number = len(network.blocks)
    if not -number <= layer < number:
        raise InputError(f"layer is {layer}, but the network has {number} layers, counted from 0")
    block = network.blocks[layer]
    assert isinstance(block, AttentionBlock)  # noqa: S101
    return block


def _run(network: AttentionOnlyTransformer, exemplars: Tensor, labels: Tensor, features: Tensor | None) -> Tensor:
    # A graph that was compiled before the hooks were there would not call them.
    with torch.compiler.set_stance("force_eager"):
        return network(exemplars, labels, features)


@contextmanager
def _hooked(hooks: Sequence[tuple[torch.nn.Module, Callable]]) -> Iterator[None]:
    handles = [module.register_forward_hook(hook) for module, hook in hooks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
