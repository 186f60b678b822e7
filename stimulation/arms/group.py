"""Arms whose stimuli need the same passes: one union of stimuli, one compiled update, several packs of runs.

Legend of shapes: R runs of a pack, B batch.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from ..protocol import Protocol
from .data import ArmData
from .lighting import RunLight, SignalRows
from .optimizer import AdamRule
from .pack import Pack, Programs, Run
from .program import EvaluationProgram, Loss, Stack, TrainingProgram
from .union import StimulusUnion

__all__ = ["Group", "Setting"]


@dataclass(frozen=True)
class Setting:
    """What all groups of a training share.

    Args:
        data: What is trained on.
        loss: Loss of outputs and target.
        score: Score of outputs and target.
        rule: The optimizer.
        compiled: Whether passes are compiled.
        runs_per_pass: Runs that go through the network together, at most.
        workers: Threads that work on packs side by side.
    """

    data: ArmData
    loss: Loss
    score: Loss
    rule: AdamRule
    compiled: bool
    runs_per_pass: int
    workers: int = 1


class Group:
    """Runs of arms whose stimuli need the same other passes.

    Args:
        network: The network of one run.
        protocols: Protocols of the arms by name.
        seeds: The seeds of every arm.
        stack: Tensors of the runs, arm by arm and seed by seed.
        changing: Names of buffers that a pass changes.
        setting: What all groups share.

    Attributes:
        runs: The runs, in the order of the stack.
        packs: The packs that still train; `pack` makes them.
    """

    def __init__(
        self,
        network: nn.Module,
        protocols: Mapping[str, Protocol | None],
        seeds: Sequence[int],
        stack: Stack,
        changing: frozenset[str],
        setting: Setting,
    ) -> None:
        self.stack, self.setting = stack, setting
        acting = [protocol for protocol in protocols.values() if protocol is not None]
        union, means = self._training_union(network, acting, seeds[0])
        freezes = any(stimulus.optimizer == "freeze" for protocol in acting for stimulus in protocol.stimuli)
        training = TrainingProgram(
            network, union, setting.data.inputs, setting.loss, setting.rule, changing, freezes, setting.compiled
        )
        self._signals: Callable[[int], SignalRows] = partial(SignalRows, union=union, means=means)
        self.programs = Programs(training, self._evaluations(network, acting, means))
        self.runs = [
            Run(arm, seed, RunLight(protocol, network, seed, union))
            for arm, protocol in protocols.items()
            for seed in seeds
        ]
        self.packs: list[Pack] = []
        self._size = 0

    def pack(self) -> None:
        """Put the runs that go on into as few packs as they fill, all of one size."""
        self.collect()
        numbers = [number for number, run in enumerate(self.runs) if not run.finished]
        if not self._size:  # as few packs as allowed, and those alike, so that few rows are idle
            workers = min(self.setting.workers, len(numbers)) or 1
            count = -(-len(numbers) // (self.setting.runs_per_pass * workers)) * workers
            self._size = -(-len(numbers) // max(count, 1)) or 1
        parts = [numbers[first : first + self._size] for first in range(0, len(numbers), self._size)]
        if len(parts) < len(self.packs) or not self.packs:
            self.packs = [self._packed(part) for part in parts]

    def collect(self) -> None:
        """Take up the tensors of the runs that go on."""
        for pack in self.packs:
            rows = [(row, run) for row, run in enumerate(pack.runs) if not run.finished]
            numbers = torch.tensor([self.runs.index(run) for _, run in rows], dtype=torch.int64)
            places = torch.tensor([row for row, _ in rows], dtype=torch.int64)
            for own, packed in zip(self.stack.parts, pack.stack.parts, strict=True):
                for name, value in own.items():
                    value[numbers] = packed[name][places]

    def _packed(self, numbers: Sequence[int]) -> Pack:
        filled = torch.tensor([*numbers, *[numbers[-1]] * (self._size - len(numbers))])
        runs = [self.runs[number] for number in numbers]
        pack = Pack(
            runs,
            self.stack.rows(filled),
            self._signals(self._size),
            self._evaluation_signals(self._size),
            self.programs,
            self.setting.data,
        )
        for row, run in enumerate(runs):
            run.light.load_means(pack.signals, row)
        return pack

    def _training_union(
        self, network: nn.Module, protocols: Sequence[Protocol], seed: int
    ) -> tuple[StimulusUnion, dict[str, torch.Size]]:
        data = self.setting.data
        union = StimulusUnion(protocols, network)
        batch = {name: value[0] for name, value in data.read(seed, 0, 1).items()}
        return union, union.rehearse(batch, data.arguments(batch, training=True))

    def _evaluations(
        self, network: nn.Module, protocols: Sequence[Protocol], means: Mapping[str, torch.Size]
    ) -> dict[str, EvaluationProgram]:
        """Return a program for every evaluator; those whose tensors have the same shapes share one."""
        data, setting = self.setting.data, self.setting
        # Stimuli that never act in evaluations would only cost time there.
        lit = any("validate" in stimulus.phases for protocol in protocols for stimulus in protocol.stimuli)
        network = copy.deepcopy(network).eval()
        union = StimulusUnion(protocols if lit else [], network)
        found: dict[tuple, EvaluationProgram] = {}
        programs = {}
        for name, batch in data.evaluators.items():
            union.rehearse(batch, data.arguments(batch, training=False))
            shapes = tuple((key, value.shape, value.dtype) for key, value in batch.items())
            if shapes not in found:
                found[shapes] = EvaluationProgram(
                    network, union, data.inputs, setting.loss, setting.score, setting.compiled
                )
            programs[name] = found[shapes]
        self._evaluation_signals: Callable[[int], SignalRows] = partial(
            SignalRows, union=union, means=means if lit else {}
        )
        return programs
