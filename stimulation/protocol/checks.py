"""What is refused before a run: everything about a protocol that a network contradicts."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from torch import nn

from ...errors import InputError, shown
from ...models import find_sites
from ...models.sites import DEFAULT_AXES
from ..clock import TimeUnit
from .binding import BoundStimulus, bind, in_line
from .overlaps import Sizes, refuse_overlaps
from .selection import AXES
from .stimulus import Stimulus

__all__ = ["check_stimuli"]


def check_stimuli(
    stimuli: Sequence[Stimulus],
    network: nn.Module,
    seed: int = 0,
    *,
    sizes: Sizes | None = None,
    totals: Mapping[TimeUnit, float] | None = None,
    metrics: Collection[str] | None = None,
    batch: Collection[str] | None = None,
) -> tuple[BoundStimulus, ...]:
    """Refuse stimuli that cannot act as they are written; see `Protocol.check`."""
    for number, stimulus in enumerate(stimuli, 1):
        with in_line(stimulus.line(number)):
            _check_light(stimulus, network, totals or {}, metrics)
            _check_batch(stimulus, batch)
            _check_reads(stimulus, network)
    bound = bind(stimuli, network, seed)
    for item in bound:
        with in_line(item.line):
            _check_axes(item)
            item.stimulus.opsin.check(item.site)
            known = {**item.site.sizes, **(sizes or {}).get(item.site.name, {})}
            item.target.parts(item.site, known, seed, partial=True)
    refuse_overlaps(bound, sizes)
    return bound


def _check_light(
    stimulus: Stimulus, network: nn.Module, totals: Mapping[TimeUnit, float], metrics: Collection[str] | None
) -> None:
    reason = stimulus.light.can_open() or stimulus.light.never_opens(totals)
    if reason:
        raise InputError(f"light never shines: {reason}")
    for need in sorted(stimulus.light.needs()):
        kind, _, name = need.partition(":")
        if kind == "metric" and metrics is not None and name not in metrics:
            logged = shown(sorted(metrics), 8) or "nothing"
            raise InputError(f"its light goes by the metric {name!r}, which is never logged; logged are {logged}")
        if kind == "statistic":
            _one_site(network, name.rpartition(":")[0], "its light goes by")


def _check_batch(stimulus: Stimulus, batch: Collection[str] | None) -> None:
    readers = {f"opsin {stimulus.opsin.kind}": stimulus.opsin.needs_batch()}
    if stimulus.target.classes is not None:
        readers["target.classes"] = frozenset({"target"})
    if stimulus.rule.kind == "routed":
        readers["gradient routed"] = frozenset({"target"})
    for reader, names in readers.items():
        if "target" in names and "predict" in stimulus.phases:
            raise InputError(f"{reader} needs the classes of the samples, which batches of phase predict do not have")
        missing = sorted(names - set(batch)) if batch is not None else []
        if missing:
            has = ", ".join(sorted(batch or ())) or "nothing"
            raise InputError(f"{reader} needs {missing[0]!r} of the batch, which has {has}")


def _check_reads(stimulus: Stimulus, network: nn.Module) -> None:
    source = stimulus.opsin.needs_source() or {}
    named: Iterable[str | None] = [*sorted(stimulus.opsin.reads_sites()), source.get("site")]
    for name in named:
        if name:
            _one_site(network, name, f"opsin {stimulus.opsin.kind} reads")


def _one_site(network: nn.Module, name: str, reader: str) -> None:
    found = find_sites(network, name)
    if len(found) > 1:
        raise InputError(f"{reader} the site {name!r}, which are {len(found)}: {shown([site.name for site in found])}")


def _check_axes(item: BoundStimulus) -> None:
    """Refuse axes that an activation whose meaning nobody has stated never has: heads, queries, keys."""
    if item.site.axes is not None:
        return
    possible = {axis for axes in DEFAULT_AXES.values() for axis in axes}
    asked = [axis for key, axis in AXES.items() if item.target.chooses(key)]
    for axis in (*asked, *item.stimulus.opsin.axes):
        if axis not in possible:
            raise InputError(f"the site has no axis {axis!r}: nothing says what the dimensions of its activation mean")
