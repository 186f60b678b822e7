"""The named layers of a network at which scores are taken.

Legend of shapes: B batch, F columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from torch import Tensor, nn

from ..activations import is_activation
from ..errors import InputError
from ..models import PathwayNetwork
from .explained import Explained

__all__ = ["FEATURES", "NamedLayer", "find_layers"]

FEATURES = "features"


@dataclass(frozen=True)
class NamedLayer:
    """A layer: its name, the module whose output it is, and the names of its nodes (None: numbered).

    Example:
        >>> NamedLayer("level_1", nn.Identity(), ("repair", "death")).name
        'level_1'
    """

    name: str
    module: nn.Module
    nodes: tuple[str, ...] | None = None

    def per_node(self, scores: Tensor) -> Tensor:
        """Sum (B, nodes * units) over the units of each node; other shapes are laid out flat."""
        flat = scores.reshape(len(scores), -1)
        return flat if self.nodes is None else flat.reshape(len(scores), len(self.nodes), -1).sum(-1)


def find_layers(explained: Explained, wanted: Sequence[str] | None = None) -> list[NamedLayer]:
    """Return the layers by name, the columns first.

    Args:
        explained: A `PathwayNetwork` has its hierarchy's layers, any other network its modules, by path.
        wanted: Names; None takes the columns and every layer of the hierarchy, or every activation module. The columns
            are named as the hierarchy's lowest layer, "features" where there is none.

    Raises:
        InputError: If no layer has such a name; the nearest names are suggested.

    Example:
        >>> network = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
        >>> [layer.name for layer in find_layers(Explained(network))]
        ['features', '1']
    """
    network = explained.network
    if isinstance(network, PathwayNetwork):
        first = network.hierarchy.layers[0]
        # A feature layer repeats the columns summed per entity: all that an entity measures passes through its node.
        modules = zip(network.layer_names, network.pathway_layers, strict=True)
        known = {name: NamedLayer(name, module, network.node_names(name)) for name, module in modules if name != first}
        usual = [first, *known]
    else:
        first = FEATURES
        known = {path: NamedLayer(path, module) for path, module in network.named_modules() if path}
        usual = [first, *_activations(network)]
    layers = {first: NamedLayer(first, explained.inputs), **known}
    chosen = usual if wanted is None else list(wanted)
    for name in chosen:
        if name not in layers:
            near = get_close_matches(name, layers, n=3, cutoff=0.4) or list(layers)[:8]
            raise InputError(f"layers names {name!r}, which the network does not have; nearest are {', '.join(near)}")
    return [layers[name] for name in dict.fromkeys(chosen)]


def _activations(network: nn.Module) -> list[str]:
    found: list[str] = []
    for path, module in network.named_modules():
        if path and is_activation(module) and not any(path.startswith(f"{outer}.") for outer in found):
            found.append(path)
    return found


def summed_per_entity(scores: Tensor, column_nodes: Tensor, num_nodes: int) -> Tensor:
    """Sum the scores of columns (B, F) over the columns of each node; columns of node -1 are left out.

    Example:
        >>> import torch
        >>> summed_per_entity(torch.tensor([[1.0, 2.0, 4.0, 8.0]]), torch.tensor([0, 0, 1, -1]), 2)
        tensor([[3., 4.]])
    """
    used = column_nodes >= 0
    total = scores.new_zeros(len(scores), num_nodes)
    return total.index_add_(1, column_nodes[used], scores[:, used])
