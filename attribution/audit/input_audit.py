"""`input_audit`: does a model use what it is given?

Shapes: n rows of all batches, B rows of a batch, R draws.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ...errors import InputError
from ...models.sites import Site
from ...randomness import derive_seed
from ..explained import device_of, evaluating
from .knock_out import KnockOut, Silenced, SiteMeans, find_silenced, silence, watch_sites
from .memory import Memory
from .result import ALL, REPEAT, AuditLine, InputUse
from .rows import AuditRows, Changed, ReferenceMeans, collect_rows, on_device
from .scores import AuditScore, audit_score

__all__ = ["ProbeKind", "input_audit"]

ProbeKind = Literal["permute", "mean", "drop"]
Batches = Iterable[tuple[Any, Tensor]]
_Predict = Callable[[Any], Tensor]


def input_audit(
    network: nn.Module,
    batches: Batches,
    *,
    predict: _Predict | None = None,
    score: str | AuditScore = "c_index",
    reference: Batches | None = None,
    groups: Mapping[str, Sequence[int]] | None = None,
    probes: Sequence[ProbeKind] = ("permute", "mean", "drop"),
    knock_outs: Sequence[KnockOut] = (),
    draws: int = 20,
    seed: int = 0,
) -> InputUse:
    """Measure how the score of a model changes when parts of its input, or units inside it, are taken away.

    Per modality (of `MultimodalInputs`), or group of columns (of a table):

    - permute: exchange it among the rows that have it, `draws` times. A model that uses it must get worse.
    - mean: put the mean of the reference rows in its place; for slides, one patch that is the mean of their mean
      patches.
    - drop: say that it is absent; not for tables, and not for rows of which nothing else is known.

    Beside them stand two controls: "nothing" asks the model again (a model that answers alike changes by 0), and
    "everything" permutes all inputs of a row together, which leaves nothing to predict from. Knock-outs act through
    the network's sites. A change close to 0 says that the model does not need a part in these rows; it does not say
    that the part holds nothing, nor that a model trained without it would be as good.

    Batches are read three times and never held: bags of any size pass by one batch at a time.

    Args:
        network: The network; it is evaluated, and left as it was.
        batches: Inputs and targets, in the same order each time it is iterated: test rows.
        predict: Maps inputs to predictions (B, ...); None takes the network's outputs, (B, 1) as (B,).
        score: "c_index", "accuracy", "squared_error", or a score of your own.
        reference: Training batches, which means are taken of; None takes means of the audited rows themselves.
        groups: Columns of a table, by the name of their group; None: all columns are one group, "features".
        probes: Which of the three.
        knock_outs: Units to be put out of action; `usual_knock_outs(network)` lists those that have names.
        draws: Permutations R.
        seed: Seed of the permutations.

    Raises:
        InputError: If an option is unusable, a site or unit is not there, no row is given, or the batches come in
            another order when they are read again.

    Source: permutation as of Breiman 2001, Machine Learning 45, 5-32; intervals: see `AuditScore.change`.

    Example:
        >>> from torch.utils.data import DataLoader, TensorDataset
        >>> x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
        >>> target = torch.stack([torch.exp(-x[:, 0]), torch.ones(200)], dim=1)
        >>> network = nn.Linear(2, 1)
        >>> _ = network.weight.data.copy_(torch.tensor([[1.0, 0.0]]))
        >>> batches = DataLoader(TensorDataset(x, target), batch_size=50)
        >>> use = input_audit(network, batches, groups={"used": [0], "unused": [1]}, probes=["permute"], draws=3)
        >>> [(line.title, round(line.change.change, 1)) for line in use.lines]
        [('nothing changed', 0.0), ('used permuted', -0.5), ('unused permuted', 0.0), ('everything permuted', -0.5)]
    """
    _check(probes, draws)
    score = audit_score(score) if isinstance(score, str) else score
    silenced = find_silenced(network, knock_outs)
    with evaluating(network), torch.no_grad():
        run = _Run(network, predict or _single_output(network), batches, groups, seed)
        plans = list(_plans(run.rows, probes, draws, silenced))
        sites = [unit.site for unit in silenced if unit.value == "mean"]
        if sites or "mean" in probes:
            run.take_means(batches if reference is None else reference, sites)
        found = run.follow(plans)
    changes = [score.change(run.before, after, run.target) for after in found]
    lines = [
        AuditLine(plan.part, plan.kind, plan.site, plan.rows, plan.draws, change)
        for plan, change in zip(plans, changes, strict=True)
    ]
    return InputUse(score, score.value(run.before, run.target), run.rows.count, tuple(lines))


@dataclass(frozen=True)
class _Plan:
    """One line to be: what is done to how many rows, how often."""

    part: str
    kind: str
    rows: int
    draws: int = 1
    unit: Silenced | None = None

    @property
    def site(self) -> str:
        return "" if self.unit is None else self.unit.site.name


def _plans(rows: AuditRows, probes: Sequence[str], draws: int, silenced: Sequence[Silenced]) -> Iterator[_Plan]:
    yield _Plan("nothing", REPEAT, 0)
    for name in rows.names:
        for kind in probes:
            changed = len(rows.droppable(name) if kind == "drop" else rows.having(name))
            if changed:
                yield _Plan(name, kind, changed, draws if kind == "permute" else 1)
    if "permute" in probes:
        yield _Plan(ALL, "permute", rows.count, draws)
    for unit in silenced:
        yield _Plan(unit.name, "knock out", rows.count, unit=unit)


class _Run:
    """Passes over the batches: the first finds rows, targets and what the model says of them as they are."""

    def __init__(
        self,
        network: nn.Module,
        predict: _Predict,
        batches: Batches,
        groups: Mapping[str, Sequence[int]] | None,
        seed: int,
    ) -> None:
        self.network, self.predict, self.batches, self.seed = network, predict, batches, seed
        self.device = device_of(network)
        self.means, self.at_sites, self.memory = ReferenceMeans(), SiteMeans(), Memory(network)
        inputs, before, targets = [], [], []
        for batch, target in batches:
            batch = on_device(batch, self.device)
            before.append(self.ask(batch))
            targets.append(target.cpu())
            # of bags their width alone is kept
            inputs.append(batch if isinstance(batch, Tensor) else batch._replace(bags=batch.bags[:0]))
        if not targets:
            raise InputError("there are no rows to audit")
        self.rows, self.before, self.target = collect_rows(inputs, groups), torch.cat(before), torch.cat(targets)

    def ask(self, inputs: Any) -> Tensor:
        """Return predictions on the processor."""
        return self.predict(inputs).detach().cpu()

    def take_means(self, reference: Batches, sites: Sequence[Site]) -> None:
        """Take means of inputs, and of what stands at sites."""
        unique = list({site.name: site for site in sites}.values())
        with watch_sites(self.network, unique, self.at_sites):
            for inputs, _ in reference:
                inputs = on_device(inputs, self.device)
                self.means.update(inputs)
                if unique:
                    self.ask(inputs)

    def follow(self, plans: Sequence[_Plan]) -> list[Tensor]:
        """Return predictions (R, n, ...) of each plan, all of them in one pass."""
        found = [self.before.new_empty((plan.draws, *self.before.shape)) for plan in plans]
        for inputs, span in self._spans():
            self.memory.forget()
            for plan, after in zip(plans, found, strict=True):
                for draw in range(plan.draws):
                    places, predictions = self._predictions(plan, draw, inputs, span)
                    after[draw, places] = predictions
        return found

    def _spans(self) -> Iterator[tuple[Any, Tensor]]:
        """Yield inputs and the numbers of their rows."""
        start = 0
        for inputs, target in self.batches:
            span = torch.arange(start, start + len(target))
            start += len(target)
            if start > self.rows.count or not torch.equal(target.cpu(), self.target[span]):
                raise InputError("the batches came in another order when they were read again; do not shuffle them")
            yield on_device(inputs, self.device), span

    def _predictions(self, plan: _Plan, draw: int, inputs: Any, span: Tensor) -> tuple[Tensor, Tensor]:
        if plan.part == ALL:  # needs no network: the predictions change hands
            return span, self.before[self._order(ALL, draw)[span]]
        changed = self._changed(plan, draw, inputs, span)
        if plan.unit is None:
            return changed.places, self.ask(changed.inputs)
        with silence(self.network, plan.unit, self.at_sites), self.memory.at_work(plan.unit.site.path):
            return changed.places, self.ask(changed.inputs)

    def _changed(self, plan: _Plan, draw: int, inputs: Any, span: Tensor) -> Changed:
        if plan.kind == "permute":
            return self.rows.permuted(inputs, span, plan.part, self._order(plan.part, draw))
        if plan.kind == "mean":
            return self.rows.averaged(inputs, span, plan.part, self.means)
        if plan.kind == "drop":
            return self.rows.dropped(inputs, span, plan.part)
        return Changed(inputs, span)

    def _order(self, part: str, draw: int) -> Tensor:
        """Return int64 (n,): whose values each row gets; rows without the part keep theirs."""
        order = torch.arange(self.rows.count)
        having = order.clone() if part == ALL else self.rows.having(part).cpu()
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "audit", part, draw))
        order[having] = having[torch.randperm(len(having), generator=generator)]
        return order


def _single_output(network: nn.Module) -> _Predict:
    def predict(inputs: Any) -> Tensor:
        outputs = network(inputs)
        return outputs.squeeze(-1) if outputs.dim() > 1 and outputs.shape[-1] == 1 else outputs

    return predict


def _check(probes: Sequence[str], draws: int) -> None:
    for probe in probes:
        if probe not in get_args(ProbeKind):
            raise InputError(f"probe is {probe!r}; it must be one of {', '.join(get_args(ProbeKind))}")
    if draws < 1:
        raise InputError(f"draws is {draws}; it must be a positive integer")
