"""What is illuminated: which entries of which sites, in which samples, and how strongly each expresses the opsin."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ...models import Site
from ...randomness import derive_seed
from ..scene import Scene
from .selection import AXES, Choice, chosen

__all__ = ["Target"]

# What counts as a unit when stimulated units are counted; positions, queries, keys and pixels are where it is read.
_UNIT_AXES = ("head", "unit")


@dataclass(frozen=True)
class Target:
    """The entries of activations that a stimulus reaches.

    A key that is not given chooses everything along its axis; a chosen entry is in every choice that is given.

    Args:
        site: Names of sites or patterns with ``*`` and ``?``, see `axonlight.models.find_sites`.
        units: Units (features, channels, pathways): numbers, slices ("0:16"), names or patterns of names ("R-HSA-*"),
            types of cells ("type:E").
        heads: Heads, numbers or slices.
        positions: Positions: numbers, slices, "query" (the last), "labels" (1, 3, ...), "exemplars" (0, 2, ...).
        queries: The same along the axis "query" of scores and patterns.
        keys: The same along the axis "key".
        classes: Classes of samples, values of the batch's "target"; other samples are left alone.
        gain: How strongly an entry expresses the opsin: one number, or one per chosen unit in the order of choice.
        fraction: Random share of the chosen units, drawn once from the protocol's seed and the site's name.
        cell_types: Units of every type of cell, where the network does not say them.

    Raises:
        InputError: If a value is of the wrong kind or out of its range.

    Example:
        >>> site = Site("v", "v", axes=("batch", "head", "position", "unit"), sizes={"head": 4})
        >>> Target("v", heads=[1, 2], gain=0.5).expression(site, {"position": 5, "unit": 8}).flatten().tolist()
        [0.0, 0.5, 0.5, 0.0]
    """

    site: tuple[str, ...]
    units: tuple[Choice, ...] | None = None
    heads: tuple[Choice, ...] | None = None
    positions: tuple[Choice, ...] | None = None
    queries: tuple[Choice, ...] | None = None
    keys: tuple[Choice, ...] | None = None
    classes: tuple[int, ...] | None = None
    gain: float | tuple[float, ...] = 1.0
    fraction: float | None = None
    cell_types: tuple[tuple[str, tuple[int, ...]], ...] = ()

    def __post_init__(self) -> None:
        sites = (self.site,) if isinstance(self.site, str) else tuple(self.site)
        if not sites or not all(isinstance(name, str) and name for name in sites):
            raise InputError(f"site is {self.site!r}; it must be the name of a site, a pattern, or a list of them")
        object.__setattr__(self, "site", sites)
        for key in AXES:
            object.__setattr__(self, key, _choices(key, getattr(self, key)))
        object.__setattr__(self, "classes", _classes(self.classes))
        object.__setattr__(self, "gain", _gain(self.gain))
        object.__setattr__(self, "cell_types", _cell_types(self.cell_types))
        if self.fraction is not None:
            object.__setattr__(self, "fraction", _fraction(self.fraction))

    def expression(self, site: Site, sizes: Mapping[str, int] | None = None, seed: int = 0) -> Tensor:
        """Return how strongly every entry of a site expresses the opsin, 0 off target.

        Args:
            site: The site.
            sizes: Sizes of its axes, where the site does not know them, in the order of the activation.
            seed: Seed of the protocol, for `fraction`.

        Returns:
            float32, one dimension per axis of the site but "batch", of its size or 1 where all entries are alike.

        Raises:
            InputError: If an entry is out of range, unknown, or along an axis that the site does not have or whose size
                is not known.
        """
        # in the order of the activation, where a first pass told it
        sizes = {**(sizes or {}), **{axis: size for axis, size in site.sizes.items() if axis not in (sizes or {})}}
        axes = [axis for axis in site.axes or sizes if axis != "batch"]
        parts = self.parts(site, sizes, seed)
        result = torch.full([1] * len(axes), self.gain if isinstance(self.gain, float) else 1.0)
        for axis, part in parts.items():
            shape = [1] * len(axes)
            shape[axes.index(axis)] = len(part)
            result = result * part.reshape(shape)
        return result

    def parts(self, site: Site, sizes: Mapping[str, int], seed: int = 0, *, partial: bool = False) -> dict[str, Tensor]:
        """Return the factors of the expression by axis, (N,) each, for the axes that are chosen from; without one gain.

        Args:
            site: The site.
            sizes: Sizes of its axes.
            seed: Seed of the protocol.
            partial: Whether to leave out axes of which nothing is known before the first pass.

        Raises:
            InputError: As `expression`.
        """
        found = {}
        for key, axis in AXES.items():
            if not self.chooses(key):
                continue
            size = sizes.get(axis) or site.size(axis)
            if size is not None and (site.axes is None or axis in site.axes):
                found[axis] = self._along(key, size, site, seed)
            elif axis not in (site.axes or (axis if partial else sizes)):
                known = ", ".join(axis for axis in site.axes or sizes if axis != "batch")
                raise InputError(f"{self._asked(key)} is given, but the site has no axis {axis!r}; it has {known}")
            elif not partial:
                raise InputError(f"{key} cannot be chosen: the size of axis {axis!r} is not known")
        return found

    def chooses(self, key: str) -> bool:
        """Tell whether the entries along an axis differ, by the axis's key ("units", "heads", ...)."""
        per_unit = key == "units" and (self.fraction is not None or isinstance(self.gain, tuple))
        return per_unit or getattr(self, key) is not None

    def count(self, site: Site, sizes: Mapping[str, int], seed: int = 0) -> tuple[int, float]:
        """Return how many units (times heads) of a site are chosen, and the sum of their expression.

        Raises:
            InputError: As `expression`, and if the number of units or heads of the site is not known.

        Example:
            >>> site = Site("v", "v", axes=("batch", "head", "position", "unit"))
            >>> Target("v", heads=[1, 2], gain=0.5).count(site, {"head": 4, "position": 5, "unit": 8})
            (16, 8.0)
        """
        sizes = {**site.sizes, **sizes}
        parts = self.parts(site, sizes, seed, partial=True)
        number, total = 1, self.gain if isinstance(self.gain, float) else 1.0
        for axis in _UNIT_AXES:
            if axis in parts:
                number, total = number * int(parts[axis].count_nonzero()), total * float(parts[axis].double().sum())
            elif axis in (site.axes or sizes):
                size = sizes.get(axis) or site.size(axis)
                if size is None:
                    raise InputError(f"units cannot be counted: the size of axis {axis!r} is not known")
                number, total = number * size, total * size
        return number, total

    def samples(self, scene: Scene) -> Tensor | None:
        """Return 1 for the samples of the chosen classes and 0 for others, (B,) float32; None where all are chosen.

        Raises:
            InputError: If the batch has no "target".
        """
        if self.classes is None:
            return None
        target = scene.get("target")
        chosen_samples = torch.zeros_like(target, dtype=torch.bool)
        for name in self.classes:
            chosen_samples = chosen_samples | (target == name)
        return chosen_samples.float()

    def with_cell_types(self, labels: Sequence[Any]) -> "Target":
        """Return the target with the types of cells that a network states, one label per unit; its own go first."""
        if self.cell_types:
            return self
        types: dict[str, list[int]] = {}
        for number, label in enumerate(labels):
            types.setdefault(str(label), []).append(number)
        return replace(self, cell_types=tuple((label, tuple(units)) for label, units in types.items()))

    def to_dict(self) -> dict[str, Any]:
        """Return its values as plain data, without those that are the default."""
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "site"}
        defaults = {item.name: item.default for item in fields(self)}
        plain = {key: _plain(value) for key, value in values.items() if value != defaults[key]}
        if self.cell_types:
            plain["cell_types"] = {label: list(units) for label, units in self.cell_types}
        return {"site": self.site[0] if len(self.site) == 1 else list(self.site), **plain}

    def _asked(self, key: str) -> str:
        if getattr(self, key) is not None:
            return key
        return "fraction" if self.fraction is not None else "gain per unit"

    def _along(self, key: str, size: int, site: Site, seed: int) -> Tensor:
        choices = getattr(self, key)
        names = site.units if key == "units" else ()
        numbers = list(range(size)) if choices is None else chosen(key, choices, size, names, dict(self.cell_types))
        values = torch.zeros(size)
        gain = self.gain if key == "units" and isinstance(self.gain, tuple) else (1.0,) * len(numbers)
        if len(gain) != len(numbers):
            raise InputError(f"gain has {len(gain)} values for {len(numbers)} chosen units; it needs one for each")
        values[numbers] = torch.tensor(gain)
        if key == "units" and self.fraction is not None:
            count = max(1, round(self.fraction * len(numbers)))
            random = np.random.default_rng(derive_seed(seed, "fraction", site.name))
            kept = torch.zeros(size)
            kept[random.choice(sorted(numbers), size=count, replace=False)] = 1.0
            values = values * kept
        return values


def _choices(key: str, value: Any) -> tuple[Choice, ...] | None:
    if value is None:
        return None
    values = (value,) if isinstance(value, (int, str)) else value
    is_list = isinstance(values, (tuple, list)) and len(values) > 0
    if not is_list or not all(isinstance(item, (int, str)) and not isinstance(item, bool) for item in values):
        allowed = "numbers, slices or names" if key in ("units", "positions") else "numbers or slices"
        raise InputError(f"{key} is {value!r}; it must be a list of {allowed}")
    return tuple(values)


def _classes(value: Any) -> tuple[int, ...] | None:
    if value is None:
        return None
    values = (value,) if isinstance(value, int) else value
    is_list = isinstance(values, (tuple, list)) and len(values) > 0
    if not is_list or not all(isinstance(item, int) and not isinstance(item, bool) for item in values):
        raise InputError(f"classes is {value!r}; it must be a list of whole numbers, values of the batch's target")
    return tuple(sorted(set(values)))


def _gain(value: Any) -> float | tuple[float, ...]:
    values = value if isinstance(value, (tuple, list)) else [value]
    numbers = all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in values)
    if not numbers or not values or not all(math.isfinite(item) and item >= 0 for item in values):
        raise InputError(f"gain is {value!r}; it must be a finite number of at least 0, or a list with one per unit")
    return tuple(float(item) for item in values) if isinstance(value, (tuple, list)) else float(value)


def _fraction(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        raise InputError(f"fraction is {value!r}; it must be above 0 and at most 1")
    return float(value)


def _cell_types(value: Any) -> tuple[tuple[str, tuple[int, ...]], ...]:
    pairs = list(value.items()) if isinstance(value, Mapping) else list(value)
    types = {str(label): _choices("units", units) for label, units in pairs}
    numbers = [unit for units in types.values() for unit in units or ("none",)]
    if not all(isinstance(unit, int) for unit in numbers):
        raise InputError(f"cell_types is {value!r}; it must map the name of a type to a list of numbers of units")
    return tuple(sorted((label, tuple(units)) for label, units in types.items()))  # type: ignore[arg-type]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
