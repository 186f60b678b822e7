"""Weights by the names at both ends."""

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from torch import Tensor

from ...errors import InputError
from ...structures import Hierarchy, entity_of
from ...structures.graph import nearest
from .layer import PathwayLayer

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["edge_table", "edge_weight"]


class NamedNetwork(Protocol):
    """What the tables read of a `PathwayNetwork`."""

    hierarchy: Hierarchy
    layer_names: tuple[str, ...]
    column_names: tuple[str, ...]
    has_feature_layer: bool

    @property
    def pathway_layers(self) -> list[PathwayLayer]:
        """The layers in their order."""
        ...

    def node_names(self, layer: str) -> tuple[str, ...]:
        """Return the names of the nodes of a layer."""
        ...

    def num_units(self, layer: str) -> int:
        """Return the number of units per node of a layer."""
        ...


class _Inputs(NamedTuple):
    """Layer, name and number within its node of every input of a layer."""

    layers: np.ndarray
    names: np.ndarray
    units: np.ndarray


def edge_table(network: NamedNetwork) -> "pd.DataFrame":
    """Return one row per weight of the sparse layers; see `PathwayNetwork.edge_table`."""
    import pandas as pd

    rows: dict[str, list[Any]] = {}
    for name, layer in zip(network.layer_names, network.pathway_layers, strict=True):
        source, target = layer.linear.edges.cpu().numpy()
        inputs = _inputs(network, layer)
        columns = {
            "source_layer": inputs.layers[source],
            "source": inputs.names[source],
            "source_unit": inputs.units[source],
            "target_layer": np.full(len(source), name, dtype=object),
            "target": np.array(network.node_names(name), dtype=object)[target // layer.units],
            "target_unit": target % layer.units,
            "weight": layer.linear.weight.detach().double().cpu().numpy(),
        }
        for key, values in columns.items():
            rows.setdefault(key, []).append(values)
    table = pd.DataFrame({key: np.concatenate(parts) for key, parts in rows.items()})
    single = all(layer.units == 1 for layer in network.pathway_layers)
    return table.drop(columns=["source_unit", "target_unit"]) if single else table


def edge_weight(network: NamedNetwork, source: str, target: str, target_layer: str | None) -> Tensor:
    """Return the weights of one edge of the hierarchy; see `PathwayNetwork.weight`."""
    found: dict[str, Tensor] = {}
    for name, layer in zip(network.layer_names, network.pathway_layers, strict=True):
        if target_layer in (None, name) and target in network.node_names(name):
            weights = _weights_between(network, layer, source, network.node_names(name).index(target))
            if weights is not None:
                found[name] = weights
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise InputError(f"edges go from {source!r} to {target!r} on the layers {', '.join(found)}; name target_layer")
    _check_known(network, source, target, target_layer)
    place = "" if target_layer is None else f" on layer {target_layer}"
    raise InputError(f"no edge goes from {source!r} to {target!r}{place}")


def _weights_between(network: NamedNetwork, layer: PathwayLayer, source: str, node: int) -> Tensor | None:
    inputs, (low, high) = _inputs(network, layer), layer.linear.edges.cpu().numpy()
    into = high // layer.units == node
    for same in (inputs.names == source, np.array([entity_of(name) == source for name in inputs.names])):
        chosen = np.flatnonzero(into & same[low])
        if len(chosen):
            # by source unit, then by target unit
            chosen = chosen[np.lexsort((high[chosen], low[chosen]))]
            weight = layer.linear.weight.detach()
            return weight[chosen.tolist()].reshape(-1, layer.units).clone()
    return None


def _inputs(network: NamedNetwork, layer: PathwayLayer) -> _Inputs:
    layers, names, units = [], [], []
    for place, width in zip(layer.sources, layer.widths, strict=True):
        name = network.hierarchy.layers[place]
        if place == 0 and (layer.place == 0 or not network.has_feature_layer):
            names += network.column_names
            units += [0] * width
        else:
            number = network.num_units(name)
            names += [node for node in network.node_names(name) for _ in range(number)]
            units += [*range(number)] * (width // number)
        layers += [name] * width
    return _Inputs(np.array(layers, dtype=object), np.array(names, dtype=object), np.array(units))


def _check_known(network: NamedNetwork, source: str, target: str, target_layer: str | None) -> None:
    if target_layer is not None:
        network.node_names(target_layer)
    nodes = {node for names in network.hierarchy.nodes for node in names}
    for key, name in [("source", source), ("target", target)]:
        if name not in nodes and name not in network.column_names:
            raise InputError(f"{key} is {name!r}, which is no node of the network{nearest(name, nodes)}")
