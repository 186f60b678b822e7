"""Named layers of nodes and the edges between them: the data, its checks and the ways to look at it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import sparse

from ..errors import InputError, shown
from .checks import check_layers, checked_edges
from .graph import nearest
from .matrices import IntArray, as_boolean
from .policies import Policies
from .report import MatchingReport
from .text_table import SourceFile

__all__ = ["EdgeBlock", "LayeredGraph", "titled"]


class EdgeBlock(NamedTuple):
    """The edges from one layer to another.

    Args:
        source: Place of the layer nearer to the features; `hierarchy.layers[source]` is its name.
        target: Place of the layer nearer to the roots.
        pairs: int64 (2, E), read-only: row 0 the place of the node in the source layer, row 1 in the target layer, as
            PyTorch Geometric's `edge_index` and the edges of a sparse linear layer. `torch.tensor(pairs)` copies it.

    Example:
        >>> block = EdgeBlock(0, 1, np.array([[0, 1], [0, 0]]))
        >>> source, target, pairs = block
        >>> pairs.shape
        (2, 2)
    """

    source: int
    target: int
    pairs: IntArray


@dataclass(frozen=True, eq=False)
class LayeredGraph:
    """Data and views that every hierarchy has; see `Hierarchy`."""

    layers: tuple[str, ...]
    nodes: tuple[tuple[str, ...], ...]
    edges: tuple[EdgeBlock, ...]
    titles: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[SourceFile, ...] = ()
    policies: Policies | None = None
    report: MatchingReport | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # A frozen dataclass is filled through object.__setattr__; what is kept are copies that nobody can change.
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "nodes", tuple(tuple(names) for names in self.nodes))
        object.__setattr__(self, "notes", tuple(self.notes))
        object.__setattr__(self, "sources", tuple(self.sources))
        object.__setattr__(self, "titles", dict(self.titles))
        check_layers(self.layers, self.nodes)
        object.__setattr__(self, "edges", tuple(EdgeBlock(*block) for block in checked_edges(self.edges, self.nodes)))

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the nodes of the lowest layer."""
        return self.nodes[0]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of nodes per layer."""
        return tuple(map(len, self.nodes))

    @property
    def num_edges(self) -> int:
        """Number of edges."""
        return sum(block.pairs.shape[1] for block in self.edges)

    @property
    def densities(self) -> tuple[float, ...]:
        """Share of the possible edges that exist, per block of `edges`."""
        sizes = self.sizes
        return tuple(index.shape[1] / (sizes[source] * sizes[target]) for source, target, index in self.edges)

    @property
    def density(self) -> float:
        """Share of the possible edges that exist, between the layers that are joined."""
        sizes = self.sizes
        return self.num_edges / sum(sizes[source] * sizes[target] for source, target, _ in self.edges)

    @cached_property
    def in_degrees(self) -> tuple[IntArray, ...]:
        """Number of edges into each node, per layer."""
        return self._degrees(end=1)

    @cached_property
    def out_degrees(self) -> tuple[IntArray, ...]:
        """Number of edges out of each node, per layer."""
        return self._degrees(end=0)

    def _degrees(self, end: int) -> tuple[IntArray, ...]:
        degrees = [np.zeros(size, dtype=np.int64) for size in self.sizes]
        for block in self.edges:
            layer = block[end]
            degrees[layer] += np.bincount(block.pairs[end], minlength=len(degrees[layer]))
        for degree in degrees:
            degree.flags.writeable = False
        return tuple(degrees)

    @property
    def dead_ends(self) -> dict[str, tuple[str, ...]]:
        """Names, per layer, of nodes that no feature reaches or that reach no node of the highest layer."""
        found = {}
        for layer, live in enumerate(self.live_nodes()):
            names = tuple(self.nodes[layer][place] for place in np.flatnonzero(~live))
            if names:
                found[self.layers[layer]] = names
        return found

    def live_nodes(self) -> list[np.ndarray]:
        """Return, per layer, whether a node lies on a way from a feature to the highest layer."""
        ends = [np.zeros(size, dtype=bool) for size in self.sizes]
        fed, used = [end.copy() for end in ends], [end.copy() for end in ends]
        fed[0][:], used[-1][:] = True, True
        for source, target, index in sorted(self.edges, key=lambda block: block.source):
            fed[target][index[1, fed[source][index[0]]]] = True
        for source, target, index in sorted(self.edges, key=lambda block: -block.target):
            used[source][index[0, used[target][index[1]]]] = True
        return [a & b for a, b in zip(fed, used, strict=True)]

    def adjacency(self, block: int) -> sparse.csr_array:
        """Return one block of `edges` as a CSR matrix of ones: row the node that an edge leaves, column the other."""
        source, target, index = self.edges[block]
        values = np.ones(index.shape[1])
        return sparse.csr_array((values, (index[0], index[1])), shape=(self.sizes[source], self.sizes[target]))

    def memberships(self, layer: int | str) -> sparse.csr_array:
        """Return which features lie beneath each node of a layer, as a boolean CSR matrix (nodes, features)."""
        goal = self._layer(layer)
        sets = [sparse.csr_array((size, self.sizes[0]), dtype=bool) for size in self.sizes]
        sets[0] = sparse.csr_array(sparse.eye_array(self.sizes[0], dtype=bool, format="csr"))
        for place, (source, target, _) in sorted(enumerate(self.edges), key=lambda item: item[1].source):
            brought = as_boolean(self.adjacency(place).T @ sets[source])
            sets[target] = as_boolean(sets[target] + brought)
        return sets[goal]

    def parents(self, name: str, layer: int | str | None = None) -> tuple[str, ...]:
        """Return the names of the nodes that a node's edges lead to.

        Args:
            name: Name of the node.
            layer: Layer of the node. None: on all its layers; edges between copies of the node are left out.

        Raises:
            InputError: If there is no such node or layer.
        """
        return self._neighbours(name, layer, start=0)

    def children(self, name: str, layer: int | str | None = None) -> tuple[str, ...]:
        """Return the names of the nodes whose edges lead to a node; see `parents`."""
        return self._neighbours(name, layer, start=1)

    def _neighbours(self, name: str, layer: int | str | None, start: int) -> tuple[str, ...]:
        places = self.find(name)
        if layer is not None:
            chosen = self._layer(layer)
            if chosen not in places:
                on = ", ".join(self.layers[place] for place in places)
                raise InputError(f"{name} does not stand on layer {self.layers[chosen]}; it stands on {on}")
            places = {chosen: places[chosen]}
        found: dict[str, None] = {}
        for block in self.edges:
            layers = block[:2]
            if layers[start] in places:
                at = block.pairs[start] == places[layers[start]]
                names = self.nodes[layers[1 - start]]
                found.update((names[place], None) for place in block.pairs[1 - start, at])
        return tuple(other for other in found if layer is not None or other != name)

    def find(self, name: str) -> dict[int, int]:
        """Return the layers that a name stands on, each with its place there.

        Raises:
            InputError: If no layer has a node of that name; the nearest names are suggested.
        """
        if name not in self._places:
            raise InputError(f"no node is named {name!r}{nearest(name, self._places)}")
        return dict(self._places[name])

    @cached_property
    def _places(self) -> dict[str, dict[int, int]]:
        places: dict[str, dict[int, int]] = {}
        for layer, names in enumerate(self.nodes):
            for place, name in enumerate(names):
                places.setdefault(name, {})[layer] = place
        return places

    def _layer(self, layer: int | str) -> int:
        if isinstance(layer, str):
            if layer not in self.layers:
                raise InputError(f"no layer is named {layer!r}; the layers are {', '.join(self.layers)}")
            return self.layers.index(layer)
        return range(len(self.layers))[layer]

    def feature_positions(self, names: Iterable[str]) -> IntArray:
        """Return the place in `names` of every feature, to pick the columns of a table.

        Raises:
            InputError: If a feature of the hierarchy is not among the names.
        """
        place = {name: number for number, name in enumerate(names)}
        missing = [name for name in self.features if name not in place]
        if missing:
            raise InputError(
                f"{len(missing):,} of the {len(self.features):,} features of the hierarchy ({shown(missing)}) are not "
                "among the names given; build the hierarchy with features=these names"
            )
        return np.array([place[name] for name in self.features], dtype=np.int64)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of layers, names and edges: equal hierarchies have equal ones, whatever files they come from."""
        digest = hashlib.sha256(json.dumps([self.layers, self.nodes]).encode())
        for source, target, index in sorted(self.edges, key=lambda block: block[:2]):
            digest.update(f"{source} {target} ".encode())
            digest.update(index[:, np.lexsort(index)].tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LayeredGraph) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)


def titled(name: str, titles: Mapping[str, str]) -> str:
    """Return a name with its title behind it, where it has one."""
    return f"{name} ({titles[name]})" if titles.get(name, name) != name else name
