"""Sites: the named places of a network where an activation can be read or written.

Any module is a site under its path (its output, or its input as ``path:input``). A network of this package names the
places that people speak of, and puts an `Electrode` where a value has no module of its own.
"""

import difflib
import fnmatch
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from torch import Tensor, nn

from ..errors import InputError, shown

__all__ = ["Electrode", "Side", "Site", "around", "find_sites", "sites_of"]

Side = Literal["input", "output"]

# What the dimensions of a tensor mean where the network does not say so, by their number.
DEFAULT_AXES = {
    1: ("batch",),
    2: ("batch", "unit"),
    3: ("batch", "position", "unit"),
    4: ("batch", "unit", "height", "width"),
    5: ("batch", "unit", "depth", "height", "width"),
}


@dataclass(frozen=True)
class Site:
    """A place in a network where an activation can be read or written.

    Args:
        name: Name that people use: "level_2.post", "blocks.1.attention.pattern", "layers.3:input".
        path: Path of the module within the network.
        side: Whether the activation is what the module puts out or its first input.
        axes: Meaning of the dimensions: "batch", "position", "head", "query", "key", "unit", ...; None where only the
            first pass can tell (`DEFAULT_AXES`, by the number of dimensions).
        units: Names along the axis "unit": genes, pathways.
        sizes: Sizes of axes that are known before the first pass.

    Example:
        >>> Site("first.pre", "layers.1", "input", ("batch", "unit"), sizes={"unit": 64}).size("unit")
        64
    """

    name: str
    path: str
    side: Side = "output"
    axes: tuple[str, ...] | None = None
    units: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict, hash=False)

    def size(self, axis: str) -> int | None:
        """Return the size of an axis where it is known before the first pass."""
        return len(self.units) if axis == "unit" and self.units else self.sizes.get(axis)

    def axes_of(self, x: Tensor) -> tuple[str, ...]:
        """Return the meaning of the dimensions of an activation at this site.

        Raises:
            InputError: If the activation has another number of dimensions than the site, or one nobody has named.
        """
        axes = self.axes or DEFAULT_AXES.get(x.dim())
        if axes is None or len(axes) != x.dim():
            expected = f"its axes are {', '.join(self.axes)}" if self.axes else "1 to 5 dimensions are understood"
            raise InputError(f"site {self.name} gave an activation of shape {tuple(x.shape)}; {expected}")
        return axes


class Electrode(nn.Identity):
    """The identity, put where an activation has no module of its own, so that it can be read and written.

    Args:
        *axes: Meaning of the dimensions, batch first.
        sizes: Sizes of axes that are known.

    Shape:
        - Input: any
        - Output: the same

    Example:
        >>> import torch
        >>> electrode = Electrode("batch", "head", "query", "key", sizes={"head": 8})
        >>> electrode(torch.ones(2, 8, 5, 5)).shape
        torch.Size([2, 8, 5, 5])
    """

    def __init__(self, *axes: str, sizes: Mapping[str, int] | None = None) -> None:
        super().__init__()
        self.axes, self.sizes = axes, dict(sizes or {})

    def sites(self) -> Iterator[Site]:
        """Yield itself; the name is its path."""
        yield Site("", "", "output", self.axes, sizes=self.sizes)


def around(name: str, activation: str, units: Sequence[str] = (), width: int | None = None) -> Iterator[Site]:
    """Yield what goes into ("NAME.pre") and what comes out of ("NAME.post") an activation on (B, units).

    Args:
        name: Name of the layer.
        activation: Path of its activation.
        units: Names of the units.
        width: Number of units, where they have no names.

    Example:
        >>> [(site.name, site.side) for site in around("hidden_0", "layers.2", width=8)]
        [('hidden_0.pre', 'input'), ('hidden_0.post', 'output')]
    """
    sizes = {} if width is None else {"unit": width}
    yield Site(f"{name}.pre", activation, "input", ("batch", "unit"), tuple(units), sizes)
    yield Site(f"{name}.post", activation, "output", ("batch", "unit"), tuple(units), sizes)


def sites_of(network: nn.Module) -> dict[str, Site]:
    """Return the sites that a network names, by their name.

    A module names sites by a method ``sites()`` whose sites have names and paths relative to it.

    Example:
        >>> from axonlight.models import DenseNetwork
        >>> list(sites_of(DenseNetwork(30, 1, hidden=[8])))
        ['hidden_0.pre', 'hidden_0.post']
    """
    found = {}
    for prefix, module in network.named_modules():
        named: Callable[[], Iterable[Site]] | None = getattr(module, "sites", None)
        for site in named() if callable(named) else ():
            absolute = replace(site, name=_join(prefix, site.name), path=_join(prefix, site.path))
            found[absolute.name] = absolute
    return found


def find_sites(network: nn.Module, patterns: str | Sequence[str]) -> list[Site]:
    """Return the sites that names or patterns with ``*`` and ``?`` choose, in the order of the network.

    Named sites first; where none matches, paths of modules, with ``:input`` or ``:output`` (the default) behind.

    Args:
        network: The network.
        patterns: One pattern or several.

    Raises:
        InputError: If a pattern chooses nothing; the message has the nearest names.

    Example:
        >>> from axonlight.models import DenseNetwork
        >>> network = DenseNetwork(30, 1, hidden=[8, 4])
        >>> [site.name for site in find_sites(network, "*.post")]
        ['hidden_0.post', 'hidden_1.post']
        >>> find_sites(network, "layers.0:input")[0].side
        'input'
        >>> find_sites(network, "hiden_0.post")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: site 'hiden_0.post' matches nothing in DenseNetwork; the nearest are ...
    """
    named = sites_of(network)
    modules = _module_sites(network)
    chosen: dict[str, Site] = {}
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        found = _matching(named, pattern) or _matching(modules, pattern)
        if not found:
            raise InputError(_nothing_matches(network, pattern, [*named, *modules]))
        chosen.update(found)
    order = [*named, *modules]
    return sorted(chosen.values(), key=lambda site: order.index(site.name))


def _module_sites(network: nn.Module) -> dict[str, Site]:
    found = {}
    for path, module in network.named_modules():
        if path:
            units = getattr(module, "out_features", None) or getattr(module, "out_channels", None)
            sizes = {"unit": units} if isinstance(units, int) else {}
            found[path] = Site(path, path, "output", sizes=sizes)
            found[f"{path}:input"] = Site(f"{path}:input", path, "input")
    return found


def _matching(sites: Mapping[str, Site], pattern: str) -> dict[str, Site]:
    pattern = pattern.removesuffix(":output")
    if pattern in sites:
        return {pattern: sites[pattern]}
    return {
        name: site
        for name, site in sites.items()
        if fnmatch.fnmatchcase(name, pattern) and name.endswith(":input") == pattern.endswith(":input")
    }


def _nothing_matches(network: nn.Module, pattern: str, names: Sequence[str]) -> str:
    if reason := _absent(network, pattern):
        return f"site {pattern!r} matches nothing in {type(network).__name__}: {reason}"
    names = list(dict.fromkeys(names))
    near = difflib.get_close_matches(pattern, names, n=3, cutoff=0.3) or names
    return f"site {pattern!r} matches nothing in {type(network).__name__}; the nearest are {shown(near, 3)}"


def _absent(network: nn.Module, pattern: str) -> str | None:
    """Return why a site that could be there is not, as a module says by ``absent_sites``: a reason for each name."""
    for prefix, module in network.named_modules():
        reasons: Mapping[str, str] = getattr(module, "absent_sites", {})
        for name, reason in reasons.items():
            if fnmatch.fnmatchcase(_join(prefix, name), pattern):
                return reason
    return None


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix and name else prefix or name
