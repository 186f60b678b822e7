"""Units of a site put out of action: a pathway, a prototype.

Shapes: B rows of a batch; what stands at a site has the axes that the site says.
"""

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ...errors import InputError
from ...models import PathwayNetwork
from ...models.sites import Site, find_sites, sites_of

__all__ = ["KnockOut", "Silenced", "SiteMeans", "find_silenced", "silence", "usual_knock_outs", "watch_sites"]

Value = Literal["mean", "zero"]


@dataclass(frozen=True)
class KnockOut:
    """Units of sites to be put out of action, one after another.

    Args:
        sites: Names of sites, or patterns; see `models.sites.find_sites`.
        units: Names of units, or their places; None: all, one after another.
        value: What stands in their place: the "mean" over the reference rows, or "zero".

    Example:
        >>> KnockOut("level_1.post", ["Hemostasis"]).value
        'mean'
    """

    sites: str
    units: Sequence[str | int] | None = None
    value: Value = "mean"

    def __post_init__(self) -> None:
        if self.value not in get_args(Value):
            raise InputError(f"value is {self.value!r}; it must be 'mean' or 'zero'")


@dataclass(frozen=True)
class Silenced:
    """One unit at one site: its name, the axis and the places on it, and what is put there."""

    site: Site
    name: str
    axis: str
    places: tuple[int, ...]
    value: Value


class SiteMeans:
    """Means over rows of what stands at sites."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._rows: dict[str, int] = {}

    def update(self, site: Site, x: Tensor) -> None:
        """Take in what stands at a site for some rows."""
        self._sums[site.name] = self._sums.get(site.name, 0) + x.detach().double().sum(0)
        self._rows[site.name] = self._rows.get(site.name, 0) + len(x)

    def of(self, site: Site) -> Tensor:
        """Return the mean of one row."""
        if site.name not in self._rows:
            raise InputError(f"site {site.name} was not reached by the reference rows, so it has no mean; take 'zero'")
        return self._sums[site.name] / self._rows[site.name]


def usual_knock_outs(network: nn.Module) -> list[KnockOut]:
    """Return what can be knocked out of a network as it is built: each pathway, each prototype.

    A network whose sites `pathways.kept` and `prototypes.kept` say how much of every token there is (`ProtoPathway`)
    loses the token; in a `PathwayNetwork` the nodes of the lowest pathway layer keep their mean; other networks have
    none.

    Example:
        >>> usual_knock_outs(nn.Linear(2, 1))
        []
    """
    kept = [KnockOut(name, value="zero") for name in sites_of(network) if name.endswith(".kept")]
    for path, module in network.named_modules():
        if isinstance(module, PathwayNetwork):
            layer = module.layer_names[1 if module.has_feature_layer else 0]
            kept.append(KnockOut(f"{path}.{layer}.post" if path else f"{layer}.post"))
    return kept


def find_silenced(network: nn.Module, knock_outs: Sequence[KnockOut]) -> list[Silenced]:
    """Return the units that knock-outs name.

    Raises:
        InputError: If a site or a unit is not there.
    """
    found: list[Silenced] = []
    for knock_out in knock_outs:
        for site in find_sites(network, knock_out.sites):
            units = list(dict.fromkeys(_units(site))) if knock_out.units is None else knock_out.units
            found += [_silenced(site, unit, knock_out.value) for unit in units]
    return found


def _axis(site: Site) -> str:
    return "position" if not site.units and "position" in (site.axes or ()) else "unit"


def _units(site: Site) -> Sequence[str | int]:
    if site.units:
        return site.units
    size = site.size(_axis(site))
    if size is None:
        raise InputError(f"site {site.name} does not say how many units it has; name them by place in units")
    return range(size)


def _silenced(site: Site, unit: str | int, value: Value) -> Silenced:
    axis = _axis(site)
    if isinstance(unit, str):
        places = tuple(place for place, name in enumerate(site.units) if name == unit)
        if not places:
            near = difflib.get_close_matches(unit, site.units, n=3, cutoff=0.3)
            hint = f"; the nearest are {', '.join(near)}" if near else "; its units have no names" * (not site.units)
            raise InputError(f"site {site.name} has no unit {unit!r}{hint}")
        return Silenced(site, unit, axis, places, value)
    size = site.size(axis)
    if unit < 0 or (size is not None and unit >= size):
        raise InputError(f"site {site.name} has no {axis} {unit}; it has {size}, counted from 0")
    return Silenced(site, site.units[unit] if site.units else f"{axis} {unit}", axis, (unit,), value)


@contextmanager
def silence(network: nn.Module, unit: Silenced, means: SiteMeans) -> Iterator[None]:
    """Run a block while a unit is out of action."""
    mean = means.of(unit.site) if unit.value == "mean" else None

    def write(x: Tensor) -> Tensor:
        axis = unit.site.axes_of(x).index(unit.axis)
        places = torch.tensor(unit.places, device=x.device)
        if mean is None:
            return x.index_fill(axis, places, 0)
        value = mean.to(x).expand_as(x).index_select(axis, places)
        return x.index_copy(axis, places, value)

    with _hooked(network, unit.site, write):
        yield


@contextmanager
def watch_sites(network: nn.Module, sites: Sequence[Site], means: SiteMeans) -> Iterator[None]:
    """Take in what stands at sites while a block runs."""
    if not sites:
        yield
        return
    site = sites[0]

    def read(x: Tensor) -> Tensor:
        means.update(site, x)
        return x

    with _hooked(network, site, read), watch_sites(network, sites[1:], means):
        yield


@contextmanager
def _hooked(network: nn.Module, site: Site, change: Any) -> Iterator[None]:
    module = network.get_submodule(site.path)

    def of_input(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return (change(_tensor(site, inputs[0])), *inputs[1:])

    def of_output(_: nn.Module, __: Any, output: Any) -> Any:
        return change(_tensor(site, output))

    hook = of_input if site.side == "input" else of_output
    register = module.register_forward_pre_hook if site.side == "input" else module.register_forward_hook
    handle = register(hook)  # pyright: ignore[reportArgumentType]
    try:
        yield
    finally:
        handle.remove()


def _tensor(site: Site, x: Any) -> Tensor:
    if not isinstance(x, Tensor):
        raise InputError(f"site {site.name} holds {type(x).__name__}, not one tensor, and cannot be knocked out")
    return x
