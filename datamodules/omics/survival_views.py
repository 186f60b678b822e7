"""What simple models of survival see of a cohort: expression, means of pathways, clinical columns.

Shapes: N training rows, M test rows, G genes, P pathways, C encoded clinical columns.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...structures import Hierarchy
from ..encoding import TableEncoder
from ..splitting import Split
from .covariates import Covariates

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CLINICAL", "clinical_columns", "measured_pathway_means", "pathway_means"]

# What every cohort of this form says about its patients, at diagnosis.
CLINICAL = ("age", "is_female", "stage")


def pathway_means(expression: np.ndarray, genes: Sequence[str], hierarchy: Hierarchy) -> np.ndarray:
    """Return the mean of the genes below each node of a hierarchy, (N, P).

    A node that stands on several layers counts once, with all genes below it.

    Args:
        expression: (N, G).
        genes: Names of the G genes.
        hierarchy: Its features are some of the genes.
    """
    place = {gene: column for column, gene in enumerate(genes)}
    columns = np.array([place.get(name, -1) for name in hierarchy.features])
    sets: dict[str, np.ndarray] = {}
    for layer in range(1, len(hierarchy.layers)):
        below = hierarchy.memberships(layer).toarray()[:, columns >= 0]
        for name, members in zip(hierarchy.nodes[layer], below, strict=True):
            sets[name] = sets.get(name, False) | members
    chosen = np.array([members for members in sets.values() if members.any()], dtype=np.float64).T
    return expression[:, columns[columns >= 0]].astype(np.float64) @ (chosen / chosen.sum(axis=0))


def clinical_columns(patients: "pd.DataFrame", names: Sequence[str], split: Split, source: str) -> np.ndarray:
    """Return clinical columns of all patients, encoded with what the training rows know, (rows, C).

    Args:
        patients: One row per patient, in the order of the split's rows.
        names: The columns.
        split: Which rows train.
        source: Name of the table in messages.
    """
    found = Covariates.choose(patients, names, (), "median", source)
    encoder = TableEncoder(found.numeric, dict(found.levels), "median")
    frame = patients.reset_index(drop=True)
    return encoder.fit(frame.iloc[split.train], source).transform(frame, source).astype(np.float64)


def measured_pathway_means(
    encoded: np.ndarray, encoder: TableEncoder, genes: Sequence[str], hierarchy: Hierarchy
) -> np.ndarray:
    """Return `pathway_means` of the values as they were measured: genes of large variance count more than scaled ones.

    Args:
        encoded: (N, G), what the fitted encoder made of the genes, which are its first numeric columns.
        encoder: The encoder.
        genes: Names of the G genes.
        hierarchy: Its features are some of the genes.
    """
    shift, unit = (np.asarray(encoder.fitted[key][: len(genes)]) for key in ("mean", "scale"))
    return pathway_means(encoded * unit + shift, genes, hierarchy)
