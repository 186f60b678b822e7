"""Opsin kinetics: how a gate follows the light, step by step.

In tissue a channel opens within a time, passes fewer ions the longer the light lasts, closes within another time and
recovers in the dark (Evans et al. 2016, PyRhO, Frontiers in Neuroinformatics 10:8). Here the same four times, in steps
of training, act on the number that light gives; with all of them 0 the gate is the light.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..errors import InputError
from .light.base import LightState
from .light.checks import check_keys, check_number, plain

__all__ = ["Kinetics"]

# A closing gate never reaches 0 by itself; below this it counts as closed, so that nothing is written any more.
CLOSED = 1e-4


@dataclass(frozen=True)
class Kinetics:
    """Rise, desensitisation, decay and recovery of the gate of an opsin.

    With the light u (after saturation) of a step, the open share o and the share a that is available::

        gate = o a,                            0 where it is below 1e-4
        o <- o + (u - o) (1 - exp(-1 / tau)),  tau = rise where u > o, else decay; before the gate is read
        a <- a + (s - a) (1 - exp(-1 / tau)),  s = 1 - (1 - plateau) u; after the gate was read;
                                               tau = desensitisation where s < a, else recovery

    Args:
        rise: Time to open, in steps; 0: at once.
        decay: Time to close, in steps; 0: at once.
        desensitisation: Time, in steps, in which the response to full light falls from its peak to the plateau.
        plateau: Share of the peak that lasting full light keeps, from 0 to 1; 1: no desensitisation.
        recovery: Time, in steps, in which the response comes back in the dark; 0: at once.
        saturation: Light at which the response is half of what it could be at most, so that
            u = light (1 + saturation) / (light + saturation); None: the response is the light.

    Raises:
        InputError: If a time is negative, the plateau not between 0 and 1, or the saturation not positive.

    Example:
        >>> kinetics, state = Kinetics(decay=2.0), LightState()
        >>> [round(kinetics.gate(light, state), 3) for light in (1.0, 0.0, 0.0)]
        [1.0, 0.607, 0.368]
    """

    rise: float = 0.0
    decay: float = 0.0
    desensitisation: float = 0.0
    plateau: float = 1.0
    recovery: float = 0.0
    saturation: float | None = None

    def __post_init__(self) -> None:
        for name in ("rise", "decay", "desensitisation", "recovery"):
            check_number(f"{name} of kinetics", getattr(self, name), at_least=0)
        check_number("plateau of kinetics", self.plateau, at_least=0, at_most=1)
        if self.saturation is not None:
            check_number("saturation of kinetics", self.saturation, above=0)

    @classmethod
    def build(cls, value: "Kinetics | Mapping[str, Any]") -> "Kinetics":
        """Return kinetics from plain data.

        Raises:
            InputError: If it is no mapping, names an unknown key, or holds a value that is not allowed.

        Example:
            >>> Kinetics.build({"rise": 3, "decay": 5}).decay
            5
        """
        if isinstance(value, Kinetics):
            return value
        names = [item.name for item in fields(cls)]
        if not isinstance(value, Mapping):
            raise InputError(f"kinetics is {value!r}; it must be a mapping of {', '.join(names)}")
        check_keys("kinetics", value, names)
        return cls(**value)

    def to_dict(self) -> dict[str, Any]:
        """Return its values as plain data, without defaults."""
        return plain(self)

    def gate(self, light: float, state: LightState) -> float:
        """Return the gate of this step; called once per step, in order, and on every rank alike.

        Args:
            light: What the light gives at this step.
            state: What is remembered between steps; the part "kinetics" is read and changed.
        """
        memory = state.part("kinetics")
        drive = self._response(light)
        opened, available = memory.get("open", 0.0), memory.get("available", 1.0)
        opened = _follow(opened, drive, self.rise if drive > opened else self.decay)
        kept = 1.0 - (1.0 - self.plateau) * min(abs(drive), 1.0)
        # Opening acts on what was available before: the peak comes first, the plateau after it.
        gate = opened * available
        available = _follow(available, kept, self.desensitisation if kept < available else self.recovery)
        memory.update(open=opened, available=available)
        return gate if abs(gate) >= CLOSED else 0.0

    def _response(self, light: float) -> float:
        if self.saturation is None or light <= 0:
            return light
        return light * (1.0 + self.saturation) / (light + self.saturation)


def _follow(value: float, goal: float, time: float) -> float:
    return goal if time == 0 else value + (goal - value) * -math.expm1(-1.0 / time)
