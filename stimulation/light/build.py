"""Light from plain data, as protocols write it."""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from ...errors import InputError
from .checks import build_part, check_choice, check_keys, check_number
from .closed_loop import PI, Trigger
from .light import Light
from .pulse import Pulse
from .ramp import Ramp, Sine
from .window import Window

__all__ = ["build_light"]

_KEYS = ("window", "once", "pulse", "ramp", "sine", "strength", "probability", "closed_loop", "until")
_LOOPS = {"trigger": Trigger, "pi": PI}
_PULSE_KEYS = ("period", "width", "frequency", "duty_cycle", "unit", "delay", "count", "rest")


def build_light(value: Any = None) -> Light:
    """Return the light that plain data describe.

    Args:
        value: None, always on at full strength; a mapping with any of `window` (``[start, stop]`` in steps, a mapping,
            or a list of either), `once` (the one step with light), `pulse`, `ramp`, `sine`, `strength`, `probability`,
            `closed_loop` and `until`; or a light, which is returned as it is.

    Raises:
        InputError: If a key is unknown, a value is not allowed or no light would ever shine.

    Example:
        >>> light = build_light({"window": [100, 1000], "pulse": {"frequency": 0.1, "duty_cycle": 0.3}})
        >>> light.to_dict()
        {'window': {'start': 100, 'stop': 1000}, 'pulse': {'period': 10, 'width': 3}}
        >>> build_light({"window": [1000, 100]})
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: light.window: stop is 100; it must be above start, 1000, or the window never opens
    """
    if value is None:
        return Light()
    if isinstance(value, Light):
        return value
    if not isinstance(value, Mapping):
        raise InputError(f"light is {value!r}; it must be a mapping with keys {', '.join(_KEYS)}")
    check_keys("light", value, _KEYS)
    parts = {key: part for key, part in value.items() if part is not None}
    if "once" in parts:
        parts["window"] = _one_step(parts)
    builders = {"window": _windows, "pulse": _pulse, "closed_loop": _closed_loop}
    built = {key: builders[key](part, f"light.{key}") for key, part in parts.items() if key in builders}
    built |= {key: build_part(kind, parts[key], f"light.{key}") for key, kind in _WAVES.items() if key in parts}
    built |= {key: parts[key] for key in ("strength", "probability", "until") if key in parts}
    try:
        return Light(**built)
    except InputError as error:
        raise InputError(f"light: {error}") from None


_WAVES: dict[str, type] = {"ramp": Ramp, "sine": Sine}


def _one_step(parts: dict[str, Any]) -> list[int]:
    step = parts.pop("once")
    if "window" in parts:
        raise InputError(f"light has both once ({step!r}) and window; once is a window of one step, give one of them")
    if isinstance(step, bool) or not isinstance(step, int) or step < 0:
        raise InputError(f"light.once is {step!r}; it must be the number of a step, at least 0")
    return [step, step + 1]


def _windows(value: Any, key: str) -> tuple[Window, ...]:
    if isinstance(value, Sequence) and not isinstance(value, str) and not _is_pair(value):
        if not value:
            raise InputError(f"{key} is {value!r}; it must be [start, stop], a mapping, or a list of such windows")
        return tuple(_window(item, f"{key}[{place}]") for place, item in enumerate(value))
    return (_window(value, key),)


def _window(value: Any, key: str) -> Window:
    if isinstance(value, Sequence) and _is_pair(value):
        value = {"start": value[0], "stop": value[1]}
    if not isinstance(value, Mapping):
        raise InputError(
            f"{key} is {value!r}; it must be [start, stop] in steps, or a mapping with start, stop and unit"
        )
    return build_part(Window, value, key)


def _is_pair(value: Sequence[Any]) -> bool:
    return len(value) == 2 and all(item is None or isinstance(item, Real) for item in value)


def _pulse(value: Any, key: str) -> Pulse:
    if not isinstance(value, Mapping):
        raise InputError(f"{key} is {value!r}; it must be a mapping with keys {', '.join(_PULSE_KEYS)}")
    check_keys(key, value, _PULSE_KEYS)
    for one, other in (("period", "frequency"), ("width", "duty_cycle")):
        if (one in value) == (other in value):
            found = "both" if one in value else "neither"
            raise InputError(f"{key} has {found} of {one} and {other}; it needs exactly one of them")
    values = dict(value)
    if "frequency" in values:
        check_number(f"{key}.frequency", values["frequency"], above=0, at_most=1)
        values["period"] = 1 / values.pop("frequency")
    if "duty_cycle" in values:
        check_number(f"{key}.duty_cycle", values["duty_cycle"], above=0, at_most=1)
        check_number(f"{key}.period", values["period"], at_least=1)
        values["width"] = values.pop("duty_cycle") * values["period"]
    return build_part(Pulse, values, key)


def _closed_loop(value: Any, key: str) -> Trigger | PI:
    if not isinstance(value, Mapping) or "kind" not in value:
        raise InputError(f"{key} is {value!r}; it must be a mapping with kind trigger or pi")
    check_choice(f"{key}.kind", value["kind"], tuple(_LOOPS))
    return build_part(_LOOPS[value["kind"]], {name: item for name, item in value.items() if name != "kind"}, key)
