"""Which kernel a sparse layer uses when it may choose."""

import difflib
from typing import Literal, get_args

import torch

from ...errors import InputError

__all__ = ["Backend", "check_available", "check_backend", "choose_backend"]

Backend = Literal["auto", "bag", "csr", "gather", "dense"]


def check_backend(backend: str) -> None:
    """Refuse names that are no backend."""
    allowed = get_args(Backend)
    if backend not in allowed:
        near = difflib.get_close_matches(str(backend), allowed, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"backend is {backend!r}; it must be one of {', '.join(map(repr, allowed))}{hint}")


def check_available(backend: str, device: str) -> None:
    """Refuse a kernel that this build of torch lacks."""
    if backend == "csr" and device == "cpu" and not torch.backends.mkl.is_available():
        raise InputError(
            "backend is 'csr', which needs MKL on a processor, and this torch has none; take 'bag' or 'auto'"
        )


def choose_backend(in_features: int, out_features: int, num_edges: int, batch: int, device: str) -> Backend:
    """Return the backend that was the fastest where this was measured."""
    return "bag"
