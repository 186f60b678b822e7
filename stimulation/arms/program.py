"""What is done to all runs of a pack at once: an update, and an evaluation.

Legend of shapes: R runs of a pack, B batch.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value

from .optimizer import AdamRule
from .traced import Traced
from .union import Signals, StimulusUnion

__all__ = ["EvaluationProgram", "Stack", "TrainingProgram"]

# One at a time, whatever thread asks: the hooks of all groups go on one network.
_TRACING = threading.Lock()
Tensors = dict[str, Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass
class Stack:
    """The tensors of several runs, (R, ...) by name.

    Args:
        values: Parameters.
        first: First moments of their gradients.
        second: Second moments.
        buffers: What else differs from run to run or changes in a pass.
    """

    values: Tensors
    first: Tensors = field(default_factory=dict)
    second: Tensors = field(default_factory=dict)
    buffers: Tensors = field(default_factory=dict)

    def rows(self, rows: slice | Tensor) -> "Stack":
        """Return some runs: as views for a slice, as a copy for their numbers."""
        return Stack(*({name: value[rows] for name, value in part.items()} for part in self.parts))

    @classmethod
    def joined(cls, stacks: Sequence["Stack"]) -> "Stack":
        """Return the runs of several stacks, one after another."""
        parts = zip(*(stack.parts for stack in stacks), strict=True)
        return cls(*({name: torch.cat([own[name] for own in part]) for name in part[0]} for part in parts))

    def take(self, other: "Stack") -> None:
        """Take the tensors of another stack for those of the same names."""
        for own, part in zip(self.parts, other.parts, strict=True):
            own.update(part)

    @property
    def parts(self) -> tuple[Tensors, Tensors, Tensors, Tensors]:
        """Parameters, first moments, second moments, buffers."""
        return self.values, self.first, self.second, self.buffers


class TrainingProgram:
    """One update of all runs of a pack: pass, loss, gradients, optimizer, all in place.

    Args:
        network: The network of one run, whose weights are not used.
        union: The stimuli of all runs, not installed.
        inputs: Names of the network's arguments.
        loss: Loss of outputs and target.
        rule: The optimizer.
        changing: Names of buffers that a pass changes.
        freezes: Whether some stimulus has the optimizer rule "freeze".
        compiled: Whether it is compiled.
    """

    def __init__(
        self,
        network: nn.Module,
        union: StimulusUnion,
        inputs: tuple[str, ...],
        loss: Loss,
        rule: AdamRule,
        changing: frozenset[str],
        freezes: bool,
        compiled: bool,
    ) -> None:
        self.network, self.union, self.inputs, self.loss, self.rule = network, union, inputs, loss, rule
        self.changing, self.freezes = changing, freezes
        self._traced = Traced(self._update, compiled)

    def __call__(self, *args: Any) -> dict[str, Any]:
        """Change the parts of a stack in place; return losses (R,) and what was measured at sites.

        Args:
            *args: Parts of the stack, batches (R, B, ...), what they share, signals, factors of the optimizer.
        """
        _prepare(self.union, self._traced, args)
        return self._traced(*args)

    def _update(
        self, parts: tuple[Tensors, ...], batch: Tensors, shared: Tensors, signals: Signals, factors: Tensor
    ) -> dict[str, Any]:
        values, first, second, buffers = parts
        each = torch.vmap(self._gradients, in_dims=(0, 0, 0, None, 0), randomness="error")
        gradients, loss, changed, statistics = each(values, buffers, batch, shared, _of_runs(signals))
        frozen = signals["freezes"] if self.freezes else None
        self.rule.update_all(values, gradients, (first, second), factors, frozen)
        for name, value in changed.items():
            buffers[name].copy_(value)
        return {"loss": loss, "statistics": statistics}

    def _gradients(
        self, values: Tensors, buffers: Tensors, batch: Tensors, shared: Tensors, signals: Signals
    ) -> tuple[Tensors, Tensor, Tensors, Any]:
        def loss_of(values: Tensors) -> tuple[Tensor, Any]:
            own = {name: value.clone() if name in self.changing else value for name, value in buffers.items()}
            self.union.light(signals, batch)
            outputs = functional_call(self.network, {**values, **own}, _arguments(self.inputs, shared, batch))
            statistics = self.union.statistics()
            self.union.forget()
            changed = {name: own[name] for name in self.changing}
            return self.loss(outputs, batch["target"]), (changed, statistics)

        gradients, (loss, (changed, statistics)) = grad_and_value(loss_of, has_aux=True)(values)
        return gradients, loss.detach(), changed, statistics


class EvaluationProgram:
    """Loss and score of all runs of a pack on one batch that they share.

    Args:
        network: The network of one run, whose weights are not used.
        union: The stimuli of all runs, not installed.
        inputs: Names of the network's arguments.
        loss: Loss of outputs and target.
        score: Score of outputs and target, a mean over the batch.
        compiled: Whether it is compiled.
    """

    def __init__(
        self, network: nn.Module, union: StimulusUnion, inputs: tuple[str, ...], loss: Loss, score: Loss, compiled: bool
    ) -> None:
        self.network, self.union, self.inputs = network, union, inputs
        self.loss, self.score = loss, score
        self._traced = Traced(self._evaluate, compiled, learns=False)

    def __call__(self, *args: Any) -> tuple[Tensor, Tensor]:
        """Return losses (R,) and scores (R,).

        Args:
            *args: Parameters, buffers, the batch (B, ...) of all runs, what belongs to it, signals.
        """
        _prepare(self.union, self._traced, args)
        return self._traced(*args)

    def _evaluate(
        self, values: Tensors, buffers: Tensors, batch: Tensors, shared: Tensors, signals: Signals
    ) -> tuple[Tensor, Tensor]:
        def measure(values: Tensors, buffers: Tensors, signals: Signals) -> tuple[Tensor, Tensor]:
            self.union.light(signals, batch)
            outputs = functional_call(self.network, {**values, **buffers}, _arguments(self.inputs, shared, batch))
            self.union.forget()
            return self.loss(outputs, batch["target"]), self.score(outputs, batch["target"])

        return torch.vmap(measure, randomness="error")(values, buffers, _of_runs(signals))


def _prepare(union: StimulusUnion, traced: Traced, args: tuple[Any, ...]) -> None:
    """Trace a function where that was not done, with the hooks on the network for that long."""
    if traced.is_prepared:
        return
    with _TRACING:
        if traced.is_prepared:
            return
        union.install()
        try:
            traced.prepare(*args)
        finally:
            union.remove()


def _arguments(names: tuple[str, ...], *given: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    known = {name: value for part in given for name, value in part.items()}
    return tuple(known[name] for name in names)


def _of_runs(signals: Signals) -> dict[str, Any]:
    return {name: value for name, value in signals.items() if name != "freezes"}
