"""The dose of randomness: a fraction of the edges rewired, all degrees kept."""

from collections.abc import Sequence
from typing import Any

from ...errors import InputError
from ..hierarchy import Hierarchy
from ..matrices import IntArray
from .base import NullModel
from .degree_preserving import TRADES_PER_NODE, check_trades, degrees_can_change, rewired

__all__ = ["Rewire"]


class Rewire(NullModel):
    """Rewire a fraction of the edges of each block among themselves, and keep all degrees and the other edges.

    For dose-response: scores at fractions 0, 0.25, 0.5, 0.75 and 1 give a slope, which says more than two points.
    0 is the hierarchy itself; 1 is `DegreePreserving`, the same draw with the same seed. With one seed, the edges
    rewired at a smaller fraction are among those of a larger one. The nearest whole number of edges is taken, per
    block. A rewired edge may come to lie where one was before, so that the share that changes is smaller:
    `NullReport` states it as edge overlap.

    Keeps what `DegreePreserving` keeps. It is uniform over all outcomes that its trades can reach; edges that must not
    move can wall some off, and two edges alone may have nowhere to go.

    Args:
        fraction: Share of the edges of each block, from 0 to 1.
        trades_per_node: See `DegreePreserving`.

    Raises:
        InputError: If the fraction is not between 0 and 1, or `trades_per_node` no positive integer.

    Source: trades as in `DegreePreserving`; the multiplier of attempted swaps plays this part in XSwap (Hanhijarvi,
    Garriga and Puolamaki 2009, doi:10.1137/1.9781611972795.67).

    Example:
        >>> real = Hierarchy.from_edges([(f"p{place % 5}", f"g{place}") for place in range(40)])
        >>> half = Rewire(0.5)(real, seed=0)
        >>> kept = set(map(tuple, half.edges[0].pairs.T.tolist())) & set(map(tuple, real.edges[0].pairs.T.tolist()))
        >>> len(kept) >= 20, Rewire(0.0)(real, seed=0) == real
        (True, True)
    """

    keeps = frozenset(
        {"layer_sizes", "edge_counts", "source_degrees", "target_degrees", "degree_multisets", "set_sizes"}
    )
    needs = "two nodes of one layer, each with a neighbour that the other lacks"

    def __init__(self, fraction: float, trades_per_node: int = TRADES_PER_NODE) -> None:
        self.fraction = _checked_fraction(fraction)
        self.trades_per_node = check_trades(trades_per_node)

    def redraw(self, hierarchy: Hierarchy, seed: int) -> Sequence[IntArray]:
        """Return pairs with the same degrees."""
        return rewired(hierarchy, seed, self.trades_per_node, self.fraction)

    def changeable(self, hierarchy: Hierarchy) -> dict[int, bool]:
        """Return which blocks are not the only ones of their degrees; at fraction 0 nothing is to change."""
        if self.fraction == 0:
            return dict.fromkeys(range(len(hierarchy.edges)), True)
        return degrees_can_change(hierarchy)


def _checked_fraction(fraction: Any) -> float:
    if isinstance(fraction, bool) or not isinstance(fraction, (int, float)) or not 0 <= fraction <= 1:
        raise InputError(f"fraction is {fraction!r}; it must be a number from 0 to 1")
    return float(fraction)
