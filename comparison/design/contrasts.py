"""What a study compares, checked: pairs of arms, or weights of arms."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...errors import InputError
from .checks import check_distinct, check_keys, check_list, check_mapping, nearest

__all__ = ["checked_contrasts"]


def checked_contrasts(given: Any, arms: Sequence[str]) -> list[Any]:
    """Return the comparisons of a study file: [first, second], or a mapping of name and weights.

    Args:
        given: What stands in the file.
        arms: Names of all arms.

    Raises:
        InputError: If an arm is unknown, weights do not sum to 0, or something is compared twice.

    Example:
        >>> arms = ["real", "random", "dense"]
        >>> checked_contrasts([["real", "random"], {"weights": {"real": 2, "random": -1, "dense": -1}}], arms)
        [['real', 'random'], {'name': '', 'weights': {'real': 2, 'random': -1, 'dense': -1}}]
    """
    found = [_contrast(item, arms) for item in check_list("comparisons", given, "[[FIRST, SECOND]]")]
    check_distinct("comparisons", found)
    return found


def _contrast(item: Any, arms: Sequence[str]) -> Any:
    if isinstance(item, Mapping):
        return _weighted(item, arms)
    if isinstance(item, str) or not isinstance(item, Sequence) or len(item) != 2 or item[0] == item[1]:
        raise InputError(f"comparisons holds {item!r}; it must be two arms, [FIRST, SECOND], or name and weights")
    pair = [str(name) for name in item]
    _check_known(pair, arms)
    return pair


def _weighted(item: Mapping[Any, Any], arms: Sequence[str]) -> dict[str, Any]:
    check_keys("an entry of comparisons", item, ("name", "weights"))
    weights = dict(check_mapping("comparisons: weights", item.get("weights")))
    _check_known(weights, arms)
    if len(weights) < 2 or not all(_is_weight(weight) for weight in weights.values()):
        raise InputError(f"comparisons has the weights {weights}; give each of two arms or more a number other than 0")
    if abs(sum(weights.values())) > 1e-9:
        raise InputError(
            f"comparisons has the weights {weights}, which sum to {sum(weights.values()):g}; they must sum to 0, or "
            "equal arms would differ"
        )
    return {"name": str(item.get("name") or ""), "weights": weights}


def _is_weight(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value != 0


def _check_known(names: Iterable[str], arms: Sequence[str]) -> None:
    for name in names:
        if name not in arms:
            raise InputError(f"comparisons names the unknown arm '{name}'{nearest(name, arms)}")
