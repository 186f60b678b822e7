"""What makes an edge list unusable, each in one sentence."""

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError

__all__ = ["check_edges"]


def check_edges(edges: Tensor, in_features: int, out_features: int) -> None:
    """Refuse edges that are no int64 (2, E) list of distinct pairs inside the layer."""
    for name, value in [("in_features", in_features), ("out_features", out_features)]:
        if value < 1:
            raise InputError(f"{name} is {value}; it must be a positive integer")
    _check_form(edges)
    source, target = edges.detach().cpu().numpy()
    for name, values, count in [("input", source, in_features), ("output", target, out_features)]:
        outside = np.flatnonzero((values < 0) | (values >= count))
        if len(outside):
            first = outside[0]
            raise InputError(
                f"edge {first} goes from input {source[first]} to output {target[first]}; {name}s run from 0 to "
                f"{count - 1} ({len(outside)} of {len(values)} edges are outside)"
            )
    _check_distinct(source, target, in_features)


def _check_form(edges: Tensor) -> None:
    if not isinstance(edges, Tensor):
        raise InputError(f"edges is a {type(edges).__name__}; it must be an int64 tensor of shape (2, E)")
    if edges.dtype != torch.int64:
        raise InputError(f"edges has type {edges.dtype}; it must be torch.int64")
    if edges.ndim != 2 or edges.shape[0] != 2:
        hint = "; transpose it" if edges.ndim == 2 and edges.shape[1] == 2 else ""
        raise InputError(f"edges has shape {tuple(edges.shape)}; it must be (2, E), inputs over outputs{hint}")
    if edges.shape[1] == 0:
        raise InputError("edges is empty; a layer needs at least one edge")
    if edges.is_meta:
        raise InputError("edges lies on the meta device and holds no numbers; give it on a real device")


def _check_distinct(source: np.ndarray, target: np.ndarray, in_features: int) -> None:
    pairs = target * in_features + source
    order = np.argsort(pairs, kind="stable")
    again = np.flatnonzero(pairs[order[1:]] == pairs[order[:-1]])
    if len(again):
        first, second = order[again[0]], order[again[0] + 1]
        raise InputError(
            f"edges {first} and {second} both go from input {source[first]} to output {target[first]}; every edge may "
            f"stand once ({len(again)} stand again)"
        )
