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

    def interactions(self, references: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return names and weights of the differences of differences between two factors.

        For every other level of both, within every combination of the remaining factors: what the level of the first
        factor gains over its reference, at the reference of the second, less what it gains at the other level.

        Args:
            references: The two factors, each with its level of reference.

        Raises:
            InputError: If there are not two, or a factor or level is unknown.

        Example:
            >>> levels = {"activation": {"tanh": {}, "ash": {}}, "wiring": {"real": {}, "random": {"null": "Rewire"}}}
            >>> found = Factors.from_mapping(levels).interactions({"activation": "tanh", "wiring": "real"})
            >>> found[0]["name"]
            'gain of ash over tanh, real against random'
            >>> found[0]["weights"]
            {'ash / real': 1, 'tanh / real': -1, 'ash / random': -1, 'tanh / random': 1}
        """
        if len(references) != 2:
            raise InputError(
                f"interactions holds {dict(references)}; name two factors and a level of each, such as "
                "{activation: tanh, wiring: real}"
            )
        (changed, base), (split, real) = (self._checked({key: level}) for key, level in references.items())
        names = list(self.levels)
        found = []
        for combination in itertools.product(*self.levels.values()):
            chosen = dict(zip(names, combination, strict=True))
            new, other = chosen[changed], chosen[split]
            if new == base or other == real:
                continue
            corners = [(new, real, 1), (base, real, -1), (new, other, -1), (base, other, 1)]
            weights = {
                _SEPARATOR.join({**chosen, changed: first, split: second}.values()): sign
                for first, second, sign in corners
            }
            rest = _SEPARATOR.join(level for key, level in chosen.items() if key not in (changed, split))
            gain = f"gain of {new} over {base}, {real} against {other}"
            found.append({"name": f"{rest}: {gain}" if rest else gain, "weights": weights})
        return found

    def _checked(self, reference: Mapping[str, Any]) -> tuple[str, str]:
        if len(reference) != 1:
            raise InputError(f"reference is {dict(reference)}; name one factor and its level, such as wiring: real")
        if not self.levels:
            raise InputError(f"reference is {dict(reference)}, but there are no factors; name an arm, such as real")
        factor, level = next((str(key), str(value)) for key, value in reference.items())
        if factor not in self.levels:
            raise InputError(f"reference names the unknown factor '{factor}'{nearest(factor, self.levels)}")
        if level not in self.levels[factor]:
            raise InputError(
                f"reference names the unknown level '{level}' of {factor}{nearest(level, self.levels[factor])}"
            )
        return factor, level
