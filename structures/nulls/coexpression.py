"""The null model that replaces curated gene sets by modules of co-expressed features."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ...errors import InputError
from ..hierarchy import Hierarchy
from ..matrices import IntArray
from .base import NullModel
from .fitting import feature_places, measured_columns
from .gene_sets import redrawn_sets, sets_can_change
from .random_stream import RandomStream

__all__ = ["Coexpression"]

_WHOLE_MATRIX = 4096  # features up to which all correlations are kept (128 MiB)


class Coexpression(NullModel):
    """Give every pathway a module of co-expressed features of the same size: data-driven sets against curated ones.

    A module is a random feature and those that correlate most with it over the training rows. The pathways get theirs
    in random order; the random feature is one that no module has yet, while there is any, so that few inputs are left
    without a place. As with `RandomGeneSets`, a pathway takes features that its children bring only if others run out.

    Keeps the size of every set and all edges between pathways, as `RandomGeneSets` does. Breaks curation and the
    features' degrees, but not that features of a set carry related signals: it asks whether curated sets do more than
    group what varies together.

    Correlations are Pearson's over the rows that have both features, NaN being missing; values that were filled in
    count as missing where the column `NAME=present` is 0. Several columns of one feature are standardised and
    averaged. Scaling changes nothing.

    Args:
        signed: Whether a negative correlation counts as none, rather than as much as a positive one.
        min_rows: Rows that two features must share; correlations over fewer count as 0.

    Raises:
        InputError: If `min_rows` is no integer of 3 or more.

    Source: modules around a seed by correlation, signed or not, as in co-expression networks (Zhang and Horvath 2005,
    doi:10.2202/1544-6115.1128).

    Example:
        >>> real = Hierarchy.from_edges([("a", "w"), ("a", "x"), ("b", "y"), ("b", "z")])
        >>> rows = np.array([[0, 1, 0, 1], [1, 0, 1, 0], [2, 3, 2, 3], [3, 2, 3, 2.0]])
        >>> null = Coexpression(min_rows=3).fit(rows, ["w", "x", "y", "z"])
        >>> sorted(null(real, seed=0).children(name) for name in "ab")
        [('w', 'y'), ('x', 'z')]
    """

    keeps = frozenset({"layer_sizes", "edge_counts", "target_degrees", "set_sizes", "pathway_edges"})
    needs = "a pathway with some but not all of the features"
    needs_data = True

    def __init__(self, signed: bool = False, min_rows: int = 10) -> None:
        if isinstance(min_rows, bool) or not isinstance(min_rows, int) or min_rows < 3:
            raise InputError(f"min_rows is {min_rows!r}; it must be an integer of 3 or more")
        self.signed = signed
        self.min_rows = min_rows
        self._fitted: _Correlations | None = None

    def fit(self, x_train: np.ndarray, feature_names: Sequence[str]) -> Self:
        """Correlate the features over training rows; see the class.

        Raises:
            InputError: If the rows cannot be used, or are fewer than `min_rows`.
        """
        columns = measured_columns(x_train, feature_names)
        if len(columns.values) < self.min_rows:
            raise InputError(f"x_train has {len(columns.values)} rows; it must have min_rows={self.min_rows} or more")
        count = np.maximum(np.sum(~np.isnan(columns.values), axis=0), 1)
        centred = columns.values - np.nansum(columns.values, axis=0) / count
        spread = np.sqrt(np.nansum(centred**2, axis=0) / count)
        profiles = columns.mean_of_columns(centred / np.where(spread > 0, spread, 1.0))
        self._fitted = _Correlations.of(columns.names, profiles, self.min_rows)
        return self

    def redraw(self, hierarchy: Hierarchy, seed: int) -> Sequence[IntArray]:
        """Return the pairs with modules for sets."""
        modules = _Modules(self._strengths(hierarchy), hierarchy.sizes[0], RandomStream(seed, "modules"), self.signed)
        return redrawn_sets(hierarchy, modules.choose)

    def changeable(self, hierarchy: Hierarchy) -> dict[int, bool]:
        """Return which blocks that leave the features have a node with some, but not all, of them."""
        return sets_can_change(hierarchy)

    def _strengths(self, hierarchy: Hierarchy) -> "_Correlations":
        if self._fitted is None:
            raise InputError(f"{self.name} is not fitted; call fit with the training rows before it draws")
        return self._fitted.of_features(feature_places(self._fitted.names, hierarchy.features, self.name))


@dataclass(frozen=True)
class _Correlations:
    """Profiles of G features over B rows, as deviations from their means, 0 where missing.

    Args:
        names: (G,).
        values: (B, G).
        known: Whether there is a value, as 0 and 1, (B, G).
        min_rows: Rows that two features must share.
        matrix: All correlations, (G, G), where they are not too many.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    known: NDArray[np.float64]
    min_rows: int
    matrix: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, names: tuple[str, ...], profiles: NDArray[np.float64], min_rows: int) -> Self:
        known = ~np.isnan(profiles)
        found = cls(names, np.where(known, profiles, 0.0), known.astype(np.float64), min_rows)
        if len(names) > _WHOLE_MATRIX:
            return found
        return cls(names, found.values, found.known, min_rows, found._with(np.arange(len(names))))

    def of_features(self, places: IntArray) -> Self:
        """Return those of some features, in their order."""
        names = tuple(self.names[place] for place in places)
        matrix = None if self.matrix is None else self.matrix[np.ix_(places, places)]
        return type(self)(names, self.values[:, places], self.known[:, places], self.min_rows, matrix)

    def row(self, place: int) -> NDArray[np.float64]:
        """Return the correlations of one feature with all, (G,)."""
        return self._with(np.array([place]))[0] if self.matrix is None else self.matrix[place]

    def _with(self, places: IntArray) -> NDArray[np.float64]:
        """Return (len(places), G), to six digits so that machines agree about ties; 0 where it is not defined."""
        x, here, y, there = self.values[:, places], self.known[:, places], self.values, self.known
        count = here.T @ there
        shared = np.maximum(count, 1.0)
        sum_x, sum_y = x.T @ there, here.T @ y
        covariance = x.T @ y - sum_x * sum_y / shared
        spread_x = (x**2).T @ there - sum_x**2 / shared
        spread_y = here.T @ y**2 - sum_y**2 / shared
        defined = (count >= self.min_rows) & (np.minimum(spread_x, spread_y) > 1e-12 * shared)
        scale = np.sqrt(np.where(defined, spread_x * spread_y, 1.0))
        return np.where(defined, covariance / scale, 0.0).round(6)


class _Modules:
    """Choose modules for one draw, layer after layer."""

    def __init__(self, correlations: _Correlations, size: int, stream: RandomStream, signed: bool) -> None:
        self.correlations, self.stream, self.signed = correlations, stream, signed
        self.without = np.ones(size, dtype=bool)

    def choose(self, counts: IntArray, brought: "sparse.csr_array | None") -> IntArray:
        """Return a module per node as (2, E): node, feature."""
        parts = [np.zeros((2, 0), dtype=np.int64)]
        for node in self.stream.permutation(len(counts)):
            if counts[node]:
                taken = np.zeros(len(self.without), dtype=bool)
                if brought is not None:
                    taken[brought[[node]].indices] = True
                module = self._module(int(counts[node]), taken)
                parts.append(np.stack([np.full(len(module), node), module]))
        return np.concatenate(parts, axis=1)

    def _module(self, count: int, taken: NDArray[np.bool_]) -> IntArray:
        for choices in (self.without & ~taken, ~taken, np.ones_like(taken)):
            if choices.any():
                break
        places = np.flatnonzero(choices)
        seed = int(places[self.stream.below(len(places), 1)[0]])
        strength = self.correlations.row(seed)
        strength = np.maximum(strength, 0.0) if self.signed else np.abs(strength)
        strength = np.where(taken, strength - 2.0, strength)
        strength[seed] = 2.0
        module = np.argsort(-strength, kind="stable")[:count]
        self.without[module] = False
        return module
