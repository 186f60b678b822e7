"""The control of dose: the same stimuli on as many other units, chosen at random."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import InputError
from ...randomness import derive_seed
from ..opsins import Clamp, Opsin, Steer
from ..protocol import BoundStimulus, Protocol, Target
from ..protocol.overlaps import Sizes

__all__ = ["random_units"]

# The keys along which units can be exchanged for others, in the order in which that is tried.
_EXCHANGED = {"heads": "head", "units": "unit"}

# What is reached at a place, by path, side and key.
Taken = dict[tuple[str, str, str], set[int]]


def random_units(
    protocol: Protocol, bound: Sequence[BoundStimulus], seed: int = 0, sizes: Sizes | None = None
) -> Protocol:
    """Return a protocol whose stimuli reach as many other units (or heads) of the same sites, chosen at random.

    Units that no stimulus of the protocol reaches come first; where there are too few, others follow. Gains, levels and
    the numbers of a steering vector go along with the units; a steering vector on all units is given to them in another
    order. Where both heads and units are chosen, the heads are exchanged if enough are free.

    Args:
        protocol: The protocol.
        bound: Its stimuli at the sites of a network.
        seed: Seed of the choice, which also depends on the names of stimulus and site.
        sizes: Sizes of axes by site, where only a first pass tells them.

    Raises:
        InputError: If a stimulus reaches every unit of a site, or its opsin depends on which unit is which.

    Example:
        >>> from axonlight.models import DenseNetwork
        >>> line = {"target": {"site": "hidden_0.post", "units": [0, 1, 2]}, "opsin": "silence"}
        >>> protocol, network = Protocol.build([line]), DenseNetwork(30, 1, hidden=[6])
        >>> sorted(random_units(protocol, protocol.bind(network)).stimuli[0].target.units)
        [3, 4, 5]
    """
    sizes = sizes or {}
    taken: Taken = {}
    for item in bound:
        for key in _EXCHANGED:
            taken.setdefault(_place(item, key), set()).update(_numbers(item, key, sizes))
    stimuli = []
    for item in sorted(bound, key=lambda item: item.number):
        try:
            target, opsin = _elsewhere(item, seed, sizes, taken)
        except InputError as reason:
            raise InputError(f"{item.line}: {reason}") from None
        alone = sum(other.number == item.number for other in bound) == 1
        name = item.stimulus.name if alone else f"{item.stimulus.name}@{item.site.name}"
        stimuli.append(replace(item.stimulus, name=name, target=target, opsin=opsin))
    return replace(protocol, stimuli=tuple(stimuli))


def _elsewhere(item: BoundStimulus, seed: int, sizes: Sizes, taken: Taken) -> tuple[Target, Opsin]:
    random = np.random.default_rng(derive_seed(seed, "random_units", item.stimulus.name, item.site.name))
    opsin = item.stimulus.opsin
    if isinstance(opsin, Steer) and not any(item.target.chooses(key) for key in _EXCHANGED):
        vector = tuple(random.permutation(opsin.direction.values.tolist()).tolist())
        return replace(item.target, site=(item.site.name,)), replace(opsin, vector=vector, sha256=None)
    key = _exchanged_key(item, sizes, taken)
    part = item.target.parts(item.site, _sizes(item, sizes), item.seed)[_EXCHANGED[key]].numpy()
    own = [int(number) for number in part.nonzero()[0]]
    others = [number for number in range(len(part)) if number not in own]
    free = [number for number in others if number not in taken[_place(item, key)]]
    order = [random.permutation(group) for group in (free, [n for n in others if n not in free], own)]
    chosen = [int(number) for number in np.concatenate(order)[: len(own)]]
    taken[_place(item, key)].update(chosen)
    gain = item.target.gain
    if key == "units" and isinstance(gain, tuple):
        gain = tuple(float(part[number]) for number in own)
    changed: dict[str, Any] = {key: tuple(chosen), "site": (item.site.name,), "gain": gain}
    if key == "units":
        changed["fraction"] = None
        opsin = _moved(opsin, own, chosen)
    return replace(item.target, **changed), opsin


def _exchanged_key(item: BoundStimulus, sizes: Sizes, taken: Taken) -> str:
    """Return whether heads or units are exchanged: the first of which enough others are free, else the first."""
    keys = [key for key in _EXCHANGED if item.target.chooses(key)]
    parts = item.target.parts(item.site, _sizes(item, sizes), item.seed) if keys else {}
    possible = [key for key in keys if bool((parts[_EXCHANGED[key]] == 0).any())]
    if not possible:
        raise InputError("it reaches every unit of the site, so that there are no others")
    enough = [
        key
        for key in possible
        if len(parts[_EXCHANGED[key]]) - len(taken[_place(item, key)]) >= int(parts[_EXCHANGED[key]].count_nonzero())
    ]
    return (enough or possible)[0]


def _moved(opsin: Opsin, own: Sequence[int], chosen: Sequence[int]) -> Opsin:
    """Return an opsin whose values per unit go along with the units."""
    if isinstance(opsin, Clamp) and isinstance(opsin.level, tuple):
        return replace(opsin, level=_exchange(opsin.level, own, chosen))
    if isinstance(opsin, Steer):
        return replace(opsin, vector=_exchange(tuple(opsin.direction.values.tolist()), own, chosen), sha256=None)
    if "unit" in opsin.axes:
        raise InputError(f"opsin {opsin.kind} depends on which unit is which")
    return opsin


def _exchange(values: tuple[float, ...], own: Sequence[int], chosen: Sequence[int]) -> tuple[float, ...]:
    moved = list(values)
    left = [number for number in own if number not in chosen]
    for source, goal in zip(own, chosen, strict=True):
        moved[goal] = values[source]
    replaced = [values[goal] for goal in chosen if goal not in own]
    for number, value in zip(left, replaced, strict=True):
        moved[number] = value
    return tuple(moved)


def _numbers(item: BoundStimulus, key: str, sizes: Sizes) -> list[int]:
    if not item.target.chooses(key):
        return []
    part = item.target.parts(item.site, _sizes(item, sizes), item.seed, partial=True).get(_EXCHANGED[key])
    return [] if part is None else [int(number) for number in part.nonzero()[:, 0]]


def _sizes(item: BoundStimulus, sizes: Sizes) -> dict[str, int]:
    return {**item.site.sizes, **sizes.get(item.site.name, {})}


def _place(item: BoundStimulus, key: str) -> tuple[str, str, str]:
    return item.site.path, item.site.side, key
