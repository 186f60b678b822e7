"""The published designs as tables of defaults, and the check of options."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from ...activations import LayerActivations
from ...errors import InputError

__all__ = ["DESIGNS", "Design", "DesignName", "FeatureLayer", "HeadKind", "Norm", "ParametersPer", "Prediction"]

DesignName = Literal["binn", "pnet", "kpnn", "visible"]
FeatureLayer = Literal["auto", "always", "never"]
HeadKind = Literal["last", "equal", "exponential", "learned"]
Norm = Literal["batch", "layer", "none"]
ParametersPer = Literal["layer", "node", "unit"]
Prediction = Literal["mean", "last"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "activation_parameters": get_args(ParametersPer),
    "norm": get_args(Norm),
    "feature_layer": get_args(FeatureLayer),
    "heads": get_args(HeadKind),
    "prediction": get_args(Prediction),
}


@dataclass(frozen=True)
class Design:
    """What a pathway network does where its arguments do not say; see `PathwayNetwork` for the meaning of each.

    Args:
        activation: One spec, or one per layer.
        activation_parameters: "layer", "node" or "unit".
        norm: "batch", "layer" or "none".
        dropout: One rate; one per layer; or, as a tuple, that of the first layer and that of all others.
        units: Units per pathway.
        feature_layer: "auto", "always" or "never".
        heads: "last", "equal", "exponential" or "learned".
        prediction: "mean" or "last".

    Example:
        >>> DESIGNS["pnet"].with_options({"norm": "batch"}).norm
        'batch'
    """

    activation: LayerActivations = "tanh"
    activation_parameters: ParametersPer = "layer"
    norm: Norm = "none"
    dropout: float | list[float] | tuple[float, float] = 0.0
    units: int | list[int] = 1
    feature_layer: FeatureLayer = "auto"
    heads: HeadKind = "last"
    prediction: Prediction = "mean"

    @classmethod
    def named(cls, name: str) -> "Design":
        """Return a design by its name.

        Raises:
            InputError: If there is none of that name.
        """
        if name not in DESIGNS:
            raise InputError(f"design is {name!r}; {_allowed(name, tuple(DESIGNS))}")
        return DESIGNS[name]

    def with_options(self, given: Mapping[str, Any]) -> "Design":
        """Return the design with those options replaced that are not None.

        Raises:
            InputError: If a value is not allowed, or `prediction` is given where there is one head.
        """
        known = {field.name for field in fields(self)}
        chosen = {name: value for name, value in given.items() if value is not None and name in known}
        for name, allowed in _CHOICES.items():
            if name in chosen and chosen[name] not in allowed:
                raise InputError(f"{name} is {chosen[name]!r}; {_allowed(chosen[name], allowed)}")
        design = replace(self, **chosen)
        if "prediction" in chosen and design.heads in ("last", "learned"):
            raise InputError(
                f"prediction is {chosen['prediction']!r}, but heads='{design.heads}' gives one output; prediction "
                "goes with heads 'equal' or 'exponential'"
            )
        return design

    def has_feature_layer(self, most_columns: int) -> bool:
        """Tell whether features have a layer, given the largest number of columns of a feature."""
        return self.feature_layer == "always" or (self.feature_layer == "auto" and most_columns > 1)

    def activations_for(self, layers: Sequence[str]) -> list[Any]:
        """Return one activation spec per layer."""
        if isinstance(self.activation, list):
            return _one_per_layer("activation", self.activation, layers)
        return [self.activation] * len(layers)

    def dropouts_for(self, layers: Sequence[str]) -> list[float]:
        """Return one dropout rate per layer."""
        if isinstance(self.dropout, tuple):
            rates: list[float] = [self.dropout[0], *[self.dropout[1]] * (len(layers) - 1)]
        elif isinstance(self.dropout, list):
            rates = _one_per_layer("dropout", self.dropout, layers)
        else:
            rates = [self.dropout] * len(layers)
        if not all(0 <= rate < 1 for rate in rates):
            raise InputError(f"dropout is {self.dropout}; it must lie in [0, 1)")
        return rates

    def units_for(self, layers: Sequence[str], has_feature_layer: bool) -> list[int]:
        """Return the units of a node per layer; one number is that of pathways, and a feature has one unit."""
        if isinstance(self.units, list):
            units = _one_per_layer("units", self.units, layers)
        else:
            units = [self.units] * len(layers)
            units[:has_feature_layer] = [1] * has_feature_layer
        if any(number < 1 for number in units):
            raise InputError(f"units is {self.units}; every number of units must be a positive integer")
        return units


DESIGNS: dict[str, Design] = {
    "binn": Design(norm="batch", dropout=0.2),
    "pnet": Design(dropout=(0.5, 0.1), feature_layer="always", heads="exponential"),
    "kpnn": Design(activation="sigmoid"),
    "visible": Design(norm="batch", units=6),
}


def _one_per_layer(name: str, values: Sequence[Any], layers: Sequence[str]) -> list[Any]:
    if len(values) != len(layers):
        raise InputError(
            f"{name} lists {len(values)} values for the {len(layers)} layers {', '.join(layers)}; give one per layer"
        )
    return list(values)


def _allowed(value: Any, allowed: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(value), allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"it must be one of {', '.join(map(repr, allowed))}{hint}"
