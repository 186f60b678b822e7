"""Encode expression and covariates of patients of whom some have no expression.

Shapes: N rows, G genes, C encoded columns of covariates.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .encoding import TableEncoder

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MultimodalEncoder"]


@dataclass
class MultimodalEncoder(TableEncoder):
    """Encode G genes, then C columns of covariates; a patient without expression has empty cells in all genes.

    Medians and scaler of the genes come from the training rows that have expression, so that those without do not
    narrow the spread.

    Args:
        num_genes: How many of the numeric columns, the first, are genes.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"TP53": [1.0, 3.0, None], "age": [50.0, 60.0, 70.0]})
        >>> encoder = MultimodalEncoder(["TP53", "age"], missing="median", num_genes=1).fit(frame, "rna.csv")
        >>> encoder.fitted["scale"][0], encoder.transform(frame, "rna.csv")[:, 0].tolist()
        (1.0, [-1.0, 1.0, 0.0])
    """

    num_genes: int = 0

    def fit(self, frame: "pd.DataFrame", path: str) -> "MultimodalEncoder":
        """Fit medians, scaler and known levels on training rows.

        Raises:
            InputError: As `TableEncoder.fit`.
        """
        super().fit(frame, path)
        genes = self.numeric[: self.num_genes]
        known: Any = frame[genes].notna()
        measured = known.to_numpy().any(axis=1)
        if genes and not measured.all():
            alone = TableEncoder(genes, missing=self.missing, scale=self.scale)
            alone.fit(frame.iloc[np.flatnonzero(measured)], path)
            for key in ("median", "mean", "scale"):
                self.fitted[key][: self.num_genes] = alone.fitted[key]
        return self
