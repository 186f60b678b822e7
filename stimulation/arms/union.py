"""The stimuli of all arms on one network: every arm's own gates open its own ones and leave the others shut.

Legend of shapes: F fibers (stimuli at sites).
"""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from ..conducting.conductor import Conductor
from ..conducting.installation import Installation
from ..conducting.sources import SourcePasses
from ..conducting.wiring import Wiring
from ..protocol import BoundStimulus, Protocol
from ..scene import Scene

__all__ = ["Signals", "StimulusUnion"]

# What one arm's hooks see in one batch, tensors of that arm by name.
Signals = Mapping[str, Any]


class StimulusUnion:
    """The hooks of several protocols on one network, each stimulus once however many arms have it.

    Two stimuli are one if everything but their light is the same: target, opsin, gradient rule, place in the protocol
    and seed. An arm without a stimulus has a gate of 0 there, which writes nothing, bit by bit.

    Args:
        protocols: The protocols; None for an arm without one.
        network: The network.

    Attributes:
        fibers: The stimuli at their sites.
        sources: Names of the other passes that some stimulus needs.
    """

    def __init__(self, protocols: Sequence[Protocol | None], network: nn.Module) -> None:
        self.network = network
        self.scene = Scene()
        bounds: dict[tuple, BoundStimulus] = {}
        for protocol in protocols:
            for bound in protocol.bind(network) if protocol is not None else ():
                bounds.setdefault(_key(bound), bound)
        gathered: Any = SimpleNamespace(bind=lambda network: _in_order(list(bounds.values()), protocols, network))
        self._wiring = Wiring(gathered, network, self.scene)
        self.fibers = self._wiring.fibers
        self._number = {_key(fiber.bound): number for number, fiber in enumerate(self.fibers)}
        self._sources = SourcePasses(network, self.scene, self._wiring.traffic, self._wiring.needs)
        self.sources = tuple(dict.fromkeys(need.source for need in self._wiring.needs))
        before_pass = self._sources.before_pass if self.sources else None
        self._installation = Installation(network, self._wiring.stimulators, before_pass)
        self.sensed = tuple(self._wiring.sensed)
        self.averaged = tuple(self._wiring.averaged)

    def numbers(self, conductor: Conductor) -> list[int]:
        """Return which fibers here those of the conductor of one arm are."""
        return [self._number[_key(fiber.bound)] for fiber in conductor.fibers]

    @property
    def choosy(self) -> list[int]:
        """Fibers that reach some samples of a batch only."""
        return [
            number
            for number, fiber in enumerate(self.fibers)
            if fiber.bound.target.classes is not None or fiber.bound.stimulus.light.probability is not None
        ]

    def install(self) -> None:
        """Put the hooks on the network."""
        self._sources.load()
        self._installation.install()

    def remove(self) -> None:
        """Take the hooks off and forget what they saw."""
        self._installation.remove()
        self.forget()

    def forget(self) -> None:
        """Forget the tensors of a pass: those of a trace must not outlive it."""
        self.scene.captured.clear()
        self.scene.sources.clear()
        self.scene.batch = {}
        self.scene.step_seed = torch.zeros((), dtype=torch.int64)
        for fiber in self.fibers:
            fiber.samples = None
            fiber.set_gate(torch.zeros(()))
        for stimulator in self._wiring.stimulators:
            stimulator.sensed = stimulator.average = None

    def light(self, signals: Signals, batch: Mapping[str, Tensor]) -> None:
        """Let the light of one arm in, for the pass that follows.

        Args:
            signals: "gates" (F,), "seed" (), "samples" by the number of the fiber, "means" by site.
            batch: The batch, tensors by name.
        """
        self.forget()
        self.scene.batch, self.scene.step_seed = batch, signals["seed"]
        for number, fiber in enumerate(self.fibers):
            fiber.set_gate(signals["gates"][number])
            fiber.samples = signals["samples"].get(str(number))
        for site, mean in signals["means"].items():
            self.scene.sources["mean", site] = mean
        self._sources.due = set(self.sources)
        for stimulator in self._wiring.stimulators:
            stimulator.fired = stimulator.active = True

    def rehearse(self, batch: Mapping[str, Tensor], arguments: tuple[Tensor, ...]) -> dict[str, torch.Size]:
        """Pass a batch with all gates open: what Python looks up once per site is then known before a trace.

        Args:
            batch: The batch, tensors by name.
            arguments: The network's arguments.

        Returns:
            Shapes of the running means that opsins read, by site.
        """
        signals = {
            "gates": torch.ones(len(self.fibers)),
            "seed": torch.zeros((), dtype=torch.int64),
            "samples": {str(number): torch.ones(len(batch["target"])) for number in self.choosy},
            "means": {},
        }
        kept = {name: value.clone() for name, value in self.network.named_buffers()}
        self.install()
        try:
            self.light(signals, batch)
            with torch.no_grad():
                self.network(*arguments)
            return {name: value.shape for name, value in self.statistics()["averaged"].items()}
        finally:
            self.remove()
            for name, value in self.network.named_buffers():
                value.copy_(kept[name])

    def statistics(self) -> dict[str, dict[str, Tensor]]:
        """Return what the pass left at the sites: statistics (3,) and means of the batch, by site."""
        sensed, averaged = self._wiring.sensed, self._wiring.averaged
        return {
            "sensed": {name: item.sensed for name, item in sensed.items() if item.sensed is not None},
            "averaged": {name: item.average for name, item in averaged.items() if item.average is not None},
        }


def _key(bound: BoundStimulus) -> tuple:
    stimulus = bound.stimulus
    statistics = sorted(text for text in stimulus.light.needs() if text.startswith("statistic:"))
    choosy = stimulus.light.probability is not None
    what = repr((bound.target, stimulus.opsin, stimulus.rule, statistics, choosy))
    return bound.number, bound.seed, bound.site.path, bound.site.side, what


def _in_order(
    bounds: Sequence[BoundStimulus], protocols: Sequence[Protocol | None], network: nn.Module
) -> tuple[BoundStimulus, ...]:
    """Return stimuli place by place, and at each by rank and number: the order within every protocol is kept."""
    places = {}
    for protocol in protocols:
        for bound in protocol.bind(network) if protocol is not None else ():
            places.setdefault((bound.site.path, bound.site.side), len(places))
    return tuple(sorted(bounds, key=lambda b: (places[b.site.path, b.site.side], b.stimulus.opsin.rank, b.number)))
