"""The config of a dense control: a `DenseNetwork` in the place of the network of a config."""

import copy
from collections.abc import Mapping
from typing import Any, Literal

from ...errors import InputError
from ...models import DenseNetwork, PathwayNetwork
from ...models.dense_controls import dense_control
from ...models.pathways.designs import DESIGNS

__all__ = ["with_dense_network"]


def with_dense_network(config: Mapping[str, Any], network: Any, kind: Literal["parameters", "nodes"]) -> dict[str, Any]:
    """Return a config whose network is the dense control of another; activation, optimizer and all else stay.

    Args:
        config: A config as `axonlight fit` takes it.
        network: The network that was built from it.
        kind: As many "parameters", or as many "nodes" per layer.

    Raises:
        InputError: If the network is no `PathwayNetwork`.

    Example:
        >>> from axonlight.structures import Hierarchy
        >>> network = PathwayNetwork(2, 1, Hierarchy.from_edges([("cell", "TP53"), ("cell", "BRCA1")]))
        >>> model = {"class_path": "ClassificationTask", "init_args": {"network": "PathwayNetwork"}}
        >>> changed = with_dense_network({"model": model}, network, "nodes")
        >>> changed["model"]["init_args"]["network"]["init_args"]["hidden"]
        [1]
    """
    if not isinstance(network, PathwayNetwork):
        raise InputError(
            f"dense is '{kind}', but the network is a {type(network).__name__}; it must be a PathwayNetwork"
        )
    changed = copy.deepcopy(dict(config))
    model = _as_mapping(changed["model"])
    options = _as_mapping(model["init_args"]["network"])["init_args"]
    arguments = dense_control(network, kind, **_activation(options, kind))
    # a task calls its network with these two
    arguments = {name: value for name, value in arguments.items() if name not in ("in_features", "out_features")}
    path = f"{DenseNetwork.__module__}.{DenseNetwork.__qualname__}"
    model["init_args"]["network"] = {"class_path": path, "init_args": arguments}
    return {**changed, "model": model}


def _as_mapping(spec: Any) -> dict[str, Any]:
    """Return a class of a config with its arguments, however it was written."""
    spec = {"class_path": spec} if isinstance(spec, str) else dict(spec)
    return {**spec, "init_args": dict(spec.get("init_args") or {})}


def _activation(options: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the activation that the pathway network was built with, and what its trainable values are one per."""
    design = DESIGNS[options.get("design") or "binn"]
    activation = options.get("activation") or design.activation
    if isinstance(activation, list) and kind == "parameters":
        activation = activation[-1]  # its hidden layers are no longer those of the list
    per = options.get("activation_parameters") or design.activation_parameters
    return {"activation": activation, "activation_parameters": "layer" if per == "layer" else "unit"}
