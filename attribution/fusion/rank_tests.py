"""Which pathways, prototypes or pairs differ between two groups of patients, fold by fold.

Legend of shapes: N patients, E entities, R permutations, m high and n low patients of a fold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, norm, rankdata

from ...errors import InputError
from ...randomness import derive_seed

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RankTest", "stratified_rank_test"]

Floats: TypeAlias = NDArray[np.floating[Any]]
# A permutation that gives the observed labels must count as at least as extreme, whatever the rounding.
_ROUNDING = 1e-9
_DRAWS_AT_A_TIME = 256


@dataclass(frozen=True, eq=False)
class RankTest:
    """The answer for E entities; NaN where no fold could be tested.

    Args:
        names: E names.
        effect: (E,) rank-biserial correlation, mean over folds weighted as z: 1 if every high patient is above every
            low one.
        z: (E,) Stouffer's z over the folds.
        p_value: (E,) two-sided, normal.
        p_permutation: (E,) with the groups' labels permuted within folds; NaN without permutations.
        p_family: (E,) the same against the largest z of all entities: holds for the family.
        folds: Number of folds that both groups are in.
        permutations: R.

    Example:
        >>> test = stratified_rank_test(np.array([[0.1], [0.2], [0.8], [0.9]]), np.array([0, 0, 1, 1]), within=False)
        >>> test.effect.tolist(), test.z.round(3).tolist()
        ([1.0], [1.549])
    """

    names: tuple[str, ...]
    effect: Floats
    z: Floats
    p_value: Floats
    p_permutation: Floats
    p_family: Floats
    folds: int
    permutations: int

    @property
    def q_value(self) -> Floats:
        """(E,): p after Benjamini and Hochberg."""
        return corrected(self.p_value)

    def table(self) -> "pd.DataFrame":
        """Return one row per entity, the largest z first: effect, z, the four p-values, q of the permutation's p."""
        import pandas as pd

        columns = {
            "name": list(self.names),
            "effect": self.effect,
            "z": self.z,
            "p_value": self.p_value,
            "q_value": self.q_value,
            "p_permutation": self.p_permutation,
            "q_permutation": corrected(self.p_permutation),
            "p_family": self.p_family,
        }
        table = pd.DataFrame(columns)
        return table.sort_values("z", key=np.abs, ascending=False, ignore_index=True)


def corrected(p_values: Floats) -> Floats:
    """Return p after Benjamini and Hochberg, NaN where p is."""
    found = np.full(len(p_values), np.nan)
    known = ~np.isnan(p_values)
    if known.any():
        found[known] = false_discovery_control(p_values[known])
    return found


def stratified_rank_test(
    values: Floats,
    high: Any,
    fold: Any = 0,
    names: Sequence[str] | None = None,
    *,
    within: bool = True,
    permutations: int = 0,
    seed: int = 0,
) -> RankTest:
    """Compare two groups entity by entity: Mann-Whitney in every fold, Stouffer over folds, Benjamini-Hochberg.

    Values are first ranked among the entities of a patient, since only these are comparable between networks. In a
    fold, z = (U - mn/2) / s, with s corrected for ties and without continuity correction; over folds
    Z = sum sqrt(n_f) z_f / sqrt(sum n_f). Permutations exchange the groups' labels within folds and repeat all of it:
    they hold whatever the entities have to do with one another. They keep the network: against what a network finds
    in nothing, see `against_controls`.

    Args:
        values: (N, E), such as gates, or attention laid out flat.
        high: (N,) 1 or 0; NaN leaves a patient out.
        fold: (N,) fold of each patient, or one for all.
        names: E names; None numbers them.
        within: Whether to rank among the entities of a patient first.
        permutations: R; 0 permutes nothing.
        seed: Seed of the permutations.

    Raises:
        InputError: If shapes do not fit, or a value of a patient who is compared is missing.

    Source: as in the code of ProtoPathway (arXiv 2605.21454); S. A. Stouffer 1949; Benjamini & Hochberg 1995; family:
    P. H. Westfall & S. S. Young 1993.

    Example:
        >>> generator = np.random.default_rng(0)
        >>> high = np.arange(60) % 2
        >>> values = generator.random((60, 20))
        >>> values[:, 3] += high
        >>> test = stratified_rank_test(values, high, np.arange(60) // 20, permutations=199)
        >>> test.table()["name"][0], bool(test.p_family[3] < 0.01), test.folds
        ('3', True, 3)
    """
    matrix, labels, folds = _checked(values, high, fold)
    titles = tuple(map(str, range(matrix.shape[1]) if names is None else names))
    if len(titles) != matrix.shape[1]:
        raise InputError(f"there are {len(titles)} names for {matrix.shape[1]} entities; give one each")
    ranked = rankdata(matrix, axis=1) if within else matrix
    parts = [
        part
        for number in np.unique(folds)
        if (part := _Fold.of(ranked[folds == number], labels[folds == number])) is not None
    ]
    if not parts:
        raise InputError("no fold has patients of both groups")
    z, effect = _over_folds(parts, [part.labels[None] for part in parts])
    p_permutation = p_family = np.full(len(titles), np.nan)
    if permutations:
        p_permutation, p_family = _permuted(parts, z[0], permutations, seed)
    p_value = 2 * norm.sf(np.abs(z[0]))
    return RankTest(titles, effect[0], z[0], p_value, p_permutation, p_family, len(parts), permutations)


def _checked(values: Floats, high: Any, fold: Any) -> tuple[Floats, NDArray[np.bool_], NDArray[Any]]:
    matrix = np.asarray(values, dtype=np.float64)
    labels = np.asarray(high, dtype=np.float64)
    if matrix.ndim != 2 or labels.shape != matrix.shape[:1]:
        raise InputError(f"values have the shape {matrix.shape} and high {labels.shape}; they must be (N, E) and (N,)")
    folds = np.broadcast_to(np.asarray(fold), labels.shape)
    known = ~np.isnan(labels)
    if not np.isin(labels[known], (0, 1)).all():
        raise InputError("high holds other values than 1, 0 and NaN")
    if np.isnan(matrix[known]).any():
        rows = np.flatnonzero(known & np.isnan(matrix).any(axis=1))
        raise InputError(
            f"values are missing for {len(rows)} patients who are compared (the first at place {rows[0]}): leave them "
            "out by NaN in high"
        )
    return matrix[known], labels[known] > 0, folds[known]


@dataclass(frozen=True, eq=False)
class _Fold:
    """A fold in which both groups are."""

    ranks: Floats
    labels: NDArray[np.bool_]
    error: Floats

    @classmethod
    def of(cls, values: Floats, labels: NDArray[np.bool_]) -> "_Fold | None":
        high, total = int(labels.sum()), len(labels)
        if not 0 < high < total:
            return None
        ranks = rankdata(values, axis=0)
        ties = np.array([(counts**3 - counts).sum() for counts in map(_counts, ranks.T)], dtype=np.float64)
        variance = high * (total - high) / 12 * (total + 1 - ties / (total * (total - 1)))
        return cls(ranks, labels, np.sqrt(variance))

    def z(self, labels: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Return z and rank-biserial correlation (R, E) of R sets of labels; z is NaN where all values are equal."""
        high, low = int(self.labels.sum()), int((~self.labels).sum())
        u = labels.astype(np.float64) @ self.ranks - high * (high + 1) / 2
        safe = np.where(self.error > 0, self.error, np.nan)
        return (u - high * low / 2) / safe, 2 * u / (high * low) - 1


def _counts(column: Floats) -> NDArray[np.int64]:
    return np.unique(column, return_counts=True)[1].astype(np.int64)


def _over_folds(parts: Sequence[_Fold], labels: Sequence[NDArray[np.bool_]]) -> tuple[Floats, Floats]:
    """Return Stouffer's z and the weighted effect (R, E); NaN where no fold says anything."""
    above, effects, squares, weights = (np.zeros((len(labels[0]), parts[0].ranks.shape[1])) for _ in range(4))
    for part, drawn in zip(parts, labels, strict=True):
        z, effect = part.z(drawn)
        weight = np.where(np.isnan(z), 0.0, np.sqrt(len(part.labels)))
        above += weight * np.nan_to_num(z)
        effects += weight * effect
        squares += weight**2
        weights += weight
    squares, weights = (np.where(values > 0, values, np.nan) for values in (squares, weights))
    return above / np.sqrt(squares), effects / weights


def _permuted(parts: Sequence[_Fold], observed: Floats, permutations: int, seed: int) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(derive_seed(seed, "rank test"))
    size = np.nan_to_num(np.abs(observed)) - _ROUNDING
    own, family = np.ones(len(observed)), np.ones(len(observed))
    for start in range(0, permutations, _DRAWS_AT_A_TIME):
        draws = min(_DRAWS_AT_A_TIME, permutations - start)
        labels = [generator.permuted(np.tile(part.labels, (draws, 1)), axis=1) for part in parts]
        drawn = np.nan_to_num(np.abs(_over_folds(parts, labels)[0]))
        own += (drawn >= size).sum(axis=0)
        family += (drawn.max(axis=1, keepdims=True) >= size).sum(axis=0)
    undefined = np.isnan(observed)
    own, family = (np.where(undefined, np.nan, counts / (1 + permutations)) for counts in (own, family))
    return own, family
