"""From a protocol and a network to what acts and reads at which place."""

from typing import TYPE_CHECKING

from torch import nn

from ...errors import InputError
from ...models import Site, find_sites
from ..scene import Scene
from .fiber import Fiber
from .sources import Need
from .stimulator import Stimulator, Traffic

if TYPE_CHECKING:
    from ..protocol import Protocol

__all__ = ["Wiring"]


class Wiring:
    """One stimulator for every side of a module that a protocol names, and what each of them does.

    Args:
        protocol: The protocol.
        network: The network.
        scene: The scene that all share.

    Attributes:
        fibers: Every stimulus at every site, in the order of the network and of action.
        needs: What stimuli take from other passes.
        sensed: Stimulators at sites whose statistics a light reads, by the site's name.
        averaged: Stimulators at sites whose running mean an opsin reads, by the site's name.

    Raises:
        InputError: If the protocol names a site that the network does not have.

    Example:
        >>> from axonlight.models import DenseNetwork
        >>> from axonlight.stimulation import Protocol
        >>> protocol = Protocol.build([{"target": "*.post", "opsin": "silence"}])
        >>> wiring = Wiring(protocol, DenseNetwork(30, 1, hidden=[3, 2]), Scene())
        >>> [stimulator.path for stimulator in wiring.stimulators]
        ['layers.2', 'layers.5']
    """

    def __init__(self, protocol: "Protocol", network: nn.Module, scene: Scene) -> None:
        self.protocol, self.network, self.scene = protocol, network, scene
        self.traffic = Traffic()
        self._stimulators: dict[tuple[str, str], Stimulator] = {}
        self.fibers = [Fiber(bound, scene) for bound in protocol.bind(network)]
        for fiber in self.fibers:
            fibers = self.at(fiber.site).fibers
            fibers.append(fiber)
            # sites of several names may be one place
            fibers.sort(key=lambda item: (item.opsin.rank, item.bound.number))
        self.needs = [need for fiber in self.fibers for need in self._needs_of(fiber)]
        self.sensed: dict[str, Stimulator] = {}
        self.averaged: dict[str, Stimulator] = {}
        for fiber in self.fibers:
            self._read_for(fiber)

    @property
    def stimulators(self) -> list[Stimulator]:
        """All stimulators."""
        return list(self._stimulators.values())

    def at(self, site: Site) -> Stimulator:
        """Return the stimulator of a site."""
        key = (site.path, site.side)
        if key not in self._stimulators:
            self._stimulators[key] = Stimulator(site.path, site.side, self.scene, self.traffic)
        return self._stimulators[key]

    def _needs_of(self, fiber: Fiber) -> list[Need]:
        need = fiber.opsin.needs_source()
        if need is None:
            return []
        detach = bool(getattr(fiber.opsin, "detach", False))
        return [Need(fiber, need, need.get("site") or fiber.site.name, detach)]

    def _read_for(self, fiber: Fiber) -> None:
        """Let other places be read for a stimulus and its light."""
        for name in sorted(fiber.opsin.reads_sites()):
            self._named(name, fiber).reading.captured.add(name)
        for need in self._needs_of(fiber):
            self._named(need.site, fiber).reading.sourced.setdefault(need.source, set()).add(need.site)
        if fiber.opsin.needs_statistic() == "mean":
            self.averaged[fiber.site.name] = self.at(fiber.site)
            self.at(fiber.site).reading.averaged = True
        for text in sorted(fiber.bound.stimulus.light.needs()):
            if text.startswith("statistic:"):
                name = text.removeprefix("statistic:").rpartition(":")[0]
                self.sensed[name] = self._named(name, fiber)
                self.sensed[name].reading.sensed = True

    def _named(self, name: str, fiber: Fiber) -> Stimulator:
        try:
            sites = find_sites(self.network, name)
        except InputError as error:
            raise InputError(f"{fiber.bound.line}: {error}") from None
        if len(sites) > 1:
            raise InputError(f"{fiber.bound.line}: {name} names {len(sites)} sites; only one can be read")
        return self.at(sites[0])
