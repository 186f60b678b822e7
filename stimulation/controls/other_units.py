"""The rest of a site: a protocol turned round, so that it reaches all units but those that it names."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from ...errors import InputError
from ..protocol import BoundStimulus, Protocol, Target
from ..protocol.binding import in_line
from ..protocol.overlaps import Sizes
from ..protocol.selection import AXES

__all__ = ["complement"]

_TURNED = ("heads", "units")


def complement(protocol: Protocol, network: nn.Module, *, sizes: Sizes | None = None) -> Protocol:
    """Return a protocol whose stimuli reach, at every site, the units (or heads) that no stimulus of it names there.

    What is left alone is then all that works at the site: the test of sufficiency beside that of necessity. Opsin,
    light, positions and classes stay; a stimulus at several sites becomes one for each.

    Args:
        protocol: The protocol.
        network: The network that it stimulates.
        sizes: Sizes of axes by site, where only a first pass tells them.

    Raises:
        InputError: If a stimulus chooses neither units nor heads, or both, has a gain per unit, or leaves nothing over.

    Example:
        >>> from axonlight.models import DenseNetwork
        >>> line = {"target": {"site": "hidden_0.post", "units": [0, 1]}, "opsin": "silence"}
        >>> turned = complement(Protocol.build([line]), DenseNetwork(30, 1, hidden=[5]))
        >>> turned.stimuli[0].target.units
        (2, 3, 4)
    """
    bound = sorted(protocol.check(network, sizes=sizes), key=lambda item: item.number)
    named: dict[tuple[str, str, str], set[int]] = {}
    totals: dict[tuple[str, str, str], int] = {}
    for item in bound:
        with in_line(item.line):
            key, size, numbers = _named(item, {**item.site.sizes, **(sizes or {}).get(item.site.name, {})})
        place = (item.site.path, item.site.side, key)
        named.setdefault(place, set()).update(numbers)
        totals[place] = size
    stimuli = []
    for item in bound:
        key = _turned_key(item.target)
        place = (item.site.path, item.site.side, key)
        rest = tuple(number for number in range(totals[place]) if number not in named[place])
        if not rest:
            raise InputError(f"{item.line}: it reaches every unit of the site, so that there is no rest")
        alone = sum(other.number == item.number for other in bound) == 1
        name = item.stimulus.name if alone else f"{item.stimulus.name}@{item.site.name}"
        changed: dict[str, Any] = {key: rest, "site": (item.site.name,), "fraction": None}
        stimuli.append(replace(item.stimulus, name=name, target=replace(item.target, **changed)))
    return replace(protocol, stimuli=tuple(stimuli))


def _named(item: BoundStimulus, sizes: Mapping[str, int]) -> tuple[str, int, list[int]]:
    key = _turned_key(item.target)
    part = item.target.parts(item.site, sizes, item.seed)[AXES[key]]
    return key, len(part), [int(number) for number in part.nonzero()[:, 0]]


def _turned_key(target: Target) -> str:
    if isinstance(target.gain, tuple):
        raise InputError("it has a gain per unit, which the rest of the site does not have; give one number")
    keys = [key for key in _TURNED if target.chooses(key)]
    if len(keys) != 1:
        both = "both heads and units" if keys else "neither units nor heads"
        raise InputError(f"it chooses {both}; choose units or heads, so that there is a rest")
    return keys[0]
