"""Runs that go through the network together.

Legend of shapes: R runs of a pack, N updates, B batch.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from ..batches import count_tokens
from ..clock import Clock, Phase
from .data import ArmData
from .lighting import RunLight, SignalRows
from .optimizer import AdamRule
from .program import EvaluationProgram, Stack, TrainingProgram

__all__ = ["Pack", "Programs", "Run"]

# Streams keep what they read last: one thread at a time.
_READING = threading.Lock()
# What a run remembers as plain values.
_STATE = ("loss", "metrics", "updates", "below", "finished")


@dataclass
class Run:
    """One network of its own: an arm with a seed.

    Args:
        arm: Name of the arm.
        seed: Its seed.
        light: Its light.
        loss: Training loss of the batch before, where its light goes by it.
        metrics: Values of the last evaluation by name.
        updates: Updates that were made, fixed when the run is finished.
        below: Evaluations in a row whose loss was low enough to stop.
        finished: Whether it has stopped.
    """

    arm: str
    seed: int
    light: RunLight
    loss: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    updates: int = 0
    below: int = 0
    finished: bool = False

    def clock(self, data: ArmData, rows: int, tokens: int, phase: Phase = "train") -> Clock:
        """Return how far it has come.

        Args:
            data: What it trains on.
            rows: Samples of a training batch.
            tokens: Tokens of a training batch.
            phase: What the batch is for.
        """
        step = self.updates
        return Clock(step, step // data.updates_per_epoch, step * rows, step * tokens, self.loss, self.metrics, phase)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs beside its tensors."""
        conductor = self.light.conductor
        own = {name: getattr(self, name) for name in _STATE}
        return {**own, "conductor": None if conductor is None else conductor.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of a run of the same protocol."""
        for name in _STATE:
            setattr(self, name, state[name])
        if self.light.conductor is not None:
            self.light.conductor.load_state_dict(state["conductor"])


@dataclass
class Programs:
    """What is done to a pack.

    Args:
        training: An update.
        evaluations: An evaluation, by the name of the evaluator.
    """

    training: TrainingProgram
    evaluations: Mapping[str, EvaluationProgram]


class Pack:
    """R rows of stacked tensors; the first ones belong to runs, what is left fills the pack up.

    Args:
        runs: The runs.
        stack: Their tensors, changed in place.
        signals: Their signals in training.
        evaluation_signals: Their signals in evaluations.
        programs: What is done to them.
        data: What they train on.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        stack: Stack,
        signals: SignalRows,
        evaluation_signals: SignalRows,
        programs: Programs,
        data: ArmData,
    ) -> None:
        self.runs, self.stack, self.programs, self.data = list(runs), stack, programs, data
        self.signals, self.evaluation_signals = signals, evaluation_signals
        self.device = next(iter(stack.values.values())).device

    @property
    def size(self) -> int:
        """Number of rows R."""
        return len(self.signals.gates)

    @property
    def active(self) -> bool:
        """Whether any of its runs goes on."""
        return not all(run.finished for run in self.runs)

    def read(self, first: int, last: int) -> dict[str, Tensor]:
        """Return the batches of the updates first, ..., last - 1 of all rows, (N, R, B, ...) by name."""
        seeds = [run.seed for run in self.runs]
        seeds += [seeds[-1]] * (self.size - len(seeds))
        with _READING:
            read = {seed: self.data.read(seed, first, last) for seed in dict.fromkeys(seeds)}
        names = read[seeds[0]]
        return {name: torch.stack([read[seed][name] for seed in seeds], dim=1).to(self.device) for name in names}

    def train(self, batches: Mapping[str, Tensor], first: int, rule: AdamRule) -> None:
        """Make the updates that `read` gave batches for, from number `first` (counted from 0) on."""
        target = batches["target"]
        rows, tokens = target.shape[2], count_tokens({name: value[0, 0] for name, value in batches.items()})
        for number in range(len(target)):
            batch = {name: value[number] for name, value in batches.items()}
            self._begin(batch, rows, tokens)
            found = self.programs.training(
                self.stack.parts,
                batch,
                self.data.train_shared,
                self.signals.tensors(self.device),
                rule.factors(first + number + 1),
            )
            self._end(found, first + number + 1)

    def evaluate(self, name: str, rows: int, tokens: int) -> tuple[list[float], list[float]]:
        """Return losses and scores of all runs on an evaluator.

        Args:
            name: The evaluator.
            rows: Samples of a training batch, for the clock.
            tokens: Tokens of a training batch.
        """
        batch = {key: value.to(self.device) for key, value in self.data.evaluators[name].items()}
        samples = len(batch["target"])
        self.evaluation_signals.begin(samples)
        for row, run in enumerate(self.runs):
            clock = run.clock(self.data, rows, tokens, "validate")
            run.light.begin(clock, batch, self.evaluation_signals, row)
            run.light.load_means(self.evaluation_signals, row)
        signals = self.evaluation_signals.tensors(self.device)
        found: list[Tensor] = []
        step = self._rows_of_evaluation(samples, rows)
        for first in range(0, len(self.runs), step):
            part = slice(first, first + step)
            stack = self.stack.rows(part)
            some = pytree.tree_map(lambda value, part=part: value[part], signals)
            pair = self.programs.evaluations[name](
                stack.values, stack.buffers, batch, self.data.evaluation_shared, some
            )
            found.append(torch.stack([value.double() for value in pair]))
        loss, score = torch.cat(found, dim=1)[:, : len(self.runs)].tolist()
        return loss, score

    def _rows_of_evaluation(self, samples: int, rows: int) -> int:
        """Return how many runs are evaluated together: about as many samples as in an update stay in the caches."""
        fitting = max(1, self.size * rows // samples)
        return next(number for number in range(fitting, 0, -1) if self.size % number == 0)

    def _begin(self, batch: Mapping[str, Tensor], rows: int, tokens: int) -> None:
        self.signals.begin(rows)
        for row, run in enumerate(self.runs):
            own = {name: value[row] for name, value in batch.items()} if run.light.needs_batch else {}
            run.light.begin(run.clock(self.data, rows, tokens), own, self.signals, row)

    def _end(self, found: Mapping[str, Any], updates: int) -> None:
        losses = None
        for row, run in enumerate(self.runs):
            run.light.end(found["statistics"], self.signals, row)
            if not run.finished:
                run.updates = updates
            if "loss" in run.light.wants:
                losses = found["loss"].tolist() if losses is None else losses
                run.loss = losses[row]
