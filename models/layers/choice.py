"""Which kernel a sparse layer uses when it may choose."""

import difflib
import os
from functools import cache
from importlib.util import find_spec
from typing import Literal, get_args

import torch

from ...errors import InputError

__all__ = ["Backend", "check_available", "check_backend", "choose_backend", "choose_sparse_backend"]

Backend = Literal["auto", "bag", "csr", "gather", "triton", "dense"]

# On CUDA nothing is measured yet: `benchmarks/edge_linear.py --device cuda` and `--device cuda --grid` time every
# kernel against masked dense, and what they show belongs here. Until then: dense for matrices of fewer entries than
# one cheap launch covers and for layers with a larger share of edges, else a kernel that every build of torch has.
_SMALL_ON_CUDA = 1 << 20
_DENSE_ON_CUDA = 0.05
_SPARSE_ON_CUDA: Backend = "csr"


def check_backend(backend: str) -> None:
    """Refuse names that are no backend."""
    allowed = get_args(Backend)
    if backend not in allowed:
        near = difflib.get_close_matches(str(backend), allowed, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"backend is {backend!r}; it must be one of {', '.join(map(repr, allowed))}{hint}")


def check_available(backend: str, device: str) -> None:
    """Refuse a kernel that this installation lacks."""
    if backend == "csr" and device == "cpu" and not torch.backends.mkl.is_available():
        raise InputError("backend is 'csr', which needs MKL on a processor, and this torch has none; take 'bag'")
    if backend == "triton" and not _has_triton():
        raise InputError("backend is 'triton', and the package triton, which torch brings for CUDA, is not installed")
    if backend == "triton" and device == "cpu" and os.environ.get("TRITON_INTERPRET") != "1":
        raise InputError("backend is 'triton', which needs a GPU, and the input lies on a processor; take 'auto'")


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


def choose_backend(in_features: int, out_features: int, num_edges: int, batch: int, device: str) -> Backend:
    """Return the backend that should be the fastest for a training step of this size.

    On a processor two sums in nanoseconds, fitted to the grid of `benchmarks/edge_linear.py --grid` with one thread:
    the nodes of the autograd graph, what is paid per entry or edge, and the transposition of input and output.
    """
    entries = in_features * out_features
    if device == "cpu":
        dense = 74e3 + entries * (0.57 + 0.069 * batch)
        per_edge = 3.2 + 0.18 * batch + 7.7 / max(batch, 1)  # single samples leave the vector units idle
        sparse = 180e3 + num_edges * per_edge + 0.95 * (in_features + out_features) * batch
        return "dense" if dense < sparse else "bag"
    if device == "cuda":
        return "dense" if entries < _SMALL_ON_CUDA or num_edges > _DENSE_ON_CUDA * entries else _SPARSE_ON_CUDA
    return "gather"


def choose_sparse_backend(backend: str, device: str) -> str:
    """Return the kernel for many layers as one: never the dense one, whose matrix would be nearly all zeros."""
    if backend not in ("auto", "dense"):
        return backend
    return {"cpu": "bag", "cuda": _SPARSE_ON_CUDA}.get(device, "gather")
