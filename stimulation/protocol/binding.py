"""Stimuli meet a network: which act at which site, and in which order."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ...errors import InputError
from ...models import Site, find_sites
from .stimulus import Stimulus
from .target import Target

__all__ = ["BoundStimulus", "bind", "in_line"]


@dataclass(frozen=True)
class BoundStimulus:
    """A stimulus at one site of a network.

    Args:
        number: Its number in the protocol, from 0.
        stimulus: The stimulus.
        site: The site.
        target: Its target, with the types of cells that the network states.
        seed: Seed of the protocol.

    Example:
        >>> from axonlight.models import DenseNetwork
        >>> from axonlight.stimulation.protocol import Protocol
        >>> protocol = Protocol.build([{"target": {"site": "*.post", "units": [0]}, "opsin": "silence"}])
        >>> for bound in protocol.bind(DenseNetwork(30, 1, hidden=[3, 2])):
        ...     print(bound.line, bound.expression().tolist())
        stimulus 1 (silence at hidden_0.post) [1.0, 0.0, 0.0]
        stimulus 1 (silence at hidden_1.post) [1.0, 0.0]
    """

    number: int
    stimulus: Stimulus
    site: Site
    target: Target
    seed: int = 0

    @property
    def line(self) -> str:
        """How messages name it: "stimulus 2 (silence at blocks.1.attention.v)"."""
        return self.stimulus.line(self.number + 1, self.site.name)

    def expression(self, sizes: Mapping[str, int] | None = None) -> Tensor:
        """Return `Target.expression` at the site.

        Raises:
            InputError: As there, with the line of the protocol.
        """
        with in_line(self.line):
            return self.target.expression(self.site, sizes, self.seed)

    def count(self, sizes: Mapping[str, int] | None = None) -> tuple[int, float]:
        """Return how many units of the site it reaches, and the sum of their expression, see `Target.count`."""
        with in_line(self.line):
            return self.target.count(self.site, sizes or {}, self.seed)


def bind(stimuli: Iterable[Stimulus], network: nn.Module, seed: int = 0) -> tuple[BoundStimulus, ...]:
    """Return what acts at which site of a network: place by place, and at each in the order of action.

    Opsins of a lower rank act first; those of one rank in the order of the protocol.

    Raises:
        InputError: If a pattern matches no site; the message says which stimulus.
    """
    found = []
    for number, stimulus in enumerate(stimuli):
        with in_line(stimulus.line(number + 1)):
            sites = find_sites(network, stimulus.target.site)
        for site in sites:
            target = stimulus.target.with_cell_types(_cell_types(network, site))
            found.append(BoundStimulus(number, stimulus, site, target, seed))
    order = _places_in_order(network, found)
    return tuple(sorted(found, key=lambda bound: (order[_place(bound)], bound.stimulus.opsin.rank, bound.number)))


@contextmanager
def in_line(line: str):  # noqa: ANN201
    """Put the line of the protocol before the message of an error.

    Example:
        >>> with in_line("stimulus 1 (silence at v)"):
        ...     raise InputError("heads is [9]; the site has 8 heads, 0 to 7")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: stimulus 1 (silence at v): heads is [9]; the site has 8 heads, 0 to 7
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{line}: {error}") from None


def _place(bound: BoundStimulus) -> tuple[str, str]:
    """Return what tells places apart: one may have two names, that of the network and the path of the module."""
    return bound.site.path, bound.site.side


def _places_in_order(network: nn.Module, found: Sequence[BoundStimulus]) -> dict[tuple[str, str], int]:
    sites = find_sites(network, list(dict.fromkeys(bound.site.name for bound in found))) if found else []
    places = dict.fromkeys((site.path, site.side) for site in sites)
    return {place: number for number, place in enumerate(places)}


def _cell_types(network: nn.Module, site: Site) -> Sequence[Any]:
    """Return the label of every unit of a site, as the site's module states them or one that contains it."""
    path = site.path
    size = site.size("unit")
    while True:
        labels = getattr(network.get_submodule(path), "cell_types", None)
        if labels is not None and (size is None or len(labels) == size):
            return list(labels)
        if not path:
            return []
        path = path.rpartition(".")[0]
