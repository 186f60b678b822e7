"""`NullReport`: what draws of a null model leave of a hierarchy, draw by draw and summarised."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from .invariants import INVARIANTS, broken_invariants
from .measures import Liveness, RealEdges, count_paths, live_shares

if TYPE_CHECKING:
    import pandas as pd

    from ..hierarchy import Hierarchy
    from .base import NullModel

__all__ = ["NullReport", "aligned"]

# What the table says instead of a column's name.
_LABELS = {
    "live_inputs": "live inputs",
    "live_nodes": "live nodes",
    "live_edges": "live edges",
    "paths": "paths, log10",
    "effective_depth": "effective depth",
    "edge_overlap": "edge overlap",
    "in_degrees_kept": "in-degrees kept",
    "out_degrees_kept": "out-degrees kept",
    "in_degree_distance": "in-degree distance",
    "out_degree_distance": "out-degree distance",
}


class NullReport:
    """What is left of a network in draws of a null model; equal density is not equal sparsity.

    Quantities, each a column of `draws`:

    - live_inputs, live_nodes, live_edges: the share of features, of nodes above the features and of edges that lie on
      a path from a feature to the highest layer. What does not is dead weight for a head on the last layer.
    - paths: decimal logarithm of the number of such paths; -inf without any.
    - effective_depth: their mean number of edges, every path counting equally; the only live edge into a node adds no
      depth and is not counted, since such a node (the copy that carries a short branch up, the parent of a single
      child) hands on what it gets.
    - edge_overlap: share of the real edges that the draw has, by the nodes they join; and the same per block, such as
      "edge_overlap features -> level_4".
    - in_degrees_kept, out_degrees_kept: whether every node keeps its number of edges in every block.
    - in_degree_distance, out_degree_distance: share of the ends of edges that would have to move to another node to
      turn the sorted degree sequence into the real one: 0 where nodes only exchange their degrees.

    Args:
        hierarchy: The real hierarchy.
        draws: Draws of a null model, with the same layers and nodes.
        null: The null model, or a name for it.

    Attributes:
        name: Name of the null model, or "null".
        keeps: The invariants (see `INVARIANTS`) that the null model states, sorted.
        kept: The invariants that every draw has kept, stated or not.

    Raises:
        InputError: If there is no draw, or one has other layers or nodes.

    Example:
        >>> from axonlight.structures import Hierarchy
        >>> nodes = [["TP53", "BRCA1"], ["death", "repair"], ["cell"]]
        >>> names = ["features", "level_2", "level_1"]
        >>> real = Hierarchy(names, nodes, [(0, 1, [[0, 1], [0, 1]]), (1, 2, [[0, 1], [0, 0]])])
        >>> draw = Hierarchy(names, nodes, [(0, 1, [[0, 1], [1, 1]]), (1, 2, [[0, 1], [0, 0]])])
        >>> report = NullReport(real, [draw], null="hand-made")
        >>> report.draws.loc[0, ["live_inputs", "live_nodes", "edge_overlap"]].tolist()
        [1.0, 0.6666666666666666, 0.75]
        >>> print(str(report).splitlines()[0])
        hand-made: 1 draw of a hierarchy 2-2-1 with 4 edges

    Source: pathway networks whose nulls were never looked at, M. Caranzano et al., arXiv 2505.04300.
    """

    def __init__(
        self, hierarchy: "Hierarchy", draws: "Sequence[Hierarchy]", null: "NullModel | str | None" = None
    ) -> None:
        _check_draws(hierarchy, draws)
        self.hierarchy = hierarchy
        self.name = null if isinstance(null, str) else "null" if null is None else null.name
        self.keeps = () if null is None or isinstance(null, str) else tuple(sorted(null.keeps))
        broken = {name for draw in draws for name in broken_invariants(hierarchy, draw)}
        self.kept = tuple(name for name in INVARIANTS if name not in broken)
        edges = RealEdges(hierarchy)
        self._real = _measured(hierarchy, edges)
        self._draws = [_measured(draw, edges) for draw in draws]

    @property
    def real(self) -> "pd.Series":
        """The quantities of the real hierarchy."""
        import pandas as pd

        return pd.Series(self._real, name="real")

    @property
    def draws(self) -> "pd.DataFrame":
        """One row per draw, one column per quantity."""
        import pandas as pd

        return pd.DataFrame(self._draws).rename_axis("draw")

    @property
    def num_draws(self) -> int:
        """Number of draws."""
        return len(self._draws)

    @property
    def num_dead(self) -> int:
        """Number of draws without a path from a feature to the highest layer."""
        return sum(row["paths"] == -math.inf for row in self._draws)

    def summary(self) -> "pd.DataFrame":
        """Return one row per quantity: real, and mean, min and max of the draws; what is kept or not counts 1 or 0.

        Draws without a path (`num_dead`) have neither a number of paths nor a depth; the others do.
        """
        import pandas as pd

        rows = {name: {"real": float(self._real[name]), **spread} for name, spread in self._spreads().items()}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("quantity")

    def check_alive(self) -> None:
        """Refuse draws without a path from a feature to the highest layer.

        Raises:
            InputError: If there is one, naming the first.
        """
        dead = [number for number, row in enumerate(self._draws) if row["paths"] == -math.inf]
        if dead:
            raise InputError(
                f"draw {dead[0]} of {self.name} leaves no path from a feature to layer {self.hierarchy.layers[-1]} "
                f"({self.num_dead} of {self.num_draws} draws do); take one that keeps degrees, such as DegreePreserving"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data for JSON; what is not finite (no path, no depth) is None."""
        return {
            "null": self.name,
            "keeps": list(self.keeps),
            "kept": list(self.kept),
            "num_draws": self.num_draws,
            "num_dead": self.num_dead,
            "real": _plain(self._real),
            "summary": {name: _plain(spread) for name, spread in self._spreads().items()},
            "draws": [_plain(row) for row in self._draws],
        }

    def _spreads(self) -> dict[str, dict[str, float]]:
        spreads = {}
        for name in self._real:
            values = [float(row[name]) for row in self._draws]
            known = [value for value in values if math.isfinite(value)] or [math.nan]
            spreads[name] = {"mean": sum(known) / len(known), "min": min(known), "max": max(known)}
        return spreads

    def __str__(self) -> str:
        sizes = "-".join(map(str, self.hierarchy.sizes))
        plural = "draw" if self.num_draws == 1 else "draws"
        head = f"{self.name}: {self.num_draws} {plural} of a hierarchy {sizes} with {self.hierarchy.num_edges:,} edges"
        table: list[tuple[str, ...]] = [("", "real", "mean", "min", "max")]
        for name, spread in self._spreads().items():
            numbers = (float(self._real[name]), *spread.values())
            table.append((_label(name), *(f"{number:.3f}" for number in numbers)))
        if self.num_dead:
            head += f"; {self.num_dead} of them without a path to the top"
        return "\n".join([head, aligned(table), f"every draw keeps: {', '.join(self.kept) or 'nothing'}"])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.hierarchy!r}, {self.num_draws} draws of {self.name})"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as text: the first column flush left, the others flush right, two spaces between."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def _check_draws(hierarchy: "Hierarchy", draws: "Sequence[Hierarchy]") -> None:
    if not draws:
        raise InputError("draws is empty; give at least one draw of a null model")
    for number, draw in enumerate(draws):
        if draw.layers != hierarchy.layers or draw.nodes != hierarchy.nodes:
            raise InputError(
                f"draw {number} has other layers or nodes ({'-'.join(map(str, draw.sizes))}) than the real hierarchy "
                f"({'-'.join(map(str, hierarchy.sizes))}); a null model changes edges alone"
            )


def _measured(draw: "Hierarchy", edges: RealEdges) -> dict[str, float | bool]:
    liveness = Liveness.of(draw)
    paths, depth = count_paths(draw, liveness)
    return {**live_shares(liveness), "paths": paths, "effective_depth": depth, **edges.compare(draw)}


def _label(name: str) -> str:
    quantity, _, block = name.partition(" ")
    return f"  {block}" if block else _LABELS[quantity]


def _plain(row: Mapping[str, float | bool]) -> dict[str, float | bool | None]:
    return {name: value if math.isfinite(value) else None for name, value in row.items()}
