"""What simulated slides are made with."""

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np

from ...errors import InputError
from ...structures import Hierarchy
from .writing import Layout

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SimulationSettings", "SlideSimulation", "checked_settings", "simulation_digest"]

Precision = Literal["float16", "float32"]


class SlideSimulation(TypedDict, total=False):
    """What `simulate_slides` takes beside its data, all of it plain; `simulate` of a config.

    Args:
        num_features: Features D of a patch.
        num_prototypes: Prototypes K.
        num_links: Links J, drawn among the pathways if `links` is not given.
        links: Names of the pathways that the first prototypes are linked to.
        min_genes: Fewest measured genes of a pathway that is drawn.
        patches: Fewest and most patches of a slide.
        strength: How much the share of a linked prototype follows its pathway; 0 plants no link.
        relevance: How much it follows the outcome beside that; 0 plants none.
        noise: Standard deviation of a feature about its prototype; prototypes differ by N(0, 1).
        layout: "trident" (N, D) or "leading_axis" (1, N, D).
        dtype: "float16" or "float32".
        seed: Seed of all of it.

    Example:
        >>> SlideSimulation(num_features=64, num_links=2)
        {'num_features': 64, 'num_links': 2}
    """

    num_features: int
    num_prototypes: int
    num_links: int
    links: list[str] | None
    min_genes: int
    patches: list[int]
    strength: float
    relevance: float
    noise: float
    layout: Layout
    dtype: Precision
    seed: int


@dataclass(frozen=True)
class SimulationSettings:
    """The settings with their defaults; see `SlideSimulation`."""

    num_features: int = 64
    num_prototypes: int = 16
    num_links: int = 3
    links: Sequence[str] | None = None
    min_genes: int = 5
    patches: Sequence[int] = (150, 450)
    strength: float = 1.5
    relevance: float = 1.0
    noise: float = 1.0
    layout: Layout = "trident"
    dtype: Precision = "float16"
    seed: int = 0

    def __post_init__(self) -> None:
        for key, least in (("num_features", 1), ("num_prototypes", 2), ("num_links", 1), ("min_genes", 1)):
            if getattr(self, key) < least:
                raise InputError(f"simulate.{key} is {getattr(self, key)}; it must be at least {least}")
        for key in ("strength", "relevance", "noise"):
            if not 0 <= getattr(self, key) < float("inf"):
                raise InputError(f"simulate.{key} is {getattr(self, key)}; it must be 0 or more")
        for key, known in (("layout", ("trident", "leading_axis")), ("dtype", ("float16", "float32"))):
            if getattr(self, key) not in known:
                raise InputError(f"simulate.{key} is '{getattr(self, key)}'; it must be {' or '.join(known)}")
        if len(self.patches) != 2 or not 1 <= self.patches[0] <= self.patches[1]:
            raise InputError(
                f"simulate.patches is {list(self.patches)}; it must be two numbers, fewest and most, from 1"
            )
        number = self.num_links if self.links is None else len(self.links)
        if not 1 <= number <= self.num_prototypes:
            raise InputError(
                f"{number} links need as many prototypes, but simulate.num_prototypes is {self.num_prototypes}"
            )


def checked_settings(given: Mapping[str, Any]) -> SimulationSettings:
    """Return the settings that a mapping gives.

    Raises:
        InputError: If a key is unknown, or a value out of range.

    Example:
        >>> checked_settings({"strenght": 2.0})
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: simulate has the key 'strenght', which is unknown; did you mean 'strength'?
    """
    known = [field.name for field in fields(SimulationSettings)]
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
            raise InputError(f"simulate has the key '{key}', which is unknown; {hint}")
    return SimulationSettings(**given)


def simulation_digest(
    settings: Mapping[str, Any],
    rna: "pd.DataFrame",
    hierarchy: Hierarchy,
    outcome: "pd.DataFrame | None",
    slides: Mapping[str, Sequence[str]],
) -> str:
    """Return a checksum of all that simulated slides depend on."""
    members = hierarchy.memberships(1)
    digest = hashlib.sha256(repr(sorted(asdict(checked_settings(settings)).items())).encode())
    digest.update(repr([list(map(str, rna.index)), list(map(str, rna.columns)), sorted(slides.items())]).encode())
    digest.update(repr([hierarchy.nodes[:2], members.indptr.tolist(), members.indices.tolist()]).encode())
    digest.update(np.ascontiguousarray(rna.to_numpy(dtype="<f8")).tobytes())
    if outcome is not None:
        known = outcome.reindex(rna.index)[["months", "event"]]
        digest.update(np.ascontiguousarray(known.to_numpy(dtype="<f8")).tobytes())
    return digest.hexdigest()
