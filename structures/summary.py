"""What a hierarchy looks like in numbers, with names at both ends, as a table."""

from dataclasses import dataclass

import numpy as np

from .layered import LayeredGraph, titled

__all__ = ["HierarchySummary", "LayerSummary", "summarize"]


@dataclass(frozen=True)
class LayerSummary:
    """One row of a summary.

    Args:
        layer: Name of the layer.
        nodes: Number of nodes.
        copies: Nodes with an edge to a node of the same name above.
        edges: Edges into the layer.
        density: Edges over possible edges from the layers that they come from; NaN for the features.
        in_degree: Mean and largest number of edges into a node.
        out_degree: Mean and largest number of edges out of a node.
        dead_ends: Nodes that no feature reaches or that do not reach the top.
        first: First nodes, with titles.
    """

    layer: str
    nodes: int
    copies: int
    edges: int
    density: float
    in_degree: tuple[float, int]
    out_degree: tuple[float, int]
    dead_ends: int
    first: tuple[str, ...]


@dataclass(frozen=True)
class HierarchySummary:
    """What `hierarchy.summary()` returns; its text is a table.

    Args:
        layers: One row per layer, features first.
        edges: Edges per block: (source layer, target layer, number).
        lines: What else is known: policies, matching report, files with hashes.

    Example:
        >>> from axonlight.structures import Hierarchy
        >>> hierarchy = Hierarchy.from_edges([("root", "a"), ("root", "b"), ("a", "g1"), ("b", "g2")])
        >>> summary = hierarchy.summary()
        >>> [(row.layer, row.nodes, row.edges) for row in summary.layers]
        [('features', 2, 0), ('level_2', 2, 2), ('level_1', 1, 2)]
    """

    layers: tuple[LayerSummary, ...]
    edges: tuple[tuple[str, str, int], ...]
    lines: tuple[str, ...]

    def __str__(self) -> str:
        head = (
            "layer",
            "nodes",
            "copies",
            "edges in",
            "density",
            "in mean/max",
            "out mean/max",
            "dead",
            "nodes such as",
        )
        table = [head, *map(_cells, reversed(self.layers))]
        widths = [max(len(row[column]) for row in table) for column in range(len(head) - 1)]
        body = [
            "  ".join(
                [
                    row[0].ljust(widths[0]),
                    *(cell.rjust(w) for cell, w in zip(row[1:-1], widths[1:], strict=True)),
                    row[-1],
                ]
            )
            for row in table
        ]
        return "\n".join([*body, "", *self.lines])


def summarize(hierarchy: LayeredGraph) -> HierarchySummary:
    """Count what `HierarchySummary` tells."""
    live = hierarchy.live_nodes()
    copies = [np.zeros(size, dtype=bool) for size in hierarchy.sizes]
    entering = [[0, 0] for _ in hierarchy.layers]
    for source, target, index in hierarchy.edges:
        low, high = hierarchy.nodes[source], hierarchy.nodes[target]
        same = np.array([low[a] == high[b] for a, b in index.T], dtype=bool)
        copies[source][index[0, same]] = True
        entering[target][0] += index.shape[1]
        entering[target][1] += len(low) * len(high)
    rows = [
        LayerSummary(
            layer=name,
            nodes=hierarchy.sizes[place],
            copies=int(copies[place].sum()),
            edges=entering[place][0],
            density=entering[place][0] / entering[place][1] if entering[place][1] else float("nan"),
            in_degree=_mean_and_largest(hierarchy.in_degrees[place]),
            out_degree=_mean_and_largest(hierarchy.out_degrees[place]),
            dead_ends=int((~live[place]).sum()),
            first=tuple(titled(node, hierarchy.titles) for node in hierarchy.nodes[place][:2]),
        )
        for place, name in enumerate(hierarchy.layers)
    ]
    edges = ((hierarchy.layers[s], hierarchy.layers[t], index.shape[1]) for s, t, index in hierarchy.edges)
    return HierarchySummary(tuple(rows), tuple(edges), tuple(_lines(hierarchy)))


def _lines(hierarchy: LayeredGraph) -> list[str]:
    lines = [f"{sum(hierarchy.sizes):,} nodes, {hierarchy.num_edges:,} edges, density {hierarchy.density:.3%}"]
    if hierarchy.report is not None:
        lines += str(hierarchy.report).splitlines()
    if hierarchy.policies is not None:
        chosen = ", ".join(f"{name}={value}" for name, value in hierarchy.policies.as_dict().items())
        lines.append(f"policies: {chosen}")
    lines += [f"source: {source.name} sha256 {source.sha256}" for source in hierarchy.sources]
    return lines + list(hierarchy.notes)


def _mean_and_largest(degrees: np.ndarray) -> tuple[float, int]:
    return float(degrees.mean()), int(degrees.max())


def _cells(row: LayerSummary) -> tuple[str, ...]:
    numbers = [f"{row.nodes:,}", f"{row.copies:,}", f"{row.edges:,}" if row.edges else "-"]
    numbers.append(f"{row.density:.2%}" if row.edges else "-")
    numbers += [f"{mean:.2f}/{largest}" for mean, largest in (row.in_degree, row.out_degree)]
    names = ", ".join(name if len(name) <= 40 else f"{name[:39]}…" for name in row.first)
    return (row.layer, *numbers, f"{row.dead_ends:,}", names)
