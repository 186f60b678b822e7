"""The same network under many arms and seeds, trained as one vectorised run."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...errors import InputError
from ..batches import count_tokens
from .crew import Crew
from .data import ArmData
from .group import Group, Setting
from .optimizer import AdamRule
from .pack import Pack
from .preparation import changing_buffers, check_arms, groups_of, without_common
from .program import Loss, Stack
from .state import ArmsState
from .stops import Stops

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Arms", "accuracy"]

_UPDATES_READ = 16  # batches that are held in memory at once, for all runs of a pack

# What is measured of a run: values by name, from its network and an evaluator's batch.
Measure = Callable[[nn.Module, Mapping[str, Tensor], Mapping[str, Tensor]], Mapping[str, float]]


def accuracy(outputs: Tensor, target: Tensor) -> Tensor:
    """Return the share of samples whose class is right, from logits (B, O), or one logit (B,) or (B, 1) of class 1.

    Example:
        >>> accuracy(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))
        tensor(0.5000)
    """
    single = outputs.dim() == 1 or outputs.shape[1] == 1
    found = (outputs.reshape(-1) > 0).to(target.dtype) if single else outputs.argmax(-1)
    return (found == target.reshape(found.shape)).float().mean()


class Arms(ArmsState):
    """One network under A protocols times S seeds, all of them trained at once; each equal to a run of its own.

    Every run has its own initialisation (`network_factory` right after ``torch.manual_seed(seed)``), its own order of
    the data (the stream of its seed), its own light (a `Conductor` with its seed, as in a run of its own), and its own
    loss. What is shared is the work: parameters are stacked, `torch.func.vmap` takes the network with its hooks over
    the stack, and one graph makes an update of many runs. In float64 runs equal those trained alone to rounding; in
    float32 sums in another order make curves differ as they do between two machines.

    Refused, with the reason: networks that draw random numbers in training (dropout) or look at values in Python, and
    stimuli that take values from the batch before.

    Args:
        network_factory: Returns a new network, initialised from torch's random numbers.
        protocols: Protocol of every arm by name, or what `Protocol.build` takes; None for an arm without one.
        seeds: The seeds of every arm.
        loss: Loss of outputs and target.
        score: What the column "accuracy" holds, from outputs and target.
        compiled: Whether passes are compiled: half a minute once, then several times as fast. On a processor several
            packs of runs then train side by side, in as many threads as torch was told to use.
        runs_per_pass: Runs that go through the network together, at most: a pack. Few stay in a processor's caches;
            an accelerator wants many.

    Raises:
        InputError: If there is no arm or seed, a name or seed is given twice, or a protocol does not fit the network.

    Example:
        >>> from axonlight.models import DenseNetwork
        >>> from axonlight.stimulation.arms import ArmData
        >>> silence = [{"target": {"site": "hidden_0.post", "units": [0, 1]}, "opsin": "silence"}]
        >>> arms = Arms(lambda: DenseNetwork(3, 2, hidden=[8]), {"none": None, "silence": silence}, [0], compiled=False)
        >>> data = ArmData.from_rows(torch.randn(64, 3), torch.randint(2, (64,)), batch_size=16)
        >>> table = arms.train(data, updates=8, learning_rate=1e-2, evaluate_every=4)
        >>> table[["arm", "seed", "samples"]].drop_duplicates().shape, type(arms.network("silence", 0)).__name__
        ((6, 3), 'DenseNetwork')
    """

    def __init__(
        self,
        network_factory: Callable[[], nn.Module],
        protocols: Mapping[str, Any],
        seeds: Sequence[int],
        *,
        loss: Loss = F.cross_entropy,
        score: Loss = accuracy,
        compiled: bool = True,
        runs_per_pass: int = 8,
    ) -> None:
        if runs_per_pass < 1:
            raise InputError(f"runs_per_pass is {runs_per_pass}; it must be a positive integer")
        super().__init__(network_factory, protocols, seeds)
        self.loss, self.score, self.compiled, self.runs_per_pass = loss, score, compiled, runs_per_pass
        self._given: tuple[Any, AdamRule] | None = None

    def train(
        self,
        data: Any,
        updates: int,
        learning_rate: float = 1e-4,
        *,
        evaluate_every: int | Mapping[str, int] = 64,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        stop_below: float | None = None,
        patience: int = 10,
        measure: Measure | None = None,
        measure_every: int | None = None,
        visit: Callable[["Arms"], None] | None = None,
    ) -> "pd.DataFrame":
        """Train until so many updates are done, counted from the first call or from those that were loaded.

        Args:
            data: `ArmData`, or a data module such as `FewShotSequences`.
            updates: Updates in all.
            learning_rate: That of Adam.
            evaluate_every: Updates between evaluations, by evaluator where they differ (those left out are not used);
                the first and the last state are evaluated too.
            betas: Those of Adam.
            eps: That of Adam.
            weight_decay: Decoupled, as in AdamW.
            stop_below: A run whose loss on the first evaluator stays below this for `patience` evaluations is finished:
                it stays as it is then. None: all runs go on to the end.
            patience: Evaluations in a row.
            measure: Called with the network of a run (its protocol in phase "validate"), the first evaluator's batch
                and the tensors that it shares; what it returns is found in `measured`.
            measure_every: Updates between measurements, and between visits; None: at the end alone.
            visit: Called with these arms when measurements are due, after those: to save them, to keep networks of some
                runs, to say how far they are.

        Returns:
            A row for every evaluation: arm, seed, samples (trained on), evaluator, loss, accuracy.

        Raises:
            InputError: If a protocol does not fit, or the network cannot be trained this way; with the reason.
        """
        self._prepare(data, AdamRule(learning_rate, betas, eps, weight_decay), updates)
        names = tuple(self._groups[0].setting.data.evaluators)
        every = dict(evaluate_every) if isinstance(evaluate_every, Mapping) else dict.fromkeys(names, evaluate_every)
        unknown = set(every) - set(names)
        if unknown:
            raise InputError(f"evaluate_every names {sorted(unknown)[0]!r}; evaluators are {', '.join(names)}")
        stops = Stops(every, measure_every if measure or visit else None, updates)
        with Crew(self._workers) as crew:
            if not self._rows:
                self._evaluate(list(every), crew)
            while self.updates < updates and any(group.packs for group in self._groups):
                last = stops.after(self.updates)
                self._advance(last, crew)
                due = stops.due(last)
                self._evaluate(due, crew)
                if stops.measures(last) and measure is not None:
                    self._measure(measure)
                if stop_below is not None and names[0] in due:
                    self._finish(stop_below, patience)
                if stops.measures(last) and visit is not None:
                    visit(self)
        return self.table

    def _prepare(self, given: Any, rule: AdamRule, updates: int) -> None:
        """Build what trains the runs, and let them be where they were."""
        if self._groups and self._given is not None and self._given[0] is given and self._given[1] == rule:
            return
        data = ArmData.build(given)
        setting = Setting(data, self.loss, self.score, rule, self.compiled, self.runs_per_pass, self._workers)
        network = self._network
        check_arms(self.protocols, network, data, self.seeds[0], updates)
        self._take_up()
        batch = {name: value[0] for name, value in data.read(self.seeds[0], 0, 1).items()}
        changing = changing_buffers(network, data.arguments(batch, training=True))
        self._groups, self._sizes = [], (len(batch["target"]), count_tokens(batch))
        for protocols in groups_of(self.protocols, network):
            stack = Stack.joined([self._stacks[arm] for arm in protocols])
            group = Group(network, protocols, self.seeds, without_common(stack, changing), changing, setting)
            for run in group.runs:
                if (run.arm, run.seed) in self._states:
                    run.load_state_dict(self._states[run.arm, run.seed])
            group.pack()
            self._groups.append(group)
        self._given = given, rule

    @property
    def _workers(self) -> int:
        """Threads that work on packs: those that torch was told to use, as far as compiled passes let them."""
        on_cpu = next(self._network.parameters()).device.type == "cpu"
        return torch.get_num_threads() if self.compiled and on_cpu else 1

    @property
    def _packs(self) -> list[tuple[Group, Pack]]:
        return [(group, pack) for group in self._groups for pack in group.packs]

    def _advance(self, last: int, crew: Crew) -> None:
        def train(item: tuple[Group, Pack]) -> None:
            group, pack = item
            for first in range(self.updates, last, _UPDATES_READ):
                pack.train(pack.read(first, min(first + _UPDATES_READ, last)), first, group.setting.rule)

        crew.each(train, self._packs)
        self.updates = last

    def _evaluate(self, names: Sequence[str], crew: Crew) -> None:
        samples, self._kept = self.updates * self._sizes[0], -1
        for name in names:
            packs = [pack for _, pack in self._packs]
            found = crew.each(lambda pack, name=name: pack.evaluate(name, *self._sizes), packs)
            for pack, (losses, scores) in zip(packs, found, strict=True):
                for run, loss, score in zip(pack.runs, losses, scores, strict=True):
                    if not run.finished:
                        run.metrics |= {f"val/loss/{name}": loss, f"val/accuracy/{name}": score}
                        self._rows.append((run.arm, run.seed, samples, name, loss, score))

    def _measure(self, measure: Measure) -> None:
        self._take_up()
        for group in self._groups:
            data = group.setting.data
            batch = next(iter(data.evaluators.values()))
            for run in group.runs:
                if run.finished and run.updates < self.updates:
                    continue
                network = self.network(run.arm, run.seed)
                clock = run.clock(data, *self._sizes, "validate")
                with run.light.on(network, clock, batch):
                    found = measure(network, batch, data.evaluation_shared)
                samples = self.updates * self._sizes[0]
                self._measured += [(run.arm, run.seed, samples, name, float(value)) for name, value in found.items()]

    def _finish(self, stop_below: float, patience: int) -> None:
        """Take out the runs whose loss has been low for long."""
        self._kept = -1
        for group in self._groups:
            first = next(iter(group.setting.data.evaluators))
            group.collect()
            for run in group.runs:
                low = run.metrics[f"val/loss/{first}"] < stop_below
                run.below = run.below + 1 if low else 0
                run.finished |= run.below >= patience
            group.pack()
