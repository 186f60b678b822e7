"""Control arms: what must stand beside a stimulated arm before its effect is believed."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import InputError
from .checks import check_count, check_distinct, check_keys, check_list, check_mapping, nearest

__all__ = ["ACTS_ON", "CONTROLS", "check_act_on", "checked_controls", "control_arm_name", "control_pairs"]

# Those of `stimulation.controls`, spelled out because reading a study needs no torch.
CONTROLS = ("sham", "random_units", "opposite_sign", "release")
ACTS_ON = ("target", "rest")
# What can be said about a control.
_OPTIONS = {"random_units": "draws", "release": "step"}


def checked_controls(where: str, given: Any) -> dict[str, dict[str, int]]:
    """Return the controls of an arm and what is said about each.

    Args:
        where: Which arm, for messages.
        given: A list of names, or a mapping of names to options; None chooses all.

    Raises:
        InputError: If a control or an option is unknown, or an option is no whole number.

    Example:
        >>> checked_controls("arm 'silenced'", {"sham": None, "random_units": {"draws": 5}})
        {'sham': {}, 'random_units': {'draws': 5}}
    """
    if given is None:
        return {name: {} for name in CONTROLS}
    if not isinstance(given, Mapping):
        names = check_list(f"{where}: controls", given, f"[{', '.join(CONTROLS)}]")
        check_distinct(f"{where}: controls", names)
        given = {str(name): None for name in names}
    found = {}
    for name, options in given.items():
        if name not in CONTROLS:
            raise InputError(f"{where}: controls names the unknown '{name}'{nearest(str(name), CONTROLS)}")
        said = check_mapping(f"{where}: controls.{name}", options)
        check_keys(f"{where}: controls.{name}", said, [_OPTIONS[name]] if name in _OPTIONS else ())
        found[str(name)] = {key: check_count(f"{where}: controls.{name}.{key}", value) for key, value in said.items()}
    return found


def check_act_on(where: str, value: Any) -> None:
    """Refuse anything but the target of a protocol, or the rest of its sites.

    Raises:
        InputError: Naming what is allowed.
    """
    if value not in ACTS_ON:
        raise InputError(f"{where}: act_on is {value!r}{nearest(str(value), ACTS_ON)}")


def control_arm_name(arm: str, control: str) -> str:
    """Return the name of a control arm.

    Example:
        >>> control_arm_name("silenced", "sham")
        'silenced / sham'
    """
    return f"{arm} / {control}"


def control_pairs(arms: Sequence[Any], pairs: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return what control arms are compared with: sham with the reference, the others with the arm that they belong to.

    Sham is compared with its arm too where that differs from its reference by more than the protocol; else the figures
    would be those of the comparison with the reference once more, and every correction stricter for nothing.
    What is untouched, or less touched, stands first, as the reference does, so that a positive difference is always
    what the stimulus costs.

    Args:
        arms: All arms; those with `control` are control arms.
        pairs: Reference and other arm, of the arms that are no controls.
    """
    known = {arm.name: arm for arm in arms}
    reference_of = {second: known[first] for first, second in pairs}
    found = []
    for arm in arms:
        if arm.control is None:
            continue
        reference = reference_of.get(arm.control_of) if arm.control == "sham" else None
        if reference is not None:
            found.append([reference.name, arm.name])
        if reference is None or _but_for_light(reference) != _but_for_light(arm):
            found.append([arm.name, arm.control_of])
    return found


def _but_for_light(arm: Any) -> tuple[Any, ...]:
    """Return what an arm is trained as, without what stimulates it."""
    return arm.overrides, arm.null, arm.num_draws, arm.dense
