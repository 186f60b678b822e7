"""Any hierarchy as a network: every unit belongs to a named node, every weight to an edge.

Legend of shapes: B batch, F columns, N nodes, k units per node, H heads, O outputs.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ...activations import LayerActivations
from ...errors import InputError
from ...structures import Hierarchy
from ..head_outputs import HeadOutputs
from ..layers.choice import Backend
from ..sites import Site, around
from .columns import match_columns
from .designs import Design, DesignName, FeatureLayer, HeadKind, Norm, ParametersPer, Prediction
from .heads import CovariateHead, LayerHeads
from .layer import PathwayLayer
from .tables import edge_table, edge_weight
from .wiring import wire_layers

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PathwayNetwork"]


class PathwayNetwork(nn.Module):
    """A network in which a unit stands for a gene or a pathway and is fed only by what belongs to it.

    Per layer of the hierarchy, features first: sparse linear map, norm, activation, dropout. A node that edges from
    several layers reach (skip edges) reads all of them at once, so its initial weights suit its whole in-degree.

    Args:
        in_features: Number of columns F; on the command line it comes from the data.
        out_features: Number of outputs O; on the command line the task decides it.
        hierarchy: The hierarchy; on the command line it comes from the data.
        feature_names: Names of the columns; None says that they are the hierarchy's features, in its order. A column
            belongs to the feature of its name, else to that of its entity, the text before the first "=".
        design: Defaults of all that follows and is None: "binn", "pnet", "kpnn" or "visible"; see `DESIGNS`.
        activation: One spec for all layers, or one per layer.
        activation_parameters: Whether trainable values of an activation are one per "layer", "node" or "unit".
        norm: Normalisation before the activation: "batch", "layer" or "none".
        dropout: Share of units zeroed in training, in [0, 1); one number, or one per layer.
        units: Units per pathway, or, as a list, per node of each layer.
        feature_layer: Whether each feature has a unit that sees its own columns alone: "always", "never" (the columns
            of a feature feed its pathways directly), or "auto": where a feature has several columns.
        heads: "last": one linear head on the last layer. Otherwise one on every layer: "equal" and "exponential"
            (weights of the losses in proportion to e^k, k the number of the layer) return `HeadOutputs`, "learned" a
            mean of the heads' outputs weighted by the softmax of trainable values.
        prediction: With several heads, whether the prediction is the "mean" of theirs or that of the "last".
        covariates: Names of columns, or entities of columns ("stage" for "stage=II"), that join the input of every head
            instead of the hierarchy.
        covariate_hidden: Widths of dense layers between them and the heads; their activation is that of the last layer.
        backend: Kernel of the sparse layers, see `EdgeLinear`.

    Attributes:
        layers: The `PathwayLayer` of every layer, by its name (dots as underscores).
        hierarchy: The hierarchy without features that no column measures.
        column_names: Names of the columns.
        column_nodes: int64 (F,), the place of each column's feature in the lowest layer, or -1.
        unused_columns: Names of columns that are neither features of the hierarchy nor covariates.
        has_feature_layer: Whether the lowest layer of the hierarchy is a layer of the network.

    Shape:
        - Input: (B, F)
        - Output: (B, O), or `HeadOutputs` with (H, B, O)

    Raises:
        InputError: If there is no hierarchy, no column belongs to it, a layer would have no edges or no influence, or
            an option is unusable.

    Source: the designs follow H. Elmarakeby et al., Nature 2021, doi:10.1038/s41586-021-03922-4 (pnet); E. Hartman et
    al., Nature Communications 2023, doi:10.1038/s41467-023-41146-4 (binn); N. Fortelny and C. Bock, Genome Biology
    2020, doi:10.1186/s13059-020-02100-5 (kpnn); B. Kuenzi et al., Cancer Cell 2020, doi:10.1016/j.ccell.2020.09.014
    (visible). docs/models/pathway_network.md says what each takes over and what not.

    Example:
        >>> from axonlight.structures import Hierarchy
        >>> edges = [("cell", "repair"), ("cell", "death"), ("repair", "BRCA1"), ("death", "TP53")]
        >>> network = PathwayNetwork(2, 1, Hierarchy.from_edges(edges), activation="ash", activation_parameters="node")
        >>> network(torch.zeros(8, 2)).shape, network.layer_names
        (torch.Size([8, 1]), ('level_2', 'level_1'))
        >>> network.weight("repair", "cell").shape, network.layers["level_2"].activation.group_names
        (torch.Size([1, 1]), ('death', 'repair'))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hierarchy: Hierarchy | None = None,
        feature_names: list[str] | None = None,
        design: DesignName = "binn",
        activation: LayerActivations | None = None,
        activation_parameters: ParametersPer | None = None,
        norm: Norm | None = None,
        dropout: float | list[float] | None = None,
        units: int | list[int] | None = None,
        feature_layer: FeatureLayer | None = None,
        heads: HeadKind | None = None,
        prediction: Prediction | None = None,
        covariates: list[str] = [],  # noqa: B006  (a literal default that --print_config can show; never mutated)
        covariate_hidden: list[int] = [],  # noqa: B006
        backend: Backend = "auto",
    ) -> None:
        options = Design.named(design).with_options(locals())
        super().__init__()
        if not isinstance(hierarchy, Hierarchy):
            kind = "missing" if hierarchy is None else f"a {type(hierarchy).__name__}"
            raise InputError(
                f"hierarchy is {kind}; a PathwayNetwork needs a hierarchy, on the command line through data.hierarchy"
            )
        if out_features < 1:
            raise InputError(f"out_features is {out_features}; it must be a positive integer")
        if covariate_hidden and not covariates:
            raise InputError(f"covariate_hidden is {covariate_hidden}, but covariates names no column")
        columns = match_columns(hierarchy, feature_names, in_features, covariates)
        self.hierarchy, self.column_names, self.unused_columns = columns.hierarchy, columns.names, columns.unused
        self.has_feature_layer = options.has_feature_layer(columns.most_per_feature)
        self.layer_names = self.hierarchy.layers[not self.has_feature_layer :]
        # No buffer: data-parallel training would send it at every step.
        self.column_nodes = torch.from_numpy(columns.nodes)
        self._build_layers(options, backend)
        self.covariates = self._covariate_head(columns.covariates, covariate_hidden, options)
        widths = dict(zip(self.layers, (layer.linear.out_features for layer in self.pathway_layers), strict=True))
        extra = 0 if self.covariates is None else self.covariates.width
        self.heads = LayerHeads(widths, extra, out_features, options.heads, options.prediction)
        if options.heads == "last":
            self._check_influence()

    def _build_layers(self, options: Design, backend: Backend) -> None:
        names, skipped = self.layer_names, len(self.hierarchy.layers) - len(self.layer_names)
        units = options.units_for(names, self.has_feature_layer)
        wirings = wire_layers(self.hierarchy, units, self.column_nodes.numpy(), self.has_feature_layer)
        settings = zip(options.activations_for(names), options.dropouts_for(names), strict=True)
        layers = [
            PathwayLayer(
                wiring,
                nodes,
                activation,
                activation_parameters=options.activation_parameters,
                norm=options.norm,
                dropout=dropout,
                backend=backend,
            )
            for wiring, nodes, (activation, dropout) in zip(
                wirings, self.hierarchy.nodes[skipped:], settings, strict=True
            )
        ]
        self.layers = nn.ModuleDict(dict(zip(_keys(names), layers, strict=True)))

    def _covariate_head(self, columns: Sequence[int], hidden: Sequence[int], options: Design) -> CovariateHead | None:
        if not columns:
            return None
        names = self.layer_names
        activation, dropout = options.activations_for(names)[-1], options.dropouts_for(names)[-1]
        return CovariateHead(columns, hidden, activation, options.norm, dropout)

    @property
    def pathway_layers(self) -> list[PathwayLayer]:
        """The layers in their order."""
        return list(self.layers.values())  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor | HeadOutputs:
        """Map columns (B, F) to outputs (B, O), or to those of every head."""
        states = self._states(x)
        return self.heads(states, None if self.covariates is None else self.covariates(x))

    def node_activations(self, x: Tensor) -> dict[str, Tensor]:
        """Return the output (B, N, k) of every layer, by its name."""
        states = self._states(x)[-len(self.layers) :]
        return {
            name: y.unflatten(1, (-1, self.num_units(name))) for name, y in zip(self.layer_names, states, strict=True)
        }

    def sites(self) -> Iterator[Site]:
        """Yield what goes into ("level_2.pre") and comes out of ("level_2.post") the activation of every layer.

        Units bear the names of their nodes, so that a pathway can be addressed by name.
        """
        for name, key in zip(self.layer_names, self.layers, strict=True):
            units = [node for node in self.node_names(name) for _ in range(self.num_units(name))]
            yield from around(name, f"layers.{key}.activation", units)

    def node_names(self, layer: str) -> tuple[str, ...]:
        """Return the names of the nodes of a layer, in the order of its units.

        Raises:
            InputError: If there is no such layer.
        """
        self._layer(layer)
        return self.hierarchy.nodes[self.hierarchy.layers.index(layer)]

    def num_units(self, layer: str) -> int:
        """Return the number k of units per node of a layer.

        Raises:
            InputError: If there is no such layer.
        """
        return self._layer(layer).units

    def edge_table(self) -> "pd.DataFrame":
        """Return one row per weight: source_layer, source, target_layer, target, weight.

        Where a node has several units, source_unit and target_unit tell them apart. What feeds the first layer of the
        network are columns, under their own names.
        """
        return edge_table(self)

    def weight(self, source: str, target: str, target_layer: str | None = None) -> Tensor:
        """Return the weights (units of the source, units of the target) of the edge between two nodes.

        Args:
            source: A node, a column, or the entity of columns (its columns are then the units).
            target: A node of the network.
            target_layer: Layer of the target, where the same edge stands on several.

        Raises:
            InputError: If a name is unknown, or there is no such edge or more than one.
        """
        return edge_weight(self, source, target, target_layer)

    def _states(self, x: Tensor) -> list[Tensor]:
        """Return what the layers of the hierarchy put out, from the lowest: columns where features have no layer."""
        states = [x]
        for layer in self.pathway_layers:
            # a feature layer, place 0, reads the columns and takes their place
            states[layer.place :] = [layer(*[states[source] for source in layer.sources])]
        return states

    def _layer(self, name: str) -> PathwayLayer:
        if name not in self.layer_names:
            raise InputError(f"layer is {name!r}; the layers of the network are {', '.join(self.layer_names)}")
        return self.pathway_layers[self.layer_names.index(name)]

    def _check_influence(self) -> None:
        """Refuse layers that no way leads out of: their weights could never learn."""
        used = {len(self.hierarchy.layers) - 1}
        for layer in reversed(self.pathway_layers):
            if layer.place in used:
                used.update(layer.sources)
        idle = [name for name in self.layer_names if self.hierarchy.layers.index(name) not in used]
        if idle:
            raise InputError(
                f"heads is 'last', but no way leads from layer {idle[0]} to {self.layer_names[-1]}; take heads "
                "'equal', 'exponential' or 'learned', or another hierarchy"
            )


def _keys(names: Sequence[str]) -> list[str]:
    """Return names of modules: those of the layers, unless torch refuses them."""
    keys: list[str] = []
    for name in names:
        key = name.replace(".", "_") or "_"
        while hasattr(nn.ModuleDict, key) or key in keys:
            key += "_"
        keys.append(key)
    return keys
