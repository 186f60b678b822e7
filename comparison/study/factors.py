"""Factors: arms as a product of choices."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import InputError
from .arms import Arm
from .checks import check_mapping, nearest

__all__ = ["Factors"]

_SEPARATOR = " / "


@dataclass(frozen=True)
class Factors:
    """Named choices, each with named levels; a level is what an arm may hold.

    Args:
        levels: Per factor, its levels by name.

    Raises:
        InputError: If a factor has no level.

    Example:
        >>> levels = {"activation": {"tanh": {}, "ash": {"overrides": {"model.network.activation": "ash"}}},
        ...           "wiring": {"real": {}, "rewired": {"null": "Rewire", "draws": 10}}}
        >>> factors = Factors.from_mapping(levels)
        >>> [arm.name for arm in factors.arms()]
        ['tanh / real', 'tanh / rewired', 'ash / real', 'ash / rewired']
        >>> factors.pairs({"wiring": "real"})
        [('tanh / real', 'tanh / rewired'), ('ash / real', 'ash / rewired')]
    """

    levels: Mapping[str, Mapping[str, Mapping[str, Any]]]

    @classmethod
    def from_mapping(cls, given: Any) -> "Factors":
        """Return the factors that a study file describes."""
        factors = {}
        for name, levels in check_mapping("factors", given).items():
            where = f"factor '{name}'"
            found = {
                level: check_mapping(f"{where}, level '{level}'", arm)
                for level, arm in check_mapping(where, levels).items()
            }
            if not found:
                raise InputError(f"{where} has no level; give at least one, such as real: {{}}")
            factors[name] = found
        return cls(factors)

    def arms(self) -> list[Arm]:
        """Return one arm per combination of levels.

        Raises:
            InputError: If two levels of a combination set the same thing.
        """
        if not self.levels:
            return []
        return [self._arm(combination) for combination in itertools.product(*self.levels.values())]

    def _arm(self, combination: tuple[str, ...]) -> Arm:
        name = _SEPARATOR.join(combination)
        merged: dict[str, Any] = {}
        overrides: dict[str, Any] = {}
        for (factor, levels), level in zip(self.levels.items(), combination, strict=True):
            own = check_mapping(f"factor '{factor}', level '{level}': overrides", levels[level].get("overrides"))
            rest = {key: value for key, value in levels[level].items() if key != "overrides"}
            for known, new in ((overrides, own), (merged, rest)):
                if twice := sorted(set(known) & set(new)):
                    raise InputError(f"arm '{name}': two factors set {twice[0]}; leave it to one of them")
                known.update(new)
        return Arm.from_mapping(name, {**merged, "overrides": overrides})

    def pairs(self, reference: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return (reference arm, other arm) for every level of a factor, within every combination of the others.

        Args:
            reference: One factor and the level of it that the others are compared with.

        Raises:
            InputError: If there is no such factor or level.
        """
        factor, level = self._checked(reference)
        place = list(self.levels).index(factor)
        pairs = []
        for combination in itertools.product(*self.levels.values()):
            if combination[place] == level:
                continue
            first = (*combination[:place], level, *combination[place + 1 :])
            pairs.append((_SEPARATOR.join(first), _SEPARATOR.join(combination)))
        return pairs

    def references(self, reference: Mapping[str, Any]) -> list[str]:
        """Return the arms that have the level of reference."""
        factor, level = self._checked(reference)
        place = list(self.levels).index(factor)
        combinations = itertools.product(*self.levels.values())
        return [_SEPARATOR.join(names) for names in combinations if names[place] == level]

    def _checked(self, reference: Mapping[str, Any]) -> tuple[str, str]:
        if len(reference) != 1:
            raise InputError(f"reference is {dict(reference)}; name one factor and its level, such as wiring: real")
        factor, level = next((str(key), str(value)) for key, value in reference.items())
        if factor not in self.levels:
            raise InputError(f"reference names the unknown factor '{factor}'{nearest(factor, self.levels)}")
        if level not in self.levels[factor]:
            raise InputError(
                f"reference names the unknown level '{level}' of {factor}{nearest(level, self.levels[factor])}"
            )
        return factor, level
