"""`NullModel`: what every null model is, draws and checks."""

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np

from ...errors import InputError, shown
from ...randomness import derive_seed
from ..hierarchy import Hierarchy
from ..layered import EdgeBlock
from ..matrices import IntArray
from .invariants import check_invariants

__all__ = ["NullModel", "null_seed", "sorted_pairs"]


class NullModel:
    """A random transform of a hierarchy that keeps what it states in `keeps` and breaks the rest.

    `null(hierarchy, seed)` is a draw: a hierarchy with the same layers, nodes, order and titles, and other edges. It
    depends on nothing but the edges and the seed, on any machine; every draw is checked against `keeps`.

    A null model of your own gives `keeps` (names of `INVARIANTS`), `needs` and the two methods below; arguments of its
    constructor are kept as attributes of the same name.

    Attributes:
        keeps: The invariants that every draw is checked for.
        needs: What a block must have so that this null model can change it, as its error says it.
        needs_data: Whether it must be fitted on training rows before it can draw.

    Example:
        >>> import numpy as np
        >>> class Mirror(NullModel):
        ...     "Turns the order of the features around."
        ...     keeps = frozenset({"layer_sizes", "isomorphic"})
        ...     needs = "two features"
        ...     def redraw(self, hierarchy, seed):
        ...         last = hierarchy.sizes[0] - 1
        ...         return [np.stack([last - pairs[0], pairs[1]]) for _, _, pairs in hierarchy.edges]
        >>> draw = Mirror()(Hierarchy.from_edges([("a", "x"), ("b", "y")]), seed=0)
        >>> draw.parents("x"), draw.notes
        (('b',), ('null model Mirror, seed 0',))
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"layer_sizes"})
    needs: ClassVar[str] = "an edge"
    needs_data: bool = False

    def redraw(self, hierarchy: Hierarchy, seed: int) -> Sequence[IntArray]:
        """Return new pairs, int64 (2, E), for each of `hierarchy.edges`."""
        raise NotImplementedError

    def changeable(self, hierarchy: Hierarchy) -> Mapping[int, bool]:
        """Return, for each place in `hierarchy.edges` that is to be redrawn, whether another outcome is possible."""
        return dict.fromkeys(range(len(hierarchy.edges)), True)

    def fit(self, x_train: np.ndarray, feature_names: Sequence[str]) -> Self:
        """Fit it to training rows, where it needs data; otherwise do nothing.

        Args:
            x_train: Training rows, (B, F); NaN where a value was not measured.
            feature_names: Names of the columns; see `needs_data` and the class.
        """
        return self

    def __call__(self, hierarchy: Hierarchy, seed: int) -> Hierarchy:
        """Return the draw of this seed.

        Raises:
            InputError: If no edge of the hierarchy can change, the null model is not fitted, or a draw breaks an
                invariant.
        """
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
            raise InputError(f"the seed of a draw is {seed!r}; it must be an integer of 0 or more")
        changeable = self.changeable(hierarchy)
        if not any(changeable.values()):
            raise InputError(f"{self.name} can change no edge of this hierarchy; it needs {self.needs}")
        blocks = zip(hierarchy.edges, self.redraw(hierarchy, int(seed)), strict=True)
        edges = tuple(EdgeBlock(block.source, block.target, pairs) for block, pairs in blocks)
        draw = replace(hierarchy, edges=edges, notes=(*hierarchy.notes, self._note(hierarchy, seed, changeable)))
        check_invariants(self, hierarchy, draw)
        return draw

    def _note(self, hierarchy: Hierarchy, seed: int, changeable: Mapping[int, bool]) -> str:
        fixed = [hierarchy.edges[place] for place, free in changeable.items() if not free]
        names = [f"{hierarchy.layers[block.source]} to {hierarchy.layers[block.target]}" for block in fixed]
        stays = f"; nothing else is possible from {shown(names, 3)}" if names else ""
        return f"null model {self.name}, seed {seed}{stays}"

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of the constructor, as given."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    @property
    def name(self) -> str:
        """Name of the class, with the arguments that are not at their defaults."""
        defaults = inspect.signature(type(self)).parameters
        given = [f"{key}={value!r}" for key, value in self.arguments.items() if value != defaults[key].default]
        return type(self).__name__ + (f"({', '.join(given)})" if given else "")

    def describe(self) -> dict[str, Any]:
        """Return class and arguments as plain data, which `build_null` takes."""
        kind = type(self)
        package = __name__.rpartition(".")[0]
        ours = kind.__module__.startswith(f"{package}.")
        path = kind.__name__ if ours else f"{kind.__module__}.{kind.__qualname__}"
        return {"class_path": path, "init_args": self.arguments}

    def __repr__(self) -> str:
        return self.name


def null_seed(seed: int, null: NullModel, draw: int) -> int:
    """Return the seed of one draw: it depends on the null model, and not on what else is drawn.

    Args:
        seed: Seed of all draws, such as a study's.
        null: The null model.
        draw: Number of the draw.

    Example:
        >>> from axonlight.structures import DegreePreserving, PermuteInputs
        >>> null_seed(0, PermuteInputs(), 1) == null_seed(0, PermuteInputs(), 1)
        True
        >>> others = (PermuteInputs(), 2), (DegreePreserving(), 1), (DegreePreserving(trades_per_node=5), 1)
        >>> len({null_seed(0, null, draw) for null, draw in others})
        3
    """
    return derive_seed(seed, "null", json.dumps(null.describe(), sort_keys=True), draw)


def sorted_pairs(pairs: IntArray) -> IntArray:
    """Return edges in the order that compiled hierarchies have: by target, then source."""
    return pairs[:, np.lexsort(pairs)]
