"""A hierarchy drawn at random, for simulations without files."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ...errors import InputError
from ...randomness import derive_seed
from ...structures import Hierarchy

__all__ = ["random_hierarchy"]


def random_hierarchy(layer_sizes: Sequence[int] = (300, 60, 12), *, overlap: float = 0.0, seed: int = 0) -> Hierarchy:
    """Draw a tree: every node below the highest layer has one parent, every other node at least one child.

    Parents are drawn uniformly, after every parent has got its first child. Sizes, overlap and seed decide everything.

    Args:
        layer_sizes: Number of nodes per layer, features first; no layer may be larger than the one below it.
        overlap: Share of the features that have a second parent, so that pathways overlap.
        seed: Seed of the draw.

    Raises:
        InputError: If there are fewer than two layers, a layer is larger than the one below it, or `overlap` asks for
            a second parent where there is none.

    Example:
        >>> hierarchy = random_hierarchy([6, 3, 1], seed=1)
        >>> hierarchy.layers, hierarchy.sizes, hierarchy.num_edges
        (('features', 'level_2', 'level_1'), (6, 3, 1), 9)
        >>> hierarchy == random_hierarchy([6, 3, 1], seed=1), hierarchy.dead_ends
        (True, {})
    """
    sizes = [int(size) for size in layer_sizes]
    _check(sizes, overlap)
    names = [_names(place, size, len(sizes)) for place, size in enumerate(sizes)]
    edges = []
    for source, (children, parents) in enumerate(pairwise(sizes)):
        generator = np.random.default_rng(derive_seed(seed, "random hierarchy", source))
        chosen = np.concatenate([np.arange(parents), generator.integers(parents, size=children - parents)])
        pairs = np.stack([np.arange(children), generator.permutation(chosen)])
        if source == 0:
            pairs = np.concatenate([pairs, _second_parents(pairs[1], parents, overlap, generator)], axis=1)
        edges.append((source, source + 1, pairs.astype(np.int64)))
    note = f"drawn at random: sizes {sizes}, overlap {overlap}, seed {seed}"
    layers = ("features", *(f"level_{len(sizes) - place}" for place in range(1, len(sizes))))
    return Hierarchy(layers, tuple(names), tuple(edges), notes=(note,))


def _check(sizes: list[int], overlap: float) -> None:
    if len(sizes) < 2 or min(sizes) < 1 or any(above > below for below, above in pairwise(sizes)):
        raise InputError(
            f"layer_sizes is {sizes}; it must list two or more positive sizes, features first, none larger than the "
            "one before it"
        )
    if not 0 <= overlap <= 1 or (overlap and sizes[1] < 2):
        raise InputError(f"overlap is {overlap}; it must be 0 to 1, and 0 where one pathway holds all features")


def _names(place: int, size: int, num_layers: int) -> tuple[str, ...]:
    digits = len(str(size))
    stem = "feature" if place == 0 else f"pathway_{num_layers - place}"
    return tuple(f"{stem}_{number:0{digits}d}" for number in range(1, size + 1))


def _second_parents(first: np.ndarray, parents: int, overlap: float, generator: np.random.Generator) -> np.ndarray:
    """Return (2, E) edges of a random share of the features to a parent other than their first."""
    features = generator.permutation(len(first))[: round(overlap * len(first))]
    steps = generator.integers(1, max(parents, 2), size=len(features))
    return np.stack([features, (first[features] + steps) % parents])
