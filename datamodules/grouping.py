"""Which rows belong together: copies of one another, or of one patient, site or batch.

Shapes: N rows.
"""

from typing import Any

import numpy as np

from ..errors import InputError
from .splitting import Split

__all__ = ["connected_labels", "count_duplicates_across", "group_labels", "row_fingerprints"]


def row_fingerprints(features: Any, target: np.ndarray) -> np.ndarray:
    """Return a 64-bit number per row (N,), equal for rows equal in every feature and the target.

    Args:
        features: Pandas table of the feature columns.
        target: (N,) classes or numbers, or several columns (N, K) of them.

    Example:
        >>> import pandas as pd
        >>> prints = row_fingerprints(pd.DataFrame({"size": [1, 1, 1]}), np.array([0, 0, 1]))
        >>> bool(prints[0] == prints[1]), bool(prints[1] == prints[2])
        (True, False)
    """
    from pandas import util

    hash_rows: Any = util.hash_pandas_object
    columns = target.reshape(len(target), -1).T
    named = {" " * place: column for place, column in enumerate(columns)}
    return hash_rows(features.assign(**named), index=False).to_numpy()


def count_duplicates_across(fingerprints: np.ndarray, split: Split) -> int:
    """Return how many validation and test rows repeat a training row.

    Example:
        >>> split = Split(np.array([0, 1]), np.array([2]), np.array([3]))
        >>> count_duplicates_across(np.array([7, 8, 7, 9]), split)
        1
    """
    held_out = np.concatenate([split.validation, split.test])
    return int(np.isin(fingerprints[held_out], fingerprints[split.train]).sum())


def group_labels(column: Any, path: str) -> np.ndarray:
    """Return a number per row (N,), equal for equal cells of a pandas column.

    Raises:
        InputError: If a cell is missing.

    Example:
        >>> import pandas as pd
        >>> group_labels(pd.Series(["b", "a", "b"]), "cells.csv").tolist()
        [1, 0, 1]
    """
    absent = column.isna().to_numpy()
    if absent.any():
        row = int(column.index[int(absent.argmax())]) + 1
        raise InputError(f"group column '{column.name}' of {path} has a missing cell in row {row}")
    return np.unique(column.astype(str), return_inverse=True)[1]


def connected_labels(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return a number per row (N,), equal for rows that a chain of shared labels connects.

    Args:
        first: (N,) labels of one kind, numbers from 0.
        second: (N,) labels of another kind, numbers from 0.

    Example:
        >>> connected_labels(np.array([0, 0, 1, 2]), np.array([5, 6, 6, 7])).tolist()
        [0, 0, 0, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    offset = int(first.max()) + 1
    size = offset + int(second.max()) + 1
    graph = coo_array((np.ones(len(first)), (first, second + offset)), shape=(size, size))
    component = connected_components(graph, directed=False)[1][first]
    return np.unique(component, return_inverse=True)[1]
