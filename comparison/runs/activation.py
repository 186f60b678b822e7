"""The activation of a config, apart from all else."""

import json
from collections.abc import Mapping
from typing import Any

from .recipe import canonical_json

__all__ = ["activation_of", "with_activation", "without_activation"]


def activation_of(config: Mapping[str, Any]) -> Any:
    """Return the spec of a config's network, or None where the network chooses it.

    Example:
        >>> network = {"class_path": "DenseNetwork", "init_args": {"activation": "gelu", "hidden": [4]}}
        >>> config = {"model": {"class_path": "ClassificationTask", "init_args": {"network": network}}}
        >>> activation_of(config), without_activation(config)["model"]["init_args"]["network"]["init_args"]
        ('gelu', {'hidden': [4]})
    """
    return _network_options(config).get("activation")


def without_activation(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a config that leaves the choice of activation to the network."""
    copied = json.loads(canonical_json(config))
    _network_options(copied).pop("activation", None)
    return copied


def with_activation(config: Mapping[str, Any], spec: Any) -> dict[str, Any]:
    """Return a copy of a config whose network has this activation.

    Example:
        >>> network = {"class_path": "DenseNetwork", "init_args": {"hidden": [4]}}
        >>> config = {"model": {"class_path": "ClassificationTask", "init_args": {"network": network}}}
        >>> activation_of(with_activation(config, "gelu"))
        'gelu'
    """
    copied = json.loads(canonical_json(config))
    _network_options(copied)["activation"] = spec
    return copied


def _network_options(config: Mapping[str, Any]) -> dict[str, Any]:
    model = config.get("model")
    network = (model.get("init_args") or {}).get("network") if isinstance(model, Mapping) else None
    return (network.get("init_args") or {}) if isinstance(network, Mapping) else {}
