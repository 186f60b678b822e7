"""Activations of many networks as one.

Legend of shapes: R replicas, B batch, N units.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from .leaves import StackedLeaf

__all__ = ["StackedActivation"]


class StackedActivation(StackedLeaf):
    """Activations with values of their own, or that look at a whole sample: one call for all by `torch.func.vmap`.

    Args:
        modules: The activation of every replica, alike but for their values.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__(modules)
        self._names: dict[str, str] = {}
        for name, value in modules[0].named_parameters():
            values = torch.stack([dict(module.named_parameters())[name].detach() for module in modules])
            self.register_parameter(self._key(name), nn.Parameter(values, value.requires_grad))
        for name, _ in modules[0].named_buffers():
            self.register_buffer(
                self._key(name), torch.stack([dict(module.named_buffers())[name] for module in modules])
            )
        # not registered: its own values are those of the first replica and take no part
        self._functional = (modules[0],)

    def _key(self, name: str) -> str:
        key = name.replace(".", "__")
        self._names[key] = name
        return key

    def forward(self, x: Tensor) -> Tensor:
        """Map (R, B, N), or (B, N) for all, to (R, B, N)."""
        module = self._functional[0].train(self.training)
        values = {name: getattr(self, key) for key, name in self._names.items()}

        def one(values: dict[str, Tensor], x: Tensor) -> Tensor:
            return functional_call(module, values, (x,))

        return torch.vmap(one, in_dims=(0, None if x.dim() == 2 else 0))(values, x)

    def values(self, replica: int) -> dict[str, Tensor]:
        """Return copies of the values of one replica, by their names in its own activation."""
        return {self._names[key]: value for key, value in super().values(replica).items()}

    def assign(self, replica: int, name: str, value: Tensor) -> None:
        """Set a value of one replica, by its name in its own activation."""
        super().assign(replica, name.replace(".", "__"), value)
