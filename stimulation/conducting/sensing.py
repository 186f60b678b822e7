"""What is measured at sites for closed loops and running means: gathered after a pass, read before the next one."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from .statistics import MOMENTUM, combined
from .stimulator import Stimulator
from .wiring import Wiring

__all__ = ["Sensing"]


class Sensing:
    """Statistics of sites. The device is asked at the start of a batch only, and only where a light reads them.

    Args:
        wiring: Where is measured; running means are put into its scene.
        mean_over_ranks: Returns the mean of a tensor over all processes.
    """

    def __init__(self, wiring: Wiring, mean_over_ranks: Callable[[Tensor], Tensor]) -> None:
        self.scene, self.sensed, self.averaged = wiring.scene, wiring.sensed, wiring.averaged
        self.mean_over_ranks = mean_over_ranks
        for name, stimulator in self.averaged.items():
            self.scene.sources["mean", name] = _unknown(stimulator, name)
        self._latest: Tensor | None = None

    def to(self, device: torch.device) -> None:
        """Bring running means to the device of the network."""
        for name in self.averaged:
            self.scene.sources["mean", name] = self.scene.sources["mean", name].to(device)

    def gather(self) -> None:
        """Put together over ranks what the pass left at the sites; nothing waits for the device."""
        if not self.sensed and not self.averaged:
            return
        found = [stimulator.sensed for stimulator in self.sensed.values()]
        if found and all(value is not None for value in found):
            self._latest = combined(torch.stack(found), self.mean_over_ranks)  # type: ignore[arg-type]
        for name, stimulator in self.averaged.items():
            if stimulator.average is not None:
                self._average(name, self.mean_over_ranks(stimulator.average))
                stimulator.average = None

    def _average(self, name: str, mean: Tensor) -> None:
        running = self.scene.sources["mean", name].to(mean)
        if running.shape != mean.shape:
            running = torch.full_like(mean, torch.nan)
        # the tensor stays the same one, for graphs that read it
        running.copy_(torch.where(running.isnan(), mean, running.lerp(mean, MOMENTUM)))
        self.scene.sources["mean", name] = running

    def values(self) -> dict[str, float]:
        """Return the statistics of the batch before by the text of the sensor; waits for the device."""
        if self._latest is None:
            return {}
        found = {}
        for name, (mean, variance, rate) in zip(self.sensed, self._latest.tolist(), strict=True):
            found.update({f"statistic:{name}:{key}": value for key, value in _named(mean, variance, rate).items()})
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return running means and latest statistics."""
        means = {name: value.cpu() for (kind, name), value in self.scene.sources.items() if kind == "mean"}
        return {"means": means, "latest": None if self._latest is None else self._latest.cpu()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        for name, value in state["means"].items():
            self.scene.sources["mean", name] = value.clone()
        self._latest = state["latest"]


def _unknown(stimulator: Stimulator, name: str) -> Tensor:
    """Return NaN in the shape of a sample, as far as it is known: a graph need not be traced again then."""
    site = next(fiber.site for fiber in stimulator.fibers if fiber.site.name == name)
    sizes = [site.size(axis) for axis in site.axes or ("unknown",) if axis != "batch"]
    known = [size for size in sizes if size is not None]
    return torch.full(known if len(known) == len(sizes) else (), torch.nan)


def _named(mean: float, variance: float, rate: float) -> dict[str, float]:
    return {"mean": mean, "std": max(variance, 0.0) ** 0.5, "rate": rate}
