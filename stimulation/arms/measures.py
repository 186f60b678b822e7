"""What heads do while many arms train."""

from collections.abc import Mapping

from torch import Tensor, nn

from ...errors import InputError
from ...metrics import induction_strength, previous_token_score
from ...models import AttentionOnlyTransformer, attention_patterns, head_accuracies

__all__ = ["measure_heads"]


def measure_heads(network: nn.Module, batch: Mapping[str, Tensor], shared: Mapping[str, Tensor]) -> dict[str, float]:
    """Return what every head of an attention-only network does on an evaluator: for `Arms.train` as ``measure``.

    Heads are layer.head, both from 0. "previous_token/0.2": attention of a token to the one before it, in all layers
    but the last; "induction_strength/1.3": attention of the query to the correct label minus that to the other one, and
    "accuracy_alone/1.3": accuracy with that head alone in its layer, both in the last layer.

    Args:
        network: An `AttentionOnlyTransformer` with explicit attention.
        batch: "exemplars", "labels" and "target".
        shared: "features", where exemplars are class numbers.

    Raises:
        InputError: If it is another network.

    Example:
        >>> import torch
        >>> batch = {"exemplars": torch.randn(4, 3, 16), "labels": torch.tensor([[0, 1]] * 4)}
        >>> batch["target"] = torch.zeros(4, dtype=torch.int64)
        >>> found = measure_heads(AttentionOnlyTransformer(16, 5, num_heads=2), batch, {})
        >>> list(found)[:4]
        ['previous_token/0.0', 'previous_token/0.1', 'induction_strength/1.0', 'induction_strength/1.1']
    """
    if not isinstance(network, AttentionOnlyTransformer):
        raise InputError(f"heads are measured of an AttentionOnlyTransformer; the network is {type(network).__name__}")
    exemplars, labels, target = batch["exemplars"], batch["labels"], batch["target"]
    features = None if exemplars.is_floating_point() else shared.get("features")
    patterns = attention_patterns(network, exemplars, labels, features)
    last = len(patterns) - 1
    found = {}
    for layer, pattern in enumerate(patterns[:-1]):
        found |= _by_head("previous_token", layer, previous_token_score(pattern))
    found |= _by_head("induction_strength", last, induction_strength(patterns[-1], labels, target))
    return found | _by_head(
        "accuracy_alone", last, head_accuracies(network, exemplars, labels, target, features, layer=last)
    )


def _by_head(name: str, layer: int, values: Tensor) -> dict[str, float]:
    return {f"{name}/{layer}.{head}": value for head, value in enumerate(values.tolist())}
