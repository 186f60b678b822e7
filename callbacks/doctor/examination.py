"""One examined step: what is gathered on the device, and its one way to the CPU."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from .curves import curve_values, parameter_values
from .findings import Findings, depends_on_others, numbers_of
from .listening import Heard

__all__ = ["Examination", "to_main_memory"]

Call = tuple[str, int]


class Examination:
    """What is found out about the activations of a network in one optimizer update.

    Args:
        step: Updates that were done before.
        epoch: Epoch of training.
        activations: The activations by name.
        grid: Arguments of the curves, (N,).
        max_entries: Entries of a tensor that are looked at, whole rows from the first.

    Example:
        >>> examined = Examination(0, 0, {"relu": nn.ReLU()}, torch.linspace(-1, 1, 3), 1000)
        >>> x = torch.tensor([[-1.0, 2.0]])
        >>> examined.take(Heard("relu", 0, x, x.relu(), {}))
        >>> examined.read()
        >>> examined.rows()[0]["activation"], examined.curves["relu"].flatten().tolist()
        ('relu', [0.0, 0.0, 1.0])
    """

    def __init__(
        self, step: int, epoch: int, activations: dict[str, nn.Module], grid: Tensor, max_entries: int
    ) -> None:
        self.step, self.epoch, self.activations = step, epoch, activations
        self.grid, self.max_entries = grid, max_entries
        self.numbers: dict[Call, list[Tensor]] = {}
        self.values = {
            (name, of): value.clone()
            for name, module in activations.items()
            for of, value in parameter_values(module).items()
        }
        found = {name: curve_values(module, grid) for name, module in activations.items()}
        self.curves = {name: curve for name, curve in found.items() if curve is not None}

    def take(self, heard: Heard) -> None:
        """Add a call of an activation; nothing waits for the device."""
        numbers = numbers_of(heard, self.activations[heard.name], self.max_entries, self.grid)
        self.numbers.setdefault((heard.name, heard.call), []).append(numbers)

    def read(self, trainer: Trainer | None = None) -> None:
        """Gather the ranks and bring everything to the CPU: the device is waited for once."""
        numbers = [part for parts in self.numbers.values() for part in parts]
        if trainer is not None and trainer.world_size > 1 and numbers:
            together: Any = trainer.strategy.all_gather(torch.cat(numbers))
            numbers = list(together.reshape(trainer.world_size, -1).split([len(part) for part in numbers], dim=1))
        moved = iter(to_main_memory([*numbers, *self.values.values(), *self.curves.values()]))
        self.numbers = {key: [next(moved) for _ in parts] for key, parts in self.numbers.items()}
        self.values = {key: next(moved) for key in self.values}
        self.curves = {key: next(moved) for key in self.curves}

    def findings(self) -> dict[Call, Findings]:
        """Return what was found at each call of each activation."""
        return {
            key: Findings(torch.cat([part.reshape(-1, part.shape[-1]) for part in parts]), self._points(key[0]))
            for key, parts in self.numbers.items()
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per call: that of the first bears the name of the activation, others name and number."""
        return [
            {
                "step": self.step,
                "epoch": self.epoch,
                "activation": name if call == 0 else f"{name}#{call + 1}",
                "kind": type(self.activations[name]).__name__,
                **found.row(),
            }
            for (name, call), found in self.findings().items()
        ]

    def responses(self) -> dict[str, Tensor]:
        """Return the mean output by input, (N, 1), of activations whose entries depend on one another."""
        return {name: found.response() for (name, call), found in self.findings().items() if call == 0 and found.points}

    def _points(self, name: str) -> int:
        return len(self.grid) if depends_on_others(self.activations[name]) else 0


def to_main_memory(values: Sequence[Tensor]) -> list[Tensor]:
    """Return tensors as float64 on the CPU, moved together."""
    if not values:
        return []
    wide = torch.float32 if any(value.device.type == "mps" for value in values) else torch.float64
    flat = torch.cat([value.detach().reshape(-1).to(wide) for value in values]).cpu().double()
    return [
        part.reshape(value.shape)
        for part, value in zip(flat.split([value.numel() for value in values]), values, strict=True)
    ]
