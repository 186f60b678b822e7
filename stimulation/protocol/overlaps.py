"""Stimuli that contradict each other: two of one rank that set the same entries at the same time."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from ...errors import InputError
from .binding import BoundStimulus
from .selection import AXES, may_be_chosen

__all__ = ["overlaps", "refuse_overlaps"]

Sizes = Mapping[str, Mapping[str, int]]


def overlaps(
    bound: Sequence[BoundStimulus], sizes: Sizes | None = None
) -> Iterator[tuple[BoundStimulus, BoundStimulus]]:
    """Yield the pairs of stimuli that set the same entries, as far as that is known before the run.

    Of two opsins that set values, the one of higher rank has the last word; two of one rank overlap if they have an
    entry, a phase, a class of samples and a moment in common. Pulses, ramps, closed loops and random light count as
    light all the time. Entries along axes of unknown size count as different where only the size could tell.

    Args:
        bound: Stimuli at their sites.
        sizes: Sizes of axes by site, where the sites do not know them.

    Example:
        >>> from axonlight.models import DenseNetwork
        >>> from axonlight.stimulation.protocol import Protocol
        >>> lines = [{"target": {"site": "hidden_0.post", "units": units}, "opsin": "silence"} for units in ("0:4", 3)]
        >>> len(list(overlaps(Protocol.build(lines).bind(DenseNetwork(30, 1, hidden=[8])))))
        1
    """
    for first, second in combinations(bound, 2):
        # one place may have two names: that of the network and the path of the module
        same_place = (first.site.path, first.site.side) == (second.site.path, second.site.side)
        if same_place and _contradict(first, second) and _share_entries(first, second, sizes or {}):
            yield first, second


def refuse_overlaps(bound: Sequence[BoundStimulus], sizes: Sizes | None = None) -> None:
    """Refuse stimuli that contradict each other.

    Raises:
        InputError: Naming both lines of the protocol.

    Example:
        >>> refuse_overlaps([])
    """
    for first, second in overlaps(bound, sizes):
        first, second = sorted((first, second), key=lambda item: item.number)
        raise InputError(
            f"{second.line}: it sets entries that {first.line} sets too; two opsins of one rank must differ in their "
            f"entries, phases, classes or windows"
        )


def _contradict(first: BoundStimulus, second: BoundStimulus) -> bool:
    one, other = first.stimulus, second.stimulus
    if not (one.opsin.sets and other.opsin.sets and one.opsin.rank == other.opsin.rank):
        return False
    classes, other_classes = one.target.classes, other.target.classes
    share_samples = classes is None or other_classes is None or bool(set(classes) & set(other_classes))
    at_once = one.opsin.permanent or other.opsin.permanent or one.light.may_overlap(other.light)
    return bool(set(one.phases) & set(other.phases)) and share_samples and at_once


def _share_entries(first: BoundStimulus, second: BoundStimulus, sizes: Sizes) -> bool:
    known = {**first.site.sizes, **sizes.get(first.site.name, {}), **sizes.get(second.site.name, {})}
    parts = first.target.parts(first.site, known, first.seed, partial=True)
    others = second.target.parts(second.site, known, second.seed, partial=True)
    for key, axis in AXES.items():
        if axis in parts and axis in others:
            share: bool | None = bool((parts[axis] * others[axis]).any())
        else:
            share = may_be_chosen(getattr(first.target, key), getattr(second.target, key))
        if not share:
            return False
    return True
