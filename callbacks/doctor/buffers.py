"""Take back what a forward pass did to a network."""

import torch
from torch import Tensor, nn

__all__ = ["Buffers"]


class Buffers:
    """The buffers that a forward pass changes, such as running statistics, as they were before it.

    The first time all are kept; from then on those that the first update has changed. (Values are compared: batch
    normalisation does not tell torch that it writes.)

    Example:
        >>> norm, buffers = nn.BatchNorm1d(2), Buffers()
        >>> buffers.save(norm)
        >>> _ = norm(torch.tensor([[1.0, 2.0], [3.0, torch.nan]]))
        >>> buffers.restore()
        >>> norm.running_mean.tolist(), norm.num_batches_tracked.item()
        ([0.0, 0.0], 0)
    """

    def __init__(self) -> None:
        self._places: list[tuple[nn.Module, str]] = []
        self._saved: list[Tensor] = []
        self._known = self._passed = False

    def save(self, module: nn.Module) -> None:
        """Keep them."""
        if self._known:
            if self._saved:
                torch._foreach_copy_(self._saved, self._current())  # pyright: ignore[reportPrivateImportUsage]
            return
        if self._passed:
            changed = [not torch.equal(old, new) for old, new in zip(self._saved, self._current(), strict=True)]
            self._places = [place for place, moved in zip(self._places, changed, strict=True) if moved]
            self._known = True
        else:
            owners = ((part, key) for part in module.modules() for key in part._buffers)
            self._places = [(part, key) for part, key in owners if part._buffers[key] is not None]
        self._saved = [value.clone() for value in self._current()]
        self._passed = True

    def restore(self) -> None:
        """Put them back."""
        for saved, (part, key) in zip(self._saved, self._places, strict=True):
            part._buffers[key].copy_(saved)  # type: ignore[union-attr]
        self._passed = False  # what the pass has changed can no longer be seen

    def _current(self) -> list[Tensor]:
        return [part._buffers[key] for part, key in self._places]  # type: ignore[misc]
