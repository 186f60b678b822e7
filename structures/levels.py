"""On which levels nodes stand, and which copies connect levels that are not neighbours.

Legend: L levels counted from the roots (place 0 holds the roots), N nodes, F features.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ..errors import InputError
from .graph import Graph
from .matrices import BoolArray, IntArray, as_boolean, as_counts, ones, with_descendants
from .policies import Attach, Policies

__all__ = ["Placement", "place"]


@dataclass(frozen=True)
class Placement:
    """Where nodes stand and which features they take.

    Args:
        real: (L, N) whether a node stands on a level.
        joined: (R,) whether a relation can be drawn wherever its parent stands above its child.
        upper: (N, F) features that a node takes where it stands above the lowest level.
        lowest: (N, F) features that a node takes where it stands on the lowest level.
        terminal: (N,) whether a node has no child on a level that can be drawn.
        not_drawn: Number of relations between drawn nodes that the level rule cannot join.
    """

    real: BoolArray
    joined: BoolArray
    upper: sparse.csr_array
    lowest: sparse.csr_array
    terminal: BoolArray
    not_drawn: int


def place(graph: Graph, policies: Policies) -> Placement:
    """Put every node on its levels by the level rule.

    Raises:
        InputError: If more levels are asked for than there are.
    """
    if policies.level_rule == "lock_step":
        return _lock_step(graph, policies)
    level = _levels(graph, longest=policies.level_rule == "longest")
    number = _number_of_levels(int(level.max()) + 1, policies)
    parent, child = graph.relations
    real = level[None, :] == np.arange(number)[:, None]
    step = level[child] - level[parent]
    reachable = step >= 1 if policies.level_rule == "longest" else step == 1
    joined = reachable & (level[child] < number)
    drawn = (level[child] < number) & (level[parent] < number)
    upper, terminal = _features(graph, joined, policies.attach)
    return Placement(real, joined, upper, upper, terminal, int((drawn & ~joined).sum()))


def _lock_step(graph: Graph, policies: Policies) -> Placement:
    parent, child = graph.relations
    number = _number_of_levels(int(_levels(graph, longest=True).max()) + 1, policies)
    real = np.zeros((number, len(graph.nodes)), dtype=bool)
    real[0] = np.bincount(child, minlength=len(graph.nodes)) == 0
    for level in range(number - 1):
        real[level + 1, child[real[level][parent]]] = True
    every = np.ones(len(parent), dtype=bool)
    upper, terminal = _features(graph, every, policies.attach)
    lowest, _ = _features(graph, ~every, policies.attach)
    return Placement(real, every, upper, lowest, terminal, 0)


def _levels(graph: Graph, *, longest: bool) -> IntArray:
    """Return the length of each node's longest or shortest way to a root; roots have 0."""
    parent, child = graph.relations
    number = len(graph.nodes)
    level = np.full(number, 0 if longest else number, dtype=np.int64)
    level[np.bincount(child, minlength=number) == 0] = 0
    while True:
        new = level.copy()
        (np.maximum if longest else np.minimum).at(new, child, level[parent] + 1)
        if np.array_equal(new, level):
            return level
        level = new


def _number_of_levels(depth: int, policies: Policies) -> int:
    if policies.levels is not None and policies.levels > depth:
        raise InputError(
            f"levels is {policies.levels}, but the hierarchy above these features has {depth}; give at most {depth}"
        )
    return policies.levels or depth


def _features(graph: Graph, joined: BoolArray, attach: Attach) -> tuple[sparse.csr_array, BoolArray]:
    """Return the (N, F) features that nodes take themselves, and which nodes are terminal.

    A child whose relation is not drawn hands its features to the parent, so that they reach the roots it reached.
    """
    number = len(graph.nodes)
    terminal = np.bincount(graph.relations[0, joined], minlength=number) == 0
    own = as_counts(graph.own())
    ends = as_boolean(own.multiply(terminal[:, None]))
    if attach == "own":
        return ends, terminal
    below = as_counts(with_descendants(graph.adjacency()) @ graph.own())
    taken = as_counts(ones(graph.relations[:, ~joined], (number, number))) @ below
    if attach == "descendants":
        return as_boolean(taken + as_counts(ends)), terminal
    brought = as_counts(ones(graph.relations[:, joined], (number, number))) @ below
    return as_boolean(taken + own - own.multiply(as_boolean(brought))), terminal
