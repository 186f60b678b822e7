"""The null model that moves features only among those that resemble them."""

from collections.abc import Sequence
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..hierarchy import Hierarchy
from ..matrices import IntArray
from .base import NullModel
from .fitting import feature_places, measured_columns
from .labels import labels_changeable, permuted_features
from .random_stream import RandomStream

__all__ = ["BinnedBy", "PermuteInputsWithinBins", "quantile_bins"]

BinnedBy = Literal["degree", "mean", "variance", "missingness"]


class PermuteInputsWithinBins(NullModel):
    """Permute which feature stands at which place, within bins of features alike in one respect.

    Features in many sets are often the well-measured and abundant ones, so a plain permutation also moves strong
    features to weak places. Here a feature takes the place of one whose degree, mean, variance or missingness is
    alike. Bins hold about equally many features; equal values share a bin, and so do features without a value.

    Keeps what `PermuteInputs` keeps, and the respect chosen, within the width of a bin. Breaks which features share a
    set.

    `fit` takes training rows as measured: values before they are standardised (all means and variances are alike
    after), and NaN where a value is missing. Values that were filled in count as missing where the column
    `NAME=present` is 0. Of several columns of one feature the mean is taken.

    Args:
        by: "degree" (the number of edges out of the feature; needs no data), "mean", "variance" or "missingness" (share
            of the training rows without a value).
        bins: Number of bins.

    Raises:
        InputError: If `by` is another word or `bins` no positive integer.

    Source: labels permuted within 25 bins of expression, as control sets are drawn for the scores of Tirosh et al.
    2016, doi:10.1126/science.aad0501.

    Example:
        >>> real = Hierarchy.from_edges([("a", "w"), ("a", "x"), ("b", "x"), ("b", "y"), ("b", "z")])
        >>> draw = PermuteInputsWithinBins(by="degree")(real, seed=0)
        >>> draw.parents("x"), len(draw.children("b"))
        (('a', 'b'), 3)
        >>> null = PermuteInputsWithinBins(by="mean", bins=2).fit(np.array([[1, 1, 8, 9], [2, 1, 8, 9]]), list("wxyz"))
        >>> null(real, seed=2).parents("w"), null(real, seed=0).parents("w")
        (('a',), ('a', 'b'))
    """

    keeps = frozenset(
        {"layer_sizes", "edge_counts", "target_degrees", "degree_multisets", "set_sizes", "pathway_edges", "isomorphic"}
    )
    needs = "two features of one bin that stand in different sets"

    def __init__(self, by: BinnedBy = "degree", bins: int = 25) -> None:
        if by not in get_args(BinnedBy):
            raise InputError(f"by is {by!r}; it must be one of {', '.join(get_args(BinnedBy))}")
        if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
            raise InputError(f"bins is {bins!r}; it must be a positive integer")
        self.by: BinnedBy = by
        self.bins = bins
        self.needs_data = by != "degree"
        self._fitted: tuple[tuple[str, ...], NDArray[np.float64]] | None = None

    def fit(self, x_train: np.ndarray, feature_names: Sequence[str]) -> Self:
        """Measure the features on training rows; see the class.

        Raises:
            InputError: If the rows cannot be used, or were standardised.
        """
        if not self.needs_data:
            return self
        columns = measured_columns(x_train, feature_names)
        statistic = columns.mean_of_columns(_STATISTICS[self.by](columns.values))
        if self.by in ("mean", "variance"):
            self._check_spread(statistic, columns.values)
        self._fitted = columns.names, statistic
        return self

    def redraw(self, hierarchy: Hierarchy, seed: int) -> Sequence[IntArray]:
        """Return the same pairs with the features permuted within bins."""
        bins = self._bins_of(hierarchy)
        shuffled = np.lexsort((RandomStream(seed, "features").words(len(bins)), bins))
        places = np.empty_like(bins)
        places[np.argsort(bins, kind="stable")] = shuffled
        return permuted_features(hierarchy, places)

    def changeable(self, hierarchy: Hierarchy) -> dict[int, bool]:
        """Return whether any two features of one bin differ in their edges, for the blocks that leave the features."""
        return labels_changeable(hierarchy, self._bins_of(hierarchy))

    def _bins_of(self, hierarchy: Hierarchy) -> IntArray:
        if not self.needs_data:
            return quantile_bins(hierarchy.out_degrees[0].astype(np.float64), self.bins)
        if self._fitted is None:
            raise InputError(f"{self.name} is not fitted; call fit with the training rows before it draws")
        names, statistic = self._fitted
        return quantile_bins(statistic[feature_places(names, hierarchy.features, self.name)], self.bins)

    def _check_spread(self, statistic: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Refuse bins of rounding errors: after standardising, every mean is 0 and every variance 1."""
        found = statistic[~np.isnan(statistic)]
        scale = np.nanmax(np.abs(values - _mean(values)), initial=0.0) ** (2 if self.by == "variance" else 1)
        if len(found) > 1 and np.ptp(found) <= 1e-5 * scale:
            raise InputError(
                f"the {self.by} of every feature is about {found[0]:.3g}, so bins of it mean nothing; give the "
                "training rows as they were before they were standardised"
            )


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    count = np.sum(~np.isnan(values), axis=0)
    return np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)


def _variance(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return _mean((values - _mean(values)) ** 2)


def _missingness(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.isnan(values).mean(axis=0)


_STATISTICS: dict[str, Any] = {"mean": _mean, "variance": _variance, "missingness": _missingness}


def quantile_bins(values: NDArray[np.float64], bins: int) -> IntArray:
    """Return the bin of each value: about equally many in each, equal values in one, NaN in one of their own."""
    found = np.sort(values[~np.isnan(values)])
    # Borders are values themselves: nothing is rounded that could differ elsewhere.
    borders = np.unique(found[(np.arange(1, bins) * len(found)) // bins]) if len(found) else found
    return np.where(np.isnan(values), bins, np.searchsorted(borders, values, side="right"))
