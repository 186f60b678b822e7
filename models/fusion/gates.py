"""Places where tokens are weighed, and taken out, by their names.

Legend of shapes: B patients, T tokens, d width.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ..sites import Site

__all__ = ["UnitElectrode", "factors_of", "kept_mean", "log_factors", "weighted_sum"]


class UnitElectrode(nn.Identity):
    """The identity on (B, units), a site whose units have names.

    Args:
        units: Names of the units.

    Example:
        >>> next(UnitElectrode(["death", "repair"]).sites()).units
        ('death', 'repair')
    """

    def __init__(self, units: Sequence[str]) -> None:
        super().__init__()
        self.units = tuple(units)

    def sites(self) -> Iterator[Site]:
        """Yield itself; the name is its path."""
        yield Site("", "", "output", ("batch", "unit"), self.units)


def factors_of(electrode: nn.Module, tokens: Tensor) -> Tensor | None:
    """Return what stands at a site that says how much of every token (B, T, d) there is; None for all of all.

    The site holds ones (B, T). A 0 takes a token out of gates and attention: what remains is weighed as if it had never
    been in the list.

    Example:
        >>> factors_of(UnitElectrode(["death", "repair"]), torch.zeros(3, 2, 8)) is None
        True
    """
    ones = tokens.new_ones(tokens.shape[:2])
    kept = electrode(ones)
    return None if kept is ones else kept


def weighted_sum(tokens: Tensor, gates: Tensor, kept: Tensor | None, electrode: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the sum of tokens (B, T, d) weighted by gates (B, T) of those that are kept, and the gates.

    Example:
        >>> tokens, gates = torch.tensor([[[1.0], [3.0]]]), torch.tensor([[0.5, 0.5]])
        >>> weighted_sum(tokens, gates, torch.tensor([[0.0, 1.0]]), UnitElectrode(["a", "b"]))
        (tensor([[3.]]), tensor([[0., 1.]]))
    """
    if kept is not None:
        gates = gates * kept
        gates = gates / gates.sum(1, keepdim=True).clamp_min(torch.finfo(gates.dtype).tiny)
    gates = electrode(gates)
    return (gates.unsqueeze(1) @ tokens).squeeze(1), gates


def log_factors(kept: Tensor) -> Tensor:
    """Return what is added to scores before a softmax so that it weighs every token by how much of it there is.

    Example:
        >>> (torch.zeros(3) + log_factors(torch.tensor([1.0, 0.0, 1.0]))).softmax(0).tolist()[::2]
        [0.5, 0.5]
    """
    return kept.clamp_min(torch.finfo(kept.dtype).tiny).log()


def kept_mean(tokens: Tensor, kept: Tensor | None) -> Tensor:
    """Return the mean (B, d) of those tokens (B, T, d) that are kept.

    Example:
        >>> kept_mean(torch.tensor([[[1.0], [5.0]]]), torch.tensor([[1.0, 0.0]]))
        tensor([[1.]])
    """
    if kept is None:
        return tokens.mean(1)
    shares = kept / kept.sum(1, keepdim=True).clamp_min(torch.finfo(kept.dtype).tiny)
    return (shares.unsqueeze(1) @ tokens).squeeze(1)
