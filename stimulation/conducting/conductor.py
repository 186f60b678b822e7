"""The conductor of a protocol: at the start of every batch it decides what is lit, and nothing changes after that."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import InputError, RunError
from ...randomness import derive_seed
from ..batches import number_of_samples
from ..clock import Clock, Phase
from ..light import LightState
from ..light.ahead import LightAhead
from ..protocol import PhotostimulationRecord, Protocol
from ..scene import Scene
from .fiber import Fiber
from .installation import Installation, explain_silence, stimulators_of
from .sensing import Sensing
from .sources import SourcePasses
from .stimulator import Stimulator
from .wiring import Wiring

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
        fibers: Every stimulus at every site.
        scene: What opsins look at.
        states: What the light of every stimulus remembers.
        record: What was done.
        freezes: Whether a stimulus with the optimizer rule "freeze" was lit since somebody set this to False.

    Raises:
        InputError: If the protocol cannot be read or names a site that the network does not have.

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
        self.states = [LightState() for _ in self.protocol.stimuli]
        self.record = PhotostimulationRecord(self.protocol.stimuli, self.protocol.hash)
        self.freezes = False
        wiring = Wiring(self.protocol, network, self.scene)
        self.fibers: list[Fiber] = wiring.fibers
        self.stimulators: list[Stimulator] = wiring.stimulators
        self.sources = SourcePasses(network, self.scene, wiring.traffic, wiring.needs)
        self.sensing = Sensing(wiring, mean_over_ranks or _same)
        before_pass = self.sources.before_pass if wiring.needs else None
        self._installation = Installation(network, self.stimulators, before_pass)
        self._batches = 0
        self._lights = [LightAhead(stimulus.light) for stimulus in self.protocol.stimuli]
        self._draws = any(stimulus.opsin.draws for stimulus in self.protocol.stimuli)
        # where samples are told apart, or values come from other passes, every batch is another one
        self._changes_always = bool(wiring.needs) or any(
            stimulus.light.probability is not None or stimulus.target.classes is not None
            for stimulus in self.protocol.stimuli
        )
        self._told: tuple[list[float], bool] | None = None

    @property
    def wants(self) -> frozenset[str]:
        """What the lights look at beside the step: "loss", "metric:NAME", "tokens", "statistic:SITE:mean", ..."""
        return frozenset().union(*(stimulus.light.needs() for stimulus in self.protocol.stimuli))

    @property
    def phases(self) -> frozenset[str]:
        """Phases in which some stimulus acts."""
        return frozenset(phase for stimulus in self.protocol.stimuli for phase in stimulus.phases)

    # Installing ------------------------------------------------------------------------------------------------

    def install(self) -> None:
        """Put the hooks on the network, with all gates closed; a second call changes nothing.

        Raises:
            InputError: If the checkpoint of a graft cannot be used.
        """
        if self._installation.is_installed:
            return
        self.sources.load()
        device = next((value.device for value in self.network.parameters()), torch.device("cpu"))
        self.scene.step_seed = self.scene.step_seed.to(device)
        self.sensing.to(device)
        for fiber in self.fibers:
            fiber.to(device)
        self._installation.install()

    def remove(self) -> None:
        """Close all gates and take the hooks off; a second call changes nothing."""
        self._installation.remove()
        self._told = None
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
                hold consecutive parts, pass rank 0 of 1 and a clock whose first row comes after those of earlier ranks.
        """
        training = clock.phase == "train"
        self._clear()
        self.scene.batch = batch
        self._batches += training
        statistics = self.sensing.values()
        if statistics:
            clock = replace(clock, metrics={**clock.metrics, **statistics})
        levels = [self._level(number, clock) for number in range(len(self.states))]
        if any(levels):
            self._note(levels, clock)
        if self._draws and any(levels):
            purpose = ("scene", self._batches) if training else ("scene", clock.phase, clock.step)
            # the first row may be another one on other ranks, and tells apart the batches of an evaluation
            self.scene.step_seed.fill_(derive_seed(self.seed, *purpose, rank, clock.row))
        if self._changes_always or self._told != (levels, training):
            self._tell(levels, clock, rank, world)

    def _tell(self, levels: list[float], clock: Clock, rank: int, world: int) -> None:
        """Set gates and flags; as long as levels stay as they are, so do these."""
        training = clock.phase == "train"
        chosen = [self._assignment(number, clock, rank, world) for number in range(len(self.states))]
        for fiber in self.fibers:
            number = fiber.bound.number
            fiber.set_level(levels[number], self._samples(fiber, chosen[number], levels[number]))
        self._set_flags(training)
        self._told = levels, training

    def _level(self, number: int, clock: Clock) -> float:
        """Return the gate of a stimulus: light, kinetics, what is permanent; dark outside its phases."""
        stimulus, training = self.protocol.stimuli[number], clock.phase == "train"
        if not training and clock.phase not in stimulus.phases:
            return 0.0
        # outside training nothing may be remembered
        state = self.states[number] if training else copy.deepcopy(self.states[number])
        level = self._lights[number].intensity(clock, state)
        if stimulus.opsin.kinetics is not None:
            memory = state.part("gate")
            if memory.get("step") != clock.step:  # kinetics go on once for every update
                memory.update(step=clock.step, level=stimulus.opsin.kinetics.gate(level, state))
            level = memory["level"]
        if stimulus.opsin.permanent:
            memory = state.part("lesion")
            memory["made"] = bool(memory.get("made", False) or level > 0)
            level = float(memory["made"])
        return level if clock.phase in stimulus.phases else 0.0

    def _assignment(self, number: int, clock: Clock, rank: int, world: int) -> Tensor | None:
        """Return which samples get the light of a stimulus; None where all do."""
        light = self.protocol.stimuli[number].light
        if light.probability is None:
            return None
        rows = number_of_samples(self.scene.batch)
        seed = self._assignment_seed(number, clock)
        return light.assignment(seed, clock.row, rows, rank, world, device=self.scene.step_seed.device)

    def _assignment_seed(self, number: int, clock: Clock) -> int:
        return derive_seed(self.seed, "samples", number, *([] if clock.phase == "train" else [clock.phase]))

    def _samples(self, fiber: Fiber, assignment: Tensor | None, level: float) -> Tensor | None:
        if fiber.bound.target.classes is None or (level == 0.0 and "target" not in self.scene.batch):
            return assignment
        chosen = fiber.bound.target.samples(self.scene)
        return chosen if assignment is None or chosen is None else chosen * assignment

    def _note(self, levels: list[float], clock: Clock) -> None:
        for number, (stimulus, level) in enumerate(zip(self.protocol.stimuli, levels, strict=True)):
            if level:
                self.record.note(number, clock.step, level, clock.phase)
                if stimulus.light.probability is not None:
                    rows = clock.rows or number_of_samples(self.scene.batch)
                    seed = self._assignment_seed(number, clock)
                    self.record.assign(number, stimulus.light.probability, seed, clock.row, rows, clock.phase)
                self.freezes |= clock.phase == "train" and stimulus.optimizer == "freeze"

    def _set_flags(self, training: bool) -> None:
        """Tell every stimulator whether anything is to be done in this batch: one flag, for eager mode."""
        read = {name for fiber in self.fibers if fiber.lit for name in fiber.opsin.reads_sites()}
        self.sources.choose(stimulators_of)
        for stimulator in self.stimulators:
            stimulator.decide(read, self.sources.due, training)

    def end(self, training: bool = True) -> None:
        """Take up what the pass left behind, after its backward pass; call it on all ranks."""
        if training:
            self.sensing.gather()
            self.sources.advance()
        self._clear()

    def darken(self) -> None:
        """Let no light in until the next `begin`."""
        self.sources.due, self._told = set(), None
        for stimulator in self.stimulators:
            stimulator.darken()

    def _clear(self) -> None:
        self.scene.captured.clear()
        for key in [key for key in self.scene.sources if key[0] != "mean"]:
            del self.scene.sources[key]

    # The first pass --------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Start to watch which sites a pass reaches."""
        for stimulator in self.stimulators:
            stimulator.fired = stimulator.traced

    def check_first_pass(self, phase: Phase = "train") -> None:
        """Check that every site of a phase was reached since `watch`, and that what was chosen there exists.

        Raises:
            RunError: If a site was not reached; the message says why that may be.
            InputError: If a position, head or unit that is chosen does not exist.
        """
        for stimulator in self.stimulators:
            phases = {name for fiber in stimulator.fibers for name in fiber.bound.stimulus.phases}
            if not stimulator.fired and (phase in phases or not phases):
                fiber = stimulator.fibers[0] if stimulator.fibers else None
                line, name = (fiber.bound.line, fiber.site.name) if fiber else ("the protocol", stimulator.path)
                why = explain_silence(self.network, stimulator)
                raise RunError(f"{line}: no activation came by at site {name} in the first batch: {why}")
        known = [fiber for fiber in self.fibers if fiber.sizes]
        self.protocol.check(self.network, sizes={fiber.site.name: fiber.sizes for fiber in known})
        for fiber in known:
            self.record.place(fiber.bound.number, fiber.site.name, *fiber.bound.count(fiber.sizes))

    # State -----------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs to go on exactly: plain values and tensors."""
        return {
            "version": _VERSION,
            "hash": self.protocol.hash,
            "protocol": self.protocol.to_dict(),
            "batches": self._batches,
            "states": [state.to_dict() for state in self.states],
            "sensing": self.sensing.state_dict(),
            "sources": self.sources.state_dict(),
            "record": self.record.to_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of the same protocol.

        Raises:
            InputError: If it is that of another protocol.
        """
        if state["hash"] != self.protocol.hash:
            raise InputError(f"the state is that of protocol {state['hash']}; this one is {self.protocol.hash}")
        self._batches = state["batches"]
        self.states = [LightState.from_dict(values) for values in state["states"]]
        self.sensing.load_state_dict(state["sensing"])
        self.sources.load_state_dict(state["sources"])
        self.record.load(state["record"])


def _same(values: Tensor) -> Tensor:
    return values
