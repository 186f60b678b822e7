"""Impute and scale quantities, with what was missing as features of its own.

Shapes: N rows, P quantities.
"""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from lightning.pytorch.utilities import rank_zero_only

from ...errors import shown
from ..encoding import TableEncoder, numeric_values

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Impute", "QuantityEncoder"]

Impute = Literal["minimum", "median", "zero"]
log = logging.getLogger(__name__)


@dataclass
class QuantityEncoder(TableEncoder):
    """Encode quantities as P imputed and scaled values, then P numbers that are 1 where there was a value.

    A quantity that too few training rows have is 0 in every row, in its mask too: the width stays as it was.

    Args:
        impute: Missing values become the smallest or the median value of the training rows, or 0, before they
            are scaled.
        mask: Whether the second half is there.
        min_present: Share of the training rows that must have a quantity; one that none has is always 0.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"P1": [20.0, 22.0, float("nan")], "P2": [float("nan"), float("nan"), 19.0]})
        >>> encoder = QuantityEncoder(["P1", "P2"], scale="none", impute="minimum").fit(frame.iloc[:2], "matrix.csv")
        >>> encoder.feature_names, encoder.dropped
        (['P1', 'P2', 'P1=present', 'P2=present'], ['P2'])
        >>> encoder.transform(frame, "matrix.csv").tolist()
        [[20.0, 0.0, 1.0, 0.0], [22.0, 0.0, 1.0, 0.0], [20.0, 0.0, 0.0, 0.0]]
    """

    impute: Impute = "minimum"
    mask: bool = True
    min_present: float = 0.0

    @property
    def feature_names(self) -> list[str]:
        """Names of the quantities, then `NAME=present` for each."""
        return [*self.numeric, *(f"{name}=present" for name in self.numeric if self.mask)]

    @property
    def dropped(self) -> list[str]:
        """Quantities that are 0 everywhere; empty before the fit."""
        return [name for name, kept in zip(self.numeric, self.fitted.get("kept", []), strict=False) if not kept]

    def fit(self, frame: "pd.DataFrame", path: str) -> "QuantityEncoder":
        """Fit what fills missing values, the scaler and which quantities are used, on training rows.

        Raises:
            InputError: As `numeric_values`.
        """
        values = numeric_values(frame, self.numeric, path, "median")
        present = ~np.isnan(values)
        kept = present.any(axis=0) & (present.mean(axis=0) >= self.min_present)
        fill, mean, deviation = np.zeros(len(kept)), np.zeros(len(kept)), np.ones(len(kept))
        if self.impute != "zero":
            smallest_or_median = np.nanmin if self.impute == "minimum" else np.nanmedian
            fill[kept] = smallest_or_median(values[:, kept], axis=0)
        if self.scale == "standard" and kept.any():
            from sklearn.preprocessing import StandardScaler

            scaler = StandardScaler().fit(np.where(present, values, fill)[:, kept])
            mean[kept], deviation[kept] = np.asarray(scaler.mean_), np.asarray(scaler.scale_)
        self.fitted = {
            "feature_names": self.feature_names,
            "fill": fill.tolist(),
            "mean": mean.tolist(),
            "scale": deviation.tolist(),
            "kept": kept.tolist(),
        }
        self._report(path)
        return self

    @rank_zero_only
    def _report(self, path: str) -> None:
        if self.dropped:
            share = f"fewer than {self.min_present:.0%} of the" if self.min_present else "no"
            log.warning(
                "%d of %d proteins of %s are set to 0 in every row, as %s training rows have them: %s",
                len(self.dropped),
                len(self.numeric),
                path,
                share,
                shown(self.dropped),
            )

    def transform(self, frame: "pd.DataFrame", path: str) -> np.ndarray:
        """Encode rows as float32 (N, P), or (N, 2 P) with the mask, computed in float64.

        Raises:
            InputError: As `numeric_values`.
        """
        values = numeric_values(frame, self.numeric, path, "median")
        present, kept = ~np.isnan(values), np.asarray(self.fitted["kept"], dtype=bool)
        values = np.where(present, values, self.fitted["fill"])
        values = (values - np.asarray(self.fitted["mean"])) / np.asarray(self.fitted["scale"])
        blocks = [np.where(kept, values, 0.0)]
        if self.mask:
            blocks.append(present & kept)
        return np.concatenate(blocks, axis=1).astype(np.float32)
