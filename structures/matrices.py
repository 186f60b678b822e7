"""Sparse matrices of ones: who is whose child, and which features lie beneath."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["BoolArray", "IntArray", "as_boolean", "as_counts", "ones", "with_descendants"]

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def ones(pairs: NDArray[Any], shape: tuple[int, int]) -> sparse.csr_array:
    """Return the boolean CSR matrix with a one at every distinct (row, column)."""
    values = np.ones(pairs.shape[1], dtype=bool)
    return sparse.csr_array(sparse.coo_array((values, (pairs[0], pairs[1])), shape=shape))


def as_boolean(matrix: Any) -> sparse.csr_array:
    """Return where a sparse matrix is not zero."""
    result = sparse.csr_array(matrix, dtype=bool)
    result.sum_duplicates()
    result.eliminate_zeros()
    return result


def as_counts(matrix: Any) -> sparse.csr_array:
    """Return a sparse matrix in integers, which can be subtracted and summed."""
    return sparse.csr_array(matrix, dtype=np.int32)


def with_descendants(adjacency: sparse.csr_array) -> sparse.csr_array:
    """Return the (N, N) boolean matrix of every node (row) and its descendants, itself among them.

    Args:
        adjacency: (N, N) with a one for every parent (row) and child (column).
    """
    reach = sparse.csr_array(sparse.eye_array(*(adjacency.shape or (0, 0)), dtype=bool, format="csr"))
    frontier, before = reach, -1
    while reach.nnz > before:
        before = reach.nnz
        frontier = as_boolean(frontier @ adjacency)
        reach = as_boolean(reach + frontier)
    return reach
