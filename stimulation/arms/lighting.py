"""The light of every run: its own conductor decides, as it would in a run of its own, and the gates go into rows.

Legend of shapes: R runs, F fibers (stimuli at sites), B batch.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..clock import Clock
from ..conducting.conductor import Conductor
from ..protocol import Protocol
from .union import StimulusUnion

__all__ = ["RunLight", "SignalRows"]


class SignalRows:
    """The signals of a pack, a row for every run, written in place batch by batch.

    Args:
        runs: Number of runs R.
        union: The stimuli of all runs.
        means: Shapes of the running means that opsins read, by site.

    Attributes:
        tensors: What `TrainingProgram.update` takes.
    """

    def __init__(self, runs: int, union: StimulusUnion, means: Mapping[str, torch.Size]) -> None:
        self.gates = torch.zeros(runs, len(union.fibers))
        self.seeds = torch.zeros(runs, dtype=torch.int64)
        self.freezes = torch.zeros(runs, dtype=torch.bool)
        self.means = {site: torch.full((runs, *shape), torch.nan) for site, shape in means.items()}
        self.samples: dict[str, Tensor] = {}
        self._choosy = [str(number) for number in union.choosy]
        # views that plain numbers can be written into without the cost of a tensor operation
        self.gate_numbers, self.seed_numbers = self.gates.numpy(), self.seeds.numpy()
        self.freeze_flags = self.freezes.numpy()

    def begin(self, samples: int) -> None:
        """Let no stimulus choose among the samples of the batch that follows."""
        for number in self._choosy:
            if number not in self.samples or self.samples[number].shape[1] != samples:
                self.samples[number] = torch.ones(len(self.gates), samples)
            self.samples[number].fill_(1.0)

    def tensors(self, device: torch.device) -> dict[str, Any]:
        """Return them as `TrainingProgram.update` takes them."""
        found = {
            "gates": self.gates,
            "seed": self.seeds,
            "freezes": self.freezes,
            "samples": self.samples,
            "means": self.means,
        }
        if device.type == "cpu":
            return found
        return torch.utils._pytree.tree_map(lambda value: value.to(device), found)  # type: ignore[attr-defined]


class RunLight:
    """The light of one run.

    Args:
        protocol: Its protocol, or None.
        network: A network of its kind.
        seed: Its seed.
        union: The stimuli of all runs of its group.
    """

    def __init__(self, protocol: Protocol | None, network: nn.Module, seed: int, union: StimulusUnion) -> None:
        self.conductor = None if protocol is None else Conductor(protocol, network, seed)
        self.numbers = [] if self.conductor is None else union.numbers(self.conductor)
        fibers = [] if self.conductor is None else self.conductor.fibers
        chosen = set(union.choosy)
        self._fibers = [
            (fiber, number, str(number) if number in chosen else None)
            for fiber, number in zip(fibers, self.numbers, strict=True)
        ]
        self.needs_batch = any(name is not None for _, _, name in self._fibers)
        self.wants = frozenset() if self.conductor is None else self.conductor.wants
        self.acts_in = frozenset() if self.conductor is None else self.conductor.phases

    def begin(self, clock: Clock, batch: Mapping[str, Tensor], rows: SignalRows, row: int) -> None:
        """Write the signals of a batch into a row.

        Args:
            clock: How far training has come.
            batch: The run's batch, where `needs_batch`; else nothing.
            rows: The signals of the pack.
            row: The run's row.
        """
        if self.conductor is None or not rows.gates.shape[1]:
            return
        conductor = self.conductor
        conductor.freezes = False
        conductor.begin(clock, batch)
        for fiber, number, name in self._fibers:
            rows.gate_numbers[row, number] = fiber.gate.item()
            if name is not None and fiber.samples is not None:
                rows.samples[name][row] = fiber.samples
        rows.seed_numbers[row] = conductor.scene.step_seed.item()
        rows.freeze_flags[row] = conductor.freezes

    def end(self, statistics: Mapping[str, Mapping[str, Tensor]], rows: SignalRows, row: int) -> None:
        """Take up what a training pass left behind."""
        if self.conductor is None:
            return
        sensing = self.conductor.sensing
        for name, stimulator in sensing.sensed.items():
            stimulator.sensed = statistics["sensed"][name][row]
        for name, stimulator in sensing.averaged.items():
            stimulator.average = statistics["averaged"][name][row]
        if sensing.sensed or sensing.averaged:
            self.conductor.end(training=True)
        self.load_means(rows, row)

    @contextmanager
    def on(self, network: nn.Module, clock: Clock, batch: Mapping[str, Tensor]) -> Iterator[None]:
        """Let the light of this moment shine on a network of its own."""
        if self.conductor is None or clock.phase not in self.acts_in:
            yield
            return
        other = Conductor(self.conductor.protocol, network)
        other.seed = self.conductor.seed
        other.load_state_dict(self.conductor.state_dict())
        other.install()
        try:
            other.begin(clock, batch)
            yield
        finally:
            other.remove()

    def load_means(self, rows: SignalRows, row: int) -> None:
        """Write the running means that the conductor knows into a row."""
        if self.conductor is None:
            return
        for (kind, name), mean in self.conductor.scene.sources.items():
            if kind == "mean" and name in rows.means:
                rows.means[name][row] = mean
