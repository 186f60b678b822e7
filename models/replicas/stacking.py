"""From many networks to one module whose leaves hold the values of all.

Legend of shapes: R replicas.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from ...activations import ASH, Formula, is_activation
from ...activations.base import is_plain_elementwise
from ...errors import InputError
from ..dense import DenseNetwork
from ..layers import EdgeLinear
from ..layers.dropout import UnitDropout
from ..pathways import PathwayLayer, PathwayNetwork
from ..pathways.heads import CovariateHead, LayerHeads
from ..pathways.layer import UnitBatchNorm
from .activations import StackedActivation
from .ash import StackedAsh, is_stackable_ash
from .checks import are_alike, check_alike, named
from .fused import FusedPathwayLayer, FusedSequential
from .leaves import StackedBatchNorm, StackedDropout, StackedEdgeLinear, StackedLayerNorm, StackedLeaf, StackedLinear
from .masks import StepMasks
from .mixed import MixedActivation

__all__ = ["assign_values", "stack_networks", "values_of"]

# Modules whose forward treats a leading dimension as it is, and what must agree between replicas besides their parts.
_CONTAINERS: dict[type, tuple[str, ...]] = {
    CovariateHead: ("width",),
    DenseNetwork: (),
    LayerHeads: ("kind",),
    PathwayLayer: ("place", "units", "sources", "widths"),
    PathwayNetwork: ("layer_names", "has_feature_layer"),
    nn.ModuleDict: (),
    nn.ModuleList: (),
    nn.Sequential: (),
}
_SETTINGS: dict[type, tuple[str, ...]] = {
    EdgeLinear: ("in_features", "out_features", "channels", "backend"),
    UnitBatchNorm: ("num_features", "eps", "momentum", "affine", "track_running_stats"),
    UnitDropout: ("p",),
    nn.BatchNorm1d: ("num_features", "eps", "momentum", "affine", "track_running_stats"),
    nn.Identity: (),
    nn.LayerNorm: ("normalized_shape", "eps", "elementwise_affine"),
    nn.Linear: ("in_features", "out_features"),
}
_FUSED: dict[type, type] = {PathwayLayer: FusedPathwayLayer, nn.Sequential: FusedSequential}
_LEAVES: dict[type, Callable[[Any], nn.Module]] = {
    EdgeLinear: StackedEdgeLinear,
    UnitBatchNorm: StackedBatchNorm,
    nn.BatchNorm1d: StackedBatchNorm,
    nn.Identity: lambda modules: nn.Identity(),
    nn.LayerNorm: StackedLayerNorm,
    nn.Linear: StackedLinear,
}


class _Stacker:
    """Stacks the networks of replicas from `first` on, whose dropouts draw from `masks`."""

    def __init__(self, masks: StepMasks, first: int, is_fused: bool, whole: nn.Module | None) -> None:
        self.masks, self.first, self.is_fused = masks, first, is_fused
        parts = {} if whole is None else dict(whole.named_modules())
        # A block's values are views of those of the whole, so it is mixed where the whole is, even if it need not be.
        self.mixed = {path for path, module in parts.items() if isinstance(module, MixedActivation)}

    def stack(self, modules: Sequence[nn.Module], path: str = "") -> nn.Module:
        """Return one module for those that stand at the same place of every network."""
        head = modules[0]
        kind = type(head)
        if path in self.mixed or _are_mixed(modules):
            return MixedActivation(modules)
        check_alike(modules, path, (_CONTAINERS | _SETTINGS).get(kind))
        if kind in _CONTAINERS:
            return self._container(modules, path)
        if kind in _LEAVES:
            return _LEAVES[kind](modules)
        if kind is UnitDropout:
            return StackedDropout(cast(Sequence[nn.Dropout], modules), self.masks, self.first)
        if _is_stackable_activation(head):
            return _stack_activations(modules)
        raise InputError(
            f"{named(path, head)} cannot be stacked; replicas consist of PathwayNetwork, DenseNetwork and what these "
            "are made of, others train one by one"
        )

    def _container(self, modules: Sequence[nn.Module], path: str) -> nn.Module:
        head = modules[0]
        kind = _FUSED.get(type(head), type(head)) if self.is_fused else type(head)
        stacked = cast(nn.Module, object.__new__(kind))
        children = {
            name: self.stack([module.get_submodule(name) for module in modules], f"{path}.{name}".strip("."))
            for name, _ in head.named_children()
        }
        own = {
            name: nn.Parameter(torch.stack([module.get_parameter(name).detach() for module in modules]))
            for name, _ in head.named_parameters(recurse=False)
        }
        # What is no value is that of the first network: check_alike has seen that the others have the same.
        values = {"_modules": children, "_parameters": own, "_buffers": dict(head._buffers)}
        stacked.__dict__ = {**head.__dict__, **values}
        return stacked


def _is_stackable_activation(module: nn.Module) -> bool:
    return is_activation(module) and not isinstance(module, nn.RReLU)


def _are_mixed(modules: Sequence[nn.Module]) -> bool:
    """Whether these are activations that differ in more than values."""
    return all(map(_is_stackable_activation, modules)) and not are_alike(modules)


def _stack_activations(modules: Sequence[nn.Module]) -> nn.Module:
    head = modules[0]
    if is_plain_elementwise(head):
        return head
    if isinstance(head, Formula) and not head.program.constants:  # it is normalised
        return MixedActivation(modules)
    if is_stackable_ash(modules[0]):
        return StackedAsh(cast(Sequence[ASH], modules))
    return StackedActivation(modules)


def stack_networks(
    networks: Sequence[nn.Module],
    masks: StepMasks,
    first: int = 0,
    is_fused: bool = False,
    whole: nn.Module | None = None,
) -> nn.Module:
    """Return one network of many: the same modules, whose leaves hold the values of all.

    Args:
        networks: The networks, equal but for edges, values and activations.
        masks: Where their dropouts draw from.
        first: Place of the first of them among all replicas.
        is_fused: Whether layers train in few passes, but once differentiable.
        whole: The network of all replicas, where these are a block of them.

    Raises:
        InputError: If a module cannot be stacked, or differs between networks in more than these.
    """
    with torch.no_grad():
        return _Stacker(masks, first, is_fused, whole).stack(networks)


def values_of(stacked: nn.Module, replica: int) -> dict[str, Tensor]:
    """Return copies of the values of one replica, by their names in its own network."""
    found: dict[str, Tensor] = {}
    for path, module in stacked.named_modules():
        if isinstance(module, StackedLeaf):
            own = module.values(replica)
        else:
            own = {name: value.detach()[replica].clone() for name, value in module.named_parameters(recurse=False)}
        found.update({f"{path}.{name}".strip("."): value for name, value in own.items()})
    return found


def assign_values(stacked: nn.Module, replica: int, state: Mapping[str, Tensor]) -> None:
    """Set the values of one replica, given by their names in its own network."""
    for path, module in stacked.named_modules():
        if isinstance(module, StackedLeaf):
            for name in module.values(replica):
                module.assign(replica, name, state[f"{path}.{name}".strip(".")])
        else:
            for name, value in module.named_parameters(recurse=False):
                value.detach()[replica].copy_(state[f"{path}.{name}".strip(".")])
