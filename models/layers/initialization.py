"""Initial weights of sparse layers, from the degrees that the edges really have."""

from typing import Literal

import torch
from torch import Tensor

from ...errors import InputError
from .structure import EdgeStructure

__all__ = ["Initialization", "initialize_edges_"]

Initialization = Literal["degree", "glorot", "dense"]


def initialize_edges_(weight: Tensor, structure: EdgeStructure, scheme: Initialization = "degree") -> Tensor:
    """Fill weights (..., E) in place, uniformly in +- a bound of each edge's own.

    "degree": sqrt(3 / in-degree of the output), so that inputs of unit variance give pre-activations of unit
    variance on average, whatever their correlation. "glorot": sqrt(6 / (in-degree of the output + out-degree of the
    input)), X. Glorot and Y. Bengio, AISTATS 2010, eq. 16, with degrees in place of widths. "dense":
    sqrt(1 / in_features), what `torch.nn.Linear` takes and masked layers inherit; with a density of 0.1 to 1 % it
    shrinks pre-activations by a factor of 10 to 30 per layer.

    Raises:
        InputError: If the scheme is unknown.

    Example:
        >>> import torch
        >>> from axonlight.models.layers import EdgeStructure, initialize_edges_
        >>> structure = EdgeStructure.from_edges(torch.tensor([[0, 1, 2, 0], [0, 0, 0, 1]]), 3, 2)
        >>> weight = initialize_edges_(torch.empty(1000, 4), structure)
        >>> [round(bound, 1) for bound in weight.abs().amax(0).tolist()]
        [1.0, 1.0, 1.0, 1.7]
    """
    if scheme == "degree":
        bound = (3 / structure.in_degree[structure.target.long()]).sqrt()
    elif scheme == "glorot":
        degrees = structure.in_degree[structure.target.long()] + structure.out_degree[structure.source.long()]
        bound = (6 / degrees).sqrt()
    elif scheme == "dense":
        bound = torch.tensor(structure.in_features**-0.5)
    else:
        raise InputError(f"init is {scheme!r}; it must be 'degree', 'glorot' or 'dense'")
    with torch.no_grad():
        return weight.uniform_(-1.0, 1.0).mul_(bound.to(weight))
