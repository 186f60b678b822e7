"""The networks of replicas, each built as it would be built alone."""

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import nn

from ...errors import InputError
from ...structures import Hierarchy
from ..tasks.task import NetworkFactory, accepted_names, build_network

__all__ = ["build_networks"]


def build_networks(
    network: NetworkFactory,
    in_features: int | None,
    out_features: int | None,
    hierarchies: Sequence[Hierarchy] | None,
    seeds: Sequence[int],
    feature_names: list[str] | None,
    activations: Sequence[Any] | None,
) -> list[nn.Module]:
    """Build one network per replica, the global generators left as they were.

    Raises:
        InputError: If the numbers disagree, or the network knows no activation.
    """
    if in_features is None or out_features is None:
        raise InputError("in_features or out_features is missing; a network that is to be built needs both")
    given = {"hierarchies": hierarchies, "seeds": seeds, "activations": activations}
    counts = {name: len(values) for name, values in given.items() if values is not None}
    number = max(counts.values())
    for name, count in counts.items():
        if count not in (1, number):
            raise InputError(f"{name} lists {count} for {number} replicas; give one per replica, or one for all")
    if activations is not None and "activation" not in accepted_names(network):
        raise InputError("activations are given, but the network has no argument activation")
    networks = []
    with torch.random.fork_rng():
        for replica in range(number):
            seed, hierarchy, activation = (_of(values, replica) for values in (seeds, hierarchies, activations))
            factory = network if activation is None else partial(cast(Any, network), activation=activation)
            torch.manual_seed(seed)
            networks.append(build_network(factory, in_features, out_features, feature_names, hierarchy))
    return networks


def _of(values: Sequence[Any] | None, replica: int) -> Any:
    """Return what a replica has of what is given for each or for all."""
    return None if values is None else values[replica % len(values)]
