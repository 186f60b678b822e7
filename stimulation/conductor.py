"""The conductor of a protocol: at the start of every batch it decides what is lit, and nothing changes after that."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError, RunError
from ..models import Site, find_sites
from ..randomness import derive_seed
from .clock import Clock, Phase
from .fiber import Fiber
from .installation import Installation, explain_silence, stimulators_of
from .light import LightState
from .protocol import Protocol
from .protocol.record import PhotostimulationRecord
from .scene import Scene
from .sensing import Sensing
from .sources import Need, SourcePasses
from .stimulator import Stimulator, Traffic

__all__ = ["Conductor"]

_VERSION = 1


class Conductor:
    """Lets the stimuli of a protocol act on a network: without Lightning, in any training loop.

    Call `begin` before every forward pass of training (every micro-batch, where gradients are accumulated) and `end`
    after its backward pass. Gates, seeds and chosen samples change in `begin` alone: hooks and graphs only read them,
    so that recomputed activations see what the forward pass saw.

    Args:
        protocol: The protocol, or what `Protocol.build` takes.
        network: The network.
        seed: Seed of the run; with the protocol's own seed it decides everything random.
        mean_over_ranks: Returns the mean of a tensor over all processes; None: there is one process.

    Attributes:
        scene: What opsins look at.
        states: What the light of every stimulus remembers.
        record: What was done.

    Raises:
        InputError: If the protocol does not fit the network.

    Example:
        >>> from axonlight.models import DenseNetwork
        >>> network = DenseNetwork(30, 1, hidden=[4], norm="none")
        >>> conductor = Conductor([{"target": {"site": "hidden_0.post"}, "opsin": "silence"}], network)
        >>> conductor.install()
        >>> x = torch.ones(2, 30)
        >>> conductor.begin(Clock(step=0), {"input": x})
        >>> loss = network(x).sum()
        >>> loss.backward()
        >>> conductor.end()
        >>> network.layers[0].weight.grad.abs().max().item()
        0.0
        >>> conductor.remove()
    """

    def __init__(
        self,
        protocol: Protocol | Any,
        network: nn.Module,
        seed: int = 0,
        mean_over_ranks: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.protocol = Protocol.build(protocol)
        self.network = network
        self.seed = derive_seed(seed, "stimulation", self.protocol.seed)
        self.scene = Scene()
        self.traffic = Traffic()
        self.states = [LightState() for _ in self.protocol.stimuli]
        self.record = PhotostimulationRecord(self.protocol.stimuli, self.protocol.hash)
        self.batches = 0
        self.freezes = False
        self._stimulators: dict[tuple[str, str], Stimulator] = {}
        self.fibers = [self._add_fiber(bound) for bound in self.protocol.bind(network)]
        self.sources = SourcePasses(network, self.scene, self.traffic, self._needs())
        self.sensing = Sensing(self.scene, mean_over_ranks or _same)
        self._prepare_readings()
        before_pass = self.sources.before_pass if self.sources.needs else None
        self._installation = Installation(network, self._stimulators.values(), before_pass)

    # Binding ---------------------------------------------------------------------------------------------------

    def _add_fiber(self, bound: Any) -> Fiber:
        fiber = Fiber(bound, self.scene)
        self._at(bound.site).fibers.append(fiber)
        self._at(bound.site).fibers.sort(key=lambda item: (item.opsin.rank, item.bound.number))
        return fiber

    def _at(self, site: Site) -> Stimulator:
        """Return the stimulator at a site; names of one place share it."""
        key = (site.path, site.side)
        if key not in self._stimulators:
            self._stimulators[key] = Stimulator(*key, self.scene, self.traffic)
        return self._stimulators[key]

    def _needs(self) -> list[Need]:
        found = []
        for fiber in self.fibers:
            need = fiber.opsin.needs_source()
            if need is not None:
                detach = bool(getattr(fiber.opsin, "detach", False))
                found.append(Need(fiber, need, need.get("site") or fiber.site.name, detach))
        return found

    def _prepare_readings(self) -> None:
        for fiber in self.fibers:
            for name in sorted(fiber.opsin.reads_sites()):
                self._site_of(name, fiber).reading.captured.add(name)
            if fiber.opsin.needs_statistic() == "mean":
                stimulator = self._at(fiber.site)
                stimulator.reading.averaged = True
                self.sensing.averaged[fiber.site.name] = stimulator
        for need in self.sources.needs:
            sourced = self._site_of(need.site, need.fiber).reading.sourced
            sourced.setdefault(need.source, set()).add(need.site)
        for number, stimulus in enumerate(self.protocol.stimuli):
            for text in sorted(stimulus.light.needs()):
                if text.startswith("statistic:"):
                    name = text.removeprefix("statistic:").rpartition(":")[0]
                    fiber = next(item for item in self.fibers if item.bound.number == number)
                    stimulator = self._site_of(name, fiber)
                    stimulator.reading.sensed = True
                    self.sensing.sensed[name] = stimulator

    def _site_of(self, name: str, fiber: Fiber) -> Stimulator:
        try:
            sites = find_sites(self.network, name)
        except InputError as error:
            raise InputError(f"{fiber.bound.line}: {error}") from None
        if len(sites) > 1:
            raise InputError(f"{fiber.bound.line}: {name} names {len(sites)} sites; one can be read")
        return self._at(sites[0])

    @property
    def wants(self) -> frozenset[str]:
        """What the lights look at beside the step: "loss", "metrics", "tokens", "samples", "statistic:SITE:mean"."""
        return frozenset().union(*(stimulus.light.needs() for stimulus in self.protocol.stimuli))

    @property
    def phases(self) -> frozenset[str]:
        """Phases in which some stimulus acts."""
        return frozenset(phase for stimulus in self.protocol.stimuli for phase in stimulus.phases)

    # Installing ------------------------------------------------------------------------------------------------

    def install(self) -> None:
        """Put the hooks on the network; a second call changes nothing.

        Raises:
            InputError: If the checkpoint of a graft cannot be used.
        """
        if self._installation.is_installed:
            return
        self.sources.load()
        device = next((value.device for value in self.network.parameters()), torch.device("cpu"))
        self.scene.step_seed = self.scene.step_seed.to(device)
        for fiber in self.fibers:
            fiber.to(device)
        self._installation.install()

    def remove(self) -> None:
        """Close all gates and take the hooks off; a second call changes nothing."""
        self._installation.remove()
        self._clear()

    @property
    def is_installed(self) -> bool:
        """Whether the hooks are on the network."""
        return self._installation.is_installed

    # Batches ---------------------------------------------------------------------------------------------------

    def begin(self, clock: Clock, batch: Mapping[str, Tensor], rank: int = 0, world: int = 1) -> None:
        """Decide what is lit while a batch passes.

        Args:
            clock: How far training has come. Where a light reads statistics of sites, they are added to its metrics.
            batch: Tensors of the batch by name, on the network's device; the first dimension is that of the samples.
            rank: Number of this process.
            world: Number of processes. Sample i of rank r counts as number ``i * world + r`` of the batch; where ranks
                hold consecutive parts, pass rank 0 of 1 and a clock that counts the samples of earlier ranks.
        """
        training = clock.phase == "train"
        self._clear()
        self.scene.batch = batch
        self.batches += training
        purpose = ("scene", self.batches) if training else ("scene", clock.phase, clock.step)
        self.scene.step_seed.fill_(derive_seed(self.seed, *purpose, rank))
        clock = replace(clock, metrics={**clock.metrics, **self.sensing.values()})
        levels = [self._level(number, clock) for number in range(len(self.states))]
        assignments = self._assignments(clock, batch, rank, world)
        for fiber in self.fibers:
            level = levels[fiber.bound.number]
            fiber.set_level(level, self._samples(fiber, assignments[fiber.bound.number], level))
        self._note(levels, clock)
        self._set_flags(training)

    def _level(self, number: int, clock: Clock) -> float:
        """Return the gate of a stimulus: light, kinetics, what is permanent; dark outside its phases."""
        stimulus, training = self.protocol.stimuli[number], clock.phase == "train"
        if not training and clock.phase not in stimulus.phases:
            return 0.0
        # outside training nobody may remember what was asked
        state = self.states[number] if training else copy.deepcopy(self.states[number])
        level = stimulus.light.intensity(clock, state)
        if stimulus.opsin.kinetics is not None:
            level = self._gated(stimulus.opsin.kinetics, level, clock, state)
        if stimulus.opsin.permanent:
            memory = state.part("lesion")
            memory["made"] = bool(memory.get("made", False) or level > 0)
            level = float(memory["made"])
        return level if clock.phase in stimulus.phases else 0.0

    def _gated(self, kinetics: Any, level: float, clock: Clock, state: LightState) -> float:
        """Return what the kinetics make of the light; they go on once for every update."""
        memory = state.part("gate")
        if memory.get("step") != clock.step:
            memory.update(step=clock.step, level=kinetics.gate(level, state))
        return memory["level"]

    def _assignments(self, clock: Clock, batch: Mapping[str, Tensor], rank: int, world: int) -> list[Tensor | None]:
        """Return for every stimulus which samples get light; None where all do."""
        tensor = next((value for value in batch.values() if isinstance(value, Tensor) and value.dim()), None)
        found: list[Tensor | None] = []
        for number, stimulus in enumerate(self.protocol.stimuli):
            if stimulus.light.probability is None or tensor is None:
                found.append(None)
                continue
            seed = derive_seed(self.seed, "samples", number)
            found.append(stimulus.light.assignment(seed, clock.samples, len(tensor), rank, world, device=tensor.device))
        return found

    def _samples(self, fiber: Fiber, assignment: Tensor | None, level: float) -> Tensor | None:
        target = fiber.bound.target
        if target.classes is None:
            return assignment
        if level == 0.0 and "target" not in self.scene.batch:
            return assignment
        chosen = target.samples(self.scene)
        return chosen if assignment is None or chosen is None else chosen * assignment

    def _note(self, levels: list[float], clock: Clock) -> None:
        for number, level in enumerate(levels):
            if level:
                self.record.note(number, clock.step, level, clock.phase)
                self.freezes = self.freezes or (
                    clock.phase == "train" and self.protocol.stimuli[number].optimizer == "freeze"
                )

    def _set_flags(self, training: bool) -> None:
        """Tell every stimulator whether anything is to be done in this batch: one flag, for eager mode."""
        lit = [fiber for fiber in self.fibers if fiber.lit]
        read = {name for fiber in lit for name in fiber.opsin.reads_sites()}
        self.sources.due = {need.source for need in self.sources.needs if need.fiber.lit}
        if self.sources.due:
            mine = set(map(id, self._stimulators.values()))
            others = [item.traffic for item in stimulators_of(self.network) if id(item) not in mine]
            self.sources.others = list({id(traffic): traffic for traffic in others}.values())
        for stimulator in self._stimulators.values():
            reading = stimulator.reading
            stimulator.active = (
                any(fiber.lit for fiber in stimulator.fibers)
                or bool(reading.captured & read)
                or bool(reading.sourced.keys() & self.sources.due)
                or (training and (reading.sensed or reading.averaged))
            )

    def end(self, training: bool = True) -> None:
        """Take up what the pass left behind, after its backward pass."""
        if training:
            self.sensing.gather()
            self.sources.advance()
        self._clear()

    def _clear(self) -> None:
        self.scene.captured.clear()
        for key in [key for key in self.scene.sources if key[0] != "mean"]:
            del self.scene.sources[key]

    def darken(self) -> None:
        """Let no light in until the next `begin`."""
        for stimulator in self._stimulators.values():
            stimulator.darken()
        self.sources.due = set()

    def forget_passes(self) -> None:
        """Start to watch which sites a pass reaches."""
        for stimulator in self._stimulators.values():
            stimulator.fired = False

    def check_fired(self, phase: Phase = "train") -> None:
        """Check that every site of a phase was reached since `forget_passes`.

        Raises:
            RunError: If one was not; the message says why that may be.
        """
        for stimulator in self._stimulators.values():
            phases = {name for fiber in stimulator.fibers for name in fiber.bound.stimulus.phases}
            if not stimulator.fired and (phase in phases or not phases):
                line = stimulator.fibers[0].bound.line if stimulator.fibers else "the protocol"
                name = stimulator.fibers[0].site.name if stimulator.fibers else stimulator.path
                why = explain_silence(self.network, stimulator)
                raise RunError(f"{line}: no activation came by at site {name} in the first batch: {why}")

    # State -----------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs to go on exactly: plain values and tensors."""
        return {
            "version": _VERSION,
            "hash": self.protocol.hash,
            "protocol": self.protocol.to_dict(),
            "batches": self.batches,
            "states": [state.to_dict() for state in self.states],
            "sensing": self.sensing.state_dict(),
            "sources": self.sources.state_dict(),
            "record": self.record.to_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of the same protocol."""
        self.batches = state["batches"]
        self.states = [LightState.from_dict(values) for values in state["states"]]
        self.sensing.load_state_dict(state["sensing"])
        self.sources.load_state_dict(state["sources"])
        self.record.load(state["record"])


def _same(values: Tensor) -> Tensor:
    return values
