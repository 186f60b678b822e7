"""Opsins that write what was read elsewhere: another pass, another site of the same pass, another head's scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...errors import InputError
from ..scene import Place
from .base import Opsin, settle, source_name, towards
from .checks import check_choice, check_count, check_flag, check_site
from .patterns import forbidden

__all__ = ["PASSES", "Copy", "CopyScores", "Patch"]

PASSES = ("first", "batch", "checkpoint")


@dataclass(frozen=True)
class Patch(Opsin):
    """Write the activation of another pass: x' = (1 - s) x + s x_source at intensity s from 0 to 1.

    An unperturbed first pass over the same batch (with it, paths can be told apart), the pass of another batch, or the
    same batch through another checkpoint: a graft, frozen. Gradients flow into a first pass unless it is detached,
    as in the clamping study (Singh et al. 2024, arXiv 2404.07129).

    Args:
        source: "first", "batch" or "checkpoint"; in protocols also ``{"pass": "first"}`` or ``{"checkpoint": PATH}``.
        path: Path of the checkpoint.
        site: Site whose activation is taken; None: the same site.
        detach: Whether no gradient flows into the other pass.

    Raises:
        InputError: If the source is unknown, or a path is missing or without use.

    Example:
        >>> from axonlight.stimulation import Scene
        >>> from axonlight.models import Site
        >>> scene = Scene(sources={("first", "s"): torch.tensor([[5.0, 6.0]])})
        >>> place = Place(Site("s", "s"), ("batch", "unit"), scene)
        >>> Patch("first").value(torch.zeros(1, 2), torch.tensor([1.0, 0.0]), place)
        tensor([[5., 0.]])
        >>> Patch({"checkpoint": "run/last.ckpt"}).needs_source()
        {'pass': 'checkpoint', 'path': 'run/last.ckpt'}
    """

    source: str | Mapping[str, str] = "first"
    path: str | None = None
    site: str | None = None
    detach: bool = False

    kind: ClassVar[str] = "patch"
    rank: ClassVar[int] = 10
    sets: ClassVar[bool] = True

    def __post_init__(self) -> None:
        source, path = named_source(self.kind, self.source, self.path, PASSES)
        settle(self, source=source, path=path)
        if self.site is not None:
            check_site("site of opsin patch", self.site)
        check_flag("detach of opsin patch", self.detach)

    def value(self, x: Tensor, intensity: Tensor, place: Place) -> Tensor:
        """Return the activation moved to that of the other pass."""
        value = of_shape(self.kind, place.source(source_name(self.needs_source()), self.site), x, place)
        return towards(x, value.detach() if self.detach else value, intensity)

    def needs_source(self) -> Mapping[str, Any]:
        """Return the pass, with the path of a checkpoint and the site where it is another one."""
        need = {"pass": self.source, "path": self.path, "site": self.site}
        return {name: value for name, value in need.items() if value is not None}


@dataclass(frozen=True)
class Copy(Opsin):
    """Write what another site of the same pass holds, shifted along the positions: x'_i = y_(i - shift).

    The first positions, which nothing precedes, hold their own: x'_i = y_i for i < shift, as a head that looks back
    looks at itself there. Copying the embedding with a shift of 1 into what the keys of the next layer read stands in
    for a perfect layer of previous-token heads (Singh et al. 2024, arXiv 2404.07129). Gradients flow to the other site.

    Args:
        site: The other site; it must come before, and have the same shape.
        shift: By how many positions.

    Raises:
        InputError: If the shift is no whole number of at least 0.

    Example:
        >>> from axonlight.stimulation import Scene
        >>> from axonlight.models import Site
        >>> scene = Scene(captured={"embedding": torch.tensor([[[1.0], [2.0], [3.0]]])})
        >>> place = Place(Site("k", "k"), ("batch", "position", "unit"), scene)
        >>> Copy("embedding", shift=1).value(torch.zeros(1, 3, 1), torch.ones(()), place).flatten()
        tensor([1., 1., 2.])
    """

    site: str
    shift: int = 0

    kind: ClassVar[str] = "copy"
    rank: ClassVar[int] = 10
    sets: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_site("site of opsin copy", self.site)
        check_count("shift of opsin copy", self.shift)

    def value(self, x: Tensor, intensity: Tensor, place: Place) -> Tensor:
        """Return the activation moved to that of the other site."""
        value = of_shape(self.kind, place.captured(self.site), x, place)
        if self.shift:
            axis = place.along(torch.zeros(0), "position").shape.index(0)
            first = value.narrow(axis, 0, min(self.shift, x.shape[axis]))
            rest = value.narrow(axis, 0, max(x.shape[axis] - self.shift, 0))
            value = torch.cat([first, rest], dim=axis)
        return towards(x, value, intensity)

    def reads_sites(self) -> frozenset[str]:
        """Return the other site."""
        return frozenset({self.site})


@dataclass(frozen=True)
class CopyScores(Opsin):
    """Write a head's scores into the logits: a perfect copy of what the query attends to.

    The logit of a context label is the head's score, before the softmax, of the query at that label's position; the
    logits of all other labels are -1e9 (half of the lowest number in float16). Where context labels are equal, the
    larger score counts. Gradients flow into the scores, so that matching is taught without copying (Singh et al. 2024,
    arXiv 2404.07129).

    Args:
        site: Site of the scores (batch, head, query, key).
        head: The head, counted from 0.

    Raises:
        InputError: If the head is no whole number of at least 0.

    Example:
        >>> from axonlight.stimulation import Scene
        >>> from axonlight.models import Site
        >>> scores = torch.zeros(1, 8, 5, 5)
        >>> scores[0, 3, -1] = torch.tensor([9.0, 2.0, 9.0, 4.0, 9.0])
        >>> scene = Scene({"labels": torch.tensor([[2, 0]])}, captured={"scores": scores})
        >>> place = Place(Site("logits", "logits"), ("batch", "unit"), scene)
        >>> CopyScores("scores", head=3).value(torch.zeros(1, 3), torch.ones(()), place)
        tensor([[ 4.0000e+00, -1.0000e+09,  2.0000e+00]])
    """

    site: str
    head: int

    kind: ClassVar[str] = "copy_scores"
    rank: ClassVar[int] = 60
    sets: ClassVar[bool] = True
    axes: ClassVar[tuple[str, ...]] = ("batch", "unit")

    def __post_init__(self) -> None:
        check_site("site of opsin copy_scores", self.site)
        check_count("head of opsin copy_scores", self.head)

    def value(self, x: Tensor, intensity: Tensor, place: Place) -> Tensor:
        """Return the logits moved to the scores of the context labels."""
        labels, scores = place.scene.get("labels"), place.captured(self.site)
        keys = 2 * labels.shape[1] + 1
        if scores.dim() != 4 or scores.shape[1] <= self.head or scores.shape[3] != keys:
            raise InputError(
                f"opsin copy_scores reads head {self.head} of site {self.site}, which has shape {tuple(scores.shape)}; "
                f"it must be (batch, head, query, key) with more heads than that and {keys} keys"
            )
        row = scores[:, self.head, -1, 1::2].to(x.dtype)
        named = labels.unsqueeze(2) == torch.arange(x.shape[1], device=x.device)
        return towards(x, torch.where(named, row.unsqueeze(2), forbidden(x.dtype)).amax(dim=1), intensity)

    def needs_batch(self) -> frozenset[str]:
        """Return "labels"."""
        return frozenset({"labels"})

    def reads_sites(self) -> frozenset[str]:
        """Return the site of the scores."""
        return frozenset({self.site})


def named_source(
    kind: str, source: str | Mapping[str, str], path: str | None, allowed: Sequence[str]
) -> tuple[str, str | None]:
    """Return the pass and the path of a source that may be a mapping.

    Raises:
        InputError: If the pass is unknown, or a path is missing or without use.

    Example:
        >>> named_source("patch", {"checkpoint": "run/last.ckpt"}, None, PASSES)
        ('checkpoint', 'run/last.ckpt')
    """
    if isinstance(source, Mapping):
        given = {"pass": "checkpoint", "path": source["checkpoint"]} if set(source) == {"checkpoint"} else dict(source)
        if "pass" not in given or not set(given) <= {"pass", "path"}:
            raise InputError(
                f"source of opsin {kind} is {dict(source)!r}; it must be {{pass: first}} or {{checkpoint: PATH}}"
            )
        source, path = given["pass"], given.get("path", path)
    check_choice(f"source of opsin {kind}", source, allowed)
    if (source == "checkpoint") != (path is not None) or not isinstance(path, str | None):
        raise InputError(
            f"opsin {kind} has source {source!r} and path {path!r}; a checkpoint needs a path, no other source has one"
        )
    return source, path


def of_shape(kind: str, value: Tensor, x: Tensor, place: Place) -> Tensor:
    """Return a value that was read elsewhere.

    Raises:
        InputError: If it has another shape than the activation.
    """
    if value.shape != x.shape:
        raise InputError(
            f"opsin {kind} reads an activation of shape {tuple(value.shape)}; site {place.site.name} has shape "
            f"{tuple(x.shape)}"
        )
    return value
