"""Controls of a protocol: what must be shown beside an effect before it is believed.

sham: the same light on cells without opsin. random_units: the same dose on as many other units. opposite_sign: the
same dose the other way. release: the same light, put out half-way, so that what stays can be told from what is held.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from ...errors import InputError
from ..opsins import Clamp, Drive, Induction, Opsin, Sham, Shunt, Steer
from ..protocol import Protocol, Stimulus
from ..protocol.overlaps import Sizes
from .matched_units import random_units

__all__ = ["CONTROLS", "Controls", "controls_of", "opposite"]

CONTROLS = ("sham", "random_units", "opposite_sign", "release")


@dataclass(frozen=True)
class Controls:
    """The controls of a protocol.

    Args:
        protocols: The controls by name, as far as they exist.
        omitted: Why each of the others does not exist.

    Example:
        >>> from axonlight.models import DenseNetwork
        >>> protocol = Protocol.build([{"target": {"site": "hidden_0.post", "units": [0, 1]}, "opsin": "silence"}])
        >>> controls = controls_of(protocol, DenseNetwork(30, 1, hidden=[8]), release=50)
        >>> list(controls.protocols), list(controls.omitted)
        (['sham', 'random_units', 'release'], ['opposite_sign'])
    """

    protocols: dict[str, Protocol] = field(default_factory=dict)
    omitted: dict[str, str] = field(default_factory=dict)


def controls_of(
    protocol: Protocol,
    network: nn.Module,
    seed: int = 0,
    *,
    sizes: Sizes | None = None,
    release: int | None = None,
) -> Controls:
    """Return the controls of a protocol, and why the others do not exist.

    A control changes one thing about every stimulus and keeps the rest: targets and light in "sham" and
    "opposite_sign", opsins and light in "random_units", all but the end of the light in "release".

    Args:
        protocol: The protocol.
        network: The network that it stimulates.
        seed: Seed of the choice of random units.
        sizes: Sizes of axes by site, where only a first pass tells them.
        release: Step from which on it is dark in "release"; None: half-way through the windows, where they are given
            in steps.

    Raises:
        InputError: If the protocol cannot act on the network.

    Example:
        >>> from axonlight.models import DenseNetwork
        >>> line = {"target": {"site": "hidden_0.post", "units": [0]}, "opsin": {"kind": "drive", "amount": 2.0}}
        >>> controls = controls_of(Protocol.build([line]), DenseNetwork(30, 1, hidden=[8]))
        >>> controls.protocols["opposite_sign"].stimuli[0].opsin.amount
        -2.0
        >>> print(controls.omitted["release"])
        stimulus 1 (drive at hidden_0.post): its light has no end in steps; say from which step on it shall be dark
    """
    bound = protocol.check(network, sizes=sizes)
    makers = {
        "sham": lambda: _each(protocol, _sham),
        "random_units": lambda: random_units(protocol, bound, seed, sizes or {}),
        "opposite_sign": lambda: _each(protocol, _opposite),
        "release": lambda: _release(protocol, release),
    }
    controls = Controls()
    for name in CONTROLS:
        try:
            control = makers[name]()
            control.check(network, sizes=sizes)
            controls.protocols[name] = control
        except InputError as reason:
            controls.omitted[name] = str(reason)
    return controls


def opposite(opsin: Opsin) -> Opsin:
    """Return the opsin of the same dose that acts the other way.

    A current and a steering vector change their sign, a gain g becomes 2 - g, a level its negative, and an induction
    pattern looks at the wrong label as strongly as it looked at the right one.

    Raises:
        InputError: If the opsin has no opposite.

    Example:
        >>> opposite(Shunt(0.5)).gain
        1.5
        >>> from axonlight.stimulation.opsins import Silence
        >>> opposite(Silence())
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: opsin silence has no opposite sign
    """
    if isinstance(opsin, Drive):
        return replace(opsin, amount=-opsin.amount)
    if isinstance(opsin, Shunt):
        return replace(opsin, gain=2 - opsin.gain)
    if isinstance(opsin, Steer):
        return replace(opsin, vector=tuple((-opsin.direction.values).tolist()), sha256=None)
    if isinstance(opsin, Clamp) and not isinstance(opsin.level, str):
        return replace(opsin, level=_negative(opsin.level))
    if isinstance(opsin, Induction):
        return replace(opsin, strength=1 - opsin.strength)
    raise InputError(f"opsin {opsin.kind} has no opposite sign")


def _negative(values: Any) -> Any:
    return tuple(_negative(value) for value in values) if isinstance(values, tuple) else -values


def _each(protocol: Protocol, change: Callable[[Stimulus], Stimulus]) -> Protocol:
    stimuli = []
    for number, stimulus in enumerate(protocol.stimuli, 1):
        try:
            stimuli.append(change(stimulus))
        except InputError as reason:
            raise InputError(f"{stimulus.line(number)}: {reason}") from None
    return replace(protocol, stimuli=tuple(stimuli))


def _sham(stimulus: Stimulus) -> Stimulus:
    return replace(stimulus, opsin=Sham(kinetics=stimulus.opsin.kinetics), gradient=None, optimizer="act")


def _opposite(stimulus: Stimulus) -> Stimulus:
    return replace(stimulus, opsin=opposite(stimulus.opsin))


def _release(protocol: Protocol, step: int | None) -> Protocol:
    permanent = [stimulus.opsin.kind for stimulus in protocol.stimuli if stimulus.opsin.permanent]
    if permanent:
        raise InputError(f"opsin {permanent[0]} is permanent: what it did cannot be released")
    return protocol.with_light_until(_half_way(protocol) if step is None else step)


def _half_way(protocol: Protocol) -> int:
    starts, stops = [], []
    for number, stimulus in enumerate(protocol.stimuli, 1):
        for window in stimulus.light.windows:
            if window.unit != "steps" or window.stop is None:
                raise InputError(
                    f"{stimulus.line(number)}: its light has no end in steps; say from which step on it shall be dark"
                )
            starts.append(window.start or 0)
            stops.append(window.stop)
    return int(min(starts) + max(stops)) // 2
