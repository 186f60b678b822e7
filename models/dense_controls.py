"""Dense networks of the size of a pathway network: what its sparsity is judged against."""

from typing import Any, Literal, get_args

import torch
from torch import nn

from ..activations import LayerActivations
from ..errors import InputError
from .dense import DenseNetwork
from .pathways import PathwayNetwork

__all__ = ["DenseControl", "dense_control"]

DenseControl = Literal["parameters", "nodes"]


def dense_control(
    network: PathwayNetwork,
    kind: DenseControl = "parameters",
    *,
    depth: int = 2,
    activation: LayerActivations = "relu",
    activation_parameters: Literal["layer", "unit"] = "layer",
) -> dict[str, Any]:
    """Return arguments of the `DenseNetwork` that a pathway network is compared with.

    Norm and the dropout of the pathway layers are taken over; the activation is the caller's, since a network does
    not keep the text that it was built from, and counts here because it may be trainable.

    Args:
        network: The pathway network.
        kind: "parameters": hidden layers of the one width at which the dense network has most nearly as many trainable
            parameters (the narrower of two that are equally near). "nodes": a hidden layer as wide as each layer of
            the pathway network, densely joined; what it has more are the weights that the hierarchy rules out.
        depth: Number of hidden layers; of "parameters" only.
        activation: One spec, or one per hidden layer.
        activation_parameters: Whether trainable values of the activation are one per "layer" or per "unit".

    Returns:
        in_features, out_features, hidden, norm, dropout, activation and activation_parameters.

    Raises:
        InputError: If `kind` is unknown, `depth` is not positive, or `network` is no pathway network.

    Source: the need to tell sparsity from capacity, M. Caranzano et al., arXiv 2505.04300.

    Example:
        >>> from axonlight.structures import Hierarchy
        >>> edges = [("cell", "repair"), ("cell", "death"), ("repair", "BRCA1"), ("death", "TP53")]
        >>> network = PathwayNetwork(2, 1, Hierarchy.from_edges(edges))
        >>> dense_control(network, "nodes", activation="tanh")["hidden"]
        [2, 1]
        >>> DenseNetwork(**dense_control(network, "nodes"))(torch.zeros(8, 2)).shape
        torch.Size([8, 1])
    """
    if not isinstance(network, PathwayNetwork):
        raise InputError(f"network is a {type(network).__name__}; a dense control is that of a PathwayNetwork")
    if kind not in get_args(DenseControl):
        raise InputError(f"dense is {kind!r}; it must be 'parameters' (as many weights) or 'nodes' (the same widths)")
    if depth < 1:
        raise InputError(f"depth is {depth}; it must be a positive integer")
    arguments: dict[str, Any] = {
        "in_features": len(network.column_names),
        "out_features": next(iter(network.heads.linear.values())).out_features,
        "norm": _norm(network.pathway_layers[-1].norm),
        "dropout": float(getattr(network.pathway_layers[-1].dropout, "p", 0.0)),
        "activation": activation,
        "activation_parameters": activation_parameters,
    }
    if kind == "nodes":
        hidden = [layer.linear.out_features for layer in network.pathway_layers]
    else:
        hidden = [_width(arguments, depth, _count(network))] * depth
    return {**arguments, "hidden": hidden}


def _norm(module: nn.Module) -> str:
    if isinstance(module, nn.BatchNorm1d):
        return "batch"
    return "layer" if isinstance(module, nn.LayerNorm) else "none"


def _width(arguments: dict[str, Any], depth: int, wanted: int) -> int:
    """Return the width with most nearly the parameters wanted, by bisection: the number grows with the width."""
    # Counting builds networks, which draw initial weights that nobody uses.
    with torch.random.fork_rng(devices=[]):

        def count(width: int) -> int:
            return _count(DenseNetwork(**arguments, hidden=[width] * depth))

        low, high = 1, 2
        while count(high) < wanted:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if count(middle) < wanted else (low, middle)
        return min((low, high), key=lambda width: abs(count(width) - wanted))


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
