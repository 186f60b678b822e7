"""Opsins along directions of activation space: steering, and writing the component within a subspace."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...errors import InputError
from ...models import Site
from ..scene import Place
from .base import Opsin, lit, settle, source_name
from .checks import check_flag, check_site, is_number
from .measures import finite, wide
from .noise import donors
from .sources import PASSES, named_source, of_shape
from .vectors import Constant, check_width, read_rows, rows_of

__all__ = ["SOURCES", "Steer", "Subspace"]

SOURCES = ("sample", *PASSES)


@dataclass(frozen=True)
class Steer(Opsin):
    """Add a vector: x' = x + s v at intensity s; with `keep_norm` the result has the length that x had.

    Steering vectors, concept vectors, differences of means. The length is that of the written entries along the units;
    what is not finite counts as 0. The derivative is natural.

    Args:
        vector: One number per unit, or the path of a .npy, .json or .pt file with them.
        keep_norm: Whether to keep the length of the activation.
        sha256: Hash of the file, filled in when it is read; one that is given must agree.

    Raises:
        InputError: If the vector is 0 or not finite, or the file absent or changed.

    Example:
        >>> from axonlight.stimulation import Scene
        >>> from axonlight.models import Site
        >>> place = Place(Site("s", "s"), ("batch", "unit"), Scene())
        >>> Steer([3.0, 4.0], keep_norm=True).value(torch.tensor([[1.0, 0.0]]), torch.ones(()), place)
        tensor([[0.7071, 0.7071]])
    """

    vector: Any
    keep_norm: bool = False
    sha256: str | None = None

    kind: ClassVar[str] = "steer"
    rank: ClassVar[int] = 30
    axes: ClassVar[tuple[str, ...]] = ("batch", "unit")

    def __post_init__(self) -> None:
        check_flag("keep_norm of opsin steer", self.keep_norm)
        rows = rows_of("vector of opsin steer", self.vector)
        values, found = read_rows("vector of opsin steer", rows, self.sha256)
        if len(values) != 1:
            raise InputError(f"vector of opsin steer holds {len(values)} vectors; it must be one")
        settle(self, vector=rows, sha256=found, direction=Constant(values[0]))

    @cached_property
    def direction(self) -> Constant:
        """The vector (D,); read at construction, not within a pass."""
        return Constant(read_rows("vector of opsin steer", self.vector, self.sha256)[0][0])

    def value(self, x: Tensor, intensity: Tensor, place: Place) -> Tensor:
        """Return the activation with the vector added."""
        vector = self.direction.like(x)
        unit = _unit_axis(self.kind, x, place, len(vector))
        written = intensity != 0
        # what is not written must not reach the length
        before = torch.where(written, x, 0.0)
        after = before + intensity * place.along(vector, "unit")
        if self.keep_norm:
            ratio = _length(before, unit) / _length(after, unit).clamp_min(1e-12)
            after = wide(after) * ratio
        return lit(x, after, intensity)

    def check(self, site: Site) -> None:
        """Refuse a site of another number of units."""
        super().check(site)
        check_width("steer", len(self.direction.values), site, site.size("unit"))


@dataclass(frozen=True)
class Subspace(Opsin):
    """Write the component within a subspace: x' = x + s P (y - x), with P the projection on the span of the basis.

    y is the activation of another sample of the batch or of another pass (an interchange along directions), or has
    given coordinates: 0 takes the subspace out of the activation (concept ablation), whatever lies outside of it stays.
    The basis is made orthonormal first. A patch along a direction may act through a part of the network that normally
    rests: `axonlight.stimulation.subspaces` tells. Derivatives flow through both x and y; another sample counts as
    a constant.

    Args:
        basis: One vector or several, one number per unit each, or the path of a .npy, .json or .pt file with them.
        coordinates: One number per vector of the basis: what the inner products of x' with the vectors, scaled to
            length 1, are to be; None: as the source has them.
        source: "sample" (another one of the batch), "first", "batch", "checkpoint"; as for `Patch`.
        path: Path of the checkpoint.
        site: Site of the other pass whose activation is taken; None: the same site.
        sha256: Hash of the basis' file, filled in when it is read; one that is given must agree.

    Raises:
        InputError: If the vectors are not independent, the coordinates are not one per vector, or a file is absent or
            changed.

    Example:
        >>> from axonlight.stimulation import Scene
        >>> from axonlight.models import Site
        >>> place = Place(Site("s", "s"), ("batch", "unit"), Scene())
        >>> Subspace([2.0, 0.0], coordinates=[5.0]).value(torch.tensor([[1.0, 3.0]]), torch.ones(()), place)
        tensor([[5., 3.]])
    """

    basis: Any
    coordinates: tuple[float, ...] | None = None
    source: str | Mapping[str, str] = "sample"
    path: str | None = None
    site: str | None = None
    sha256: str | None = None

    kind: ClassVar[str] = "subspace"
    rank: ClassVar[int] = 50
    sets: ClassVar[bool] = True
    axes: ClassVar[tuple[str, ...]] = ("batch", "unit")

    def __post_init__(self) -> None:
        rows = rows_of("basis of opsin subspace", self.basis)
        values, found = read_rows("basis of opsin subspace", rows, self.sha256)
        if len(values) > values.shape[1] or int(torch.linalg.matrix_rank(values)) < len(values):
            raise InputError(f"basis of opsin subspace has {len(values)} vectors that are not independent")
        source, path = named_source(self.kind, self.source, self.path, SOURCES)
        if self.site is not None:
            check_site("site of opsin subspace", self.site)
        given = self.coordinates
        if isinstance(given, list):
            given = tuple(given)
        elif is_number(given):
            given = (given,)
        settle(self, basis=rows, sha256=found, source=source, path=path, coordinates=given)
        if given is not None and (len(given) != len(values) or not all(map(is_number, given))):
            raise InputError(
                f"coordinates of opsin subspace is {self.coordinates!r}; it must be {len(values)} finite numbers, one "
                "per vector of the basis"
            )
        settle(self, directions=Constant(torch.linalg.qr(values.T).Q), goal=self.goal)

    @cached_property
    def directions(self) -> Constant:
        """Orthonormal directions (D, N); made at construction, not within a pass."""
        return Constant(torch.linalg.qr(read_rows("basis of opsin subspace", self.basis, self.sha256)[0].T).Q)

    @cached_property
    def goal(self) -> Constant | None:
        """The point (D,) of the subspace that has the given coordinates; None: a source says."""
        if self.coordinates is None:
            return None
        values = read_rows("basis of opsin subspace", self.basis, self.sha256)[0]
        units = values / values.norm(dim=1, keepdim=True)
        return Constant(torch.linalg.pinv(units) @ torch.tensor(self.coordinates, dtype=values.dtype))

    def value(self, x: Tensor, intensity: Tensor, place: Place) -> Tensor:
        """Return the activation with the component within the subspace moved."""
        unit = _unit_axis(self.kind, x, place, len(self.directions.values))
        here = finite(wide(x)).movedim(unit, -1)
        directions = self.directions.like(here)
        goal = self.goal.like(here) if self.goal else finite(wide(self._other(x, place))).movedim(unit, -1)
        component = ((goal - here) @ directions @ directions.T).movedim(-1, unit)
        return lit(x, x + intensity.clamp(0, 1) * component.to(x.dtype), intensity)

    def _other(self, x: Tensor, place: Place) -> Tensor:
        need = self.needs_source()
        if need is None:
            return donors(x, place).detach()
        return of_shape(self.kind, place.source(source_name(need), self.site), x, place)

    def check(self, site: Site) -> None:
        """Refuse a site of another number of units."""
        super().check(site)
        check_width("subspace", len(self.directions.values), site, site.size("unit"))

    def needs_source(self) -> Mapping[str, Any] | None:
        """Return the pass that the component comes from, if it comes from one."""
        if self.coordinates is not None or self.source == "sample":
            return None
        need = {"pass": self.source, "path": self.path, "site": self.site}
        return {name: value for name, value in need.items() if value is not None}


def _unit_axis(kind: str, x: Tensor, place: Place, width: int) -> int:
    axis = place.axes.index("unit")
    check_width(kind, width, place.site, x.shape[axis])
    return axis


def _length(x: Tensor, axis: int) -> Tensor:
    return torch.linalg.vector_norm(finite(wide(x)), dim=axis, keepdim=True)
