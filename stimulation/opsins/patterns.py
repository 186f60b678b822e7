"""Opsins that set attention: ideal patterns, and scores of what must not be attended to.

Legend of shapes: B batch, E exemplars of a sequence x_1 y_1 ... x_q, T = 2 E - 1 tokens, Q query positions (T, or the
last one alone), K = T key positions.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from ...errors import InputError
from ..scene import Place
from .base import Opsin, towards
from .checks import check_flag, check_number, check_site
from .measures import wide

__all__ = ["Forbid", "Induction", "Match", "OnlyLabels", "PreviousToken", "forbidden"]


@dataclass(frozen=True)
class _Pattern(Opsin):
    """An opsin that moves rows of an attention pattern towards ideal rows."""

    rank: ClassVar[int] = 60
    sets: ClassVar[bool] = True
    gradient: ClassVar[str] = "block"
    axes: ClassVar[tuple[str, ...]] = ("batch", "query", "key")

    def rows(self, x: Tensor, place: Place) -> Tensor:
        """Return the ideal rows, broadcastable to the pattern."""
        raise NotImplementedError

    def value(self, x: Tensor, intensity: Tensor, place: Place) -> Tensor:
        """Return the pattern with its rows moved to the ideal ones."""
        entries = self.entries(x, place)
        lit = intensity if entries is None else torch.where(entries, intensity, 0.0)
        return towards(x, self.rows(x, place), lit)


@dataclass(frozen=True)
class PreviousToken(_Pattern):
    """Let attention look at the token before: row i has weight s at i - 1 and 1 - s at i; row 0 looks at itself.

    In the clamping study the first step of an induction head (Singh et al. 2024, arXiv 2404.07129).

    Args:
        strength: Weight s of the token before, from 0 to 1.
        labels_only: Whether to write the rows of labels (odd positions) alone.

    Raises:
        InputError: If the strength is not between 0 and 1.

    Example:
        >>> from axonlight.stimulation import Scene
        >>> from axonlight.models import Site
        >>> place = Place(Site("p", "p"), ("batch", "head", "query", "key"), Scene())
        >>> PreviousToken(0.75).value(torch.zeros(1, 1, 3, 3), torch.ones(()), place)[0, 0]
        tensor([[1.0000, 0.0000, 0.0000],
                [0.7500, 0.2500, 0.0000],
                [0.0000, 0.7500, 0.2500]])
    """

    strength: float = 1.0
    labels_only: bool = False

    kind: ClassVar[str] = "previous_token"

    def __post_init__(self) -> None:
        check_number("strength of opsin previous_token", self.strength, at_least=0, at_most=1)
        check_flag("labels_only of opsin previous_token", self.labels_only)

    def rows(self, x: Tensor, place: Place) -> Tensor:
        """Return the (Q, K) pattern that looks back by one."""
        query, key = _positions(x, place)
        share = torch.where(query == 0, 0.0, self.strength)
        rows = share * (key == query - 1) + (1 - share) * (key == query)
        return place.along(rows, "query", "key")

    def entries(self, x: Tensor, place: Place) -> Tensor | None:
        """Return the rows of labels, or None for all rows."""
        if not self.labels_only:
            return None
        query, _ = _positions(x, place)
        return place.along((query[:, 0] % 2) == 1, "query")


class _QueryRow(_Pattern):
    """A pattern whose last row alone is written: the query looks at labels."""

    def entries(self, x: Tensor, place: Place) -> Tensor:
        """Return the last row."""
        query, key = _positions(x, place)
        return place.along(query[:, 0] == key.shape[1] - 1, "query")

    def rows(self, x: Tensor, place: Place) -> Tensor:
        """Return the (B, K) row of the query."""
        weights = self.weights(x, place)
        zeros = torch.zeros_like(weights)
        row = F.pad(torch.stack([zeros, weights], dim=-1).flatten(1), (0, 1))
        keys = x.shape[place.axes.index("key")]
        if row.shape[1] != keys:
            raise InputError(
                f"opsin {self.kind} needs tokens x_1 y_1 ... x_q; {weights.shape[1]} labels make {row.shape[1]} "
                f"tokens, and site {place.site.name} has {keys} keys"
            )
        return place.along(row, "batch", "key")

    def weights(self, x: Tensor, place: Place) -> Tensor:
        """Return the weights (B, E - 1) of the labels, with sum 1."""
        raise NotImplementedError


@dataclass(frozen=True)
class Induction(_QueryRow):
    """Let the query look at the label that is the correct answer: weight s there, 1 - s on the other labels.

    The label right after the exemplar of the class that is asked for; where several context labels equal the target,
    they share s, and where all do, or none, they share everything. Needs the target, so not for prediction. The
    induction strength of the study, weight on the correct minus weight on the other label, is 2 s - 1.

    Args:
        strength: Weight s, from 0 to 1.

    Raises:
        InputError: If the strength is not between 0 and 1.

    Example:
        >>> from axonlight.stimulation import Scene
        >>> from axonlight.models import Site
        >>> scene = Scene({"labels": torch.tensor([[3, 1]]), "target": torch.tensor([1])})
        >>> place = Place(Site("p", "p"), ("batch", "head", "query", "key"), scene)
        >>> Induction(0.75).value(torch.zeros(1, 1, 5, 5), torch.ones(()), place)[0, 0, -1]
        tensor([0.0000, 0.2500, 0.0000, 0.7500, 0.0000])
    """

    strength: float = 1.0

    kind: ClassVar[str] = "induction"

    def __post_init__(self) -> None:
        check_number("strength of opsin induction", self.strength, at_least=0, at_most=1)

    def weights(self, x: Tensor, place: Place) -> Tensor:
        """Return s over the correct labels and 1 - s over the others."""
        labels, target = place.scene.get("labels"), place.scene.get("target")
        correct = (labels == target.unsqueeze(1)).float()
        number, all_of_them = correct.sum(1, keepdim=True), labels.shape[1]
        shares = correct * (self.strength / number.clamp_min(1))
        shares = shares + (1 - correct) * ((1 - self.strength) / (all_of_them - number).clamp_min(1))
        one_kind = (number == 0) | (number == all_of_them)
        return torch.where(one_kind, 1.0 / all_of_them, shares)

    def needs_batch(self) -> frozenset[str]:
        """Return "labels" and "target"."""
        return frozenset({"labels", "target"})


@dataclass(frozen=True)
class Match(_QueryRow):
    """Let the query look at the labels of the exemplars it resembles: softmax(cosine / T) over the context exemplars.

    Compared are the exemplars of the batch: their features; where they are class numbers, the rows of the batch's
    "features" (C, F), and without those, whether the numbers are equal. Or activations at a site of the same pass.

    Args:
        temperature: Temperature T; 0 looks at the most similar exemplar alone (the first of several).
        site: Site (batch, position, unit) whose activations at the exemplars' positions are compared, with gradient
            where the rule is "natural"; None: the batch.

    Raises:
        InputError: If the temperature is negative.

    Example:
        >>> from axonlight.stimulation import Scene
        >>> from axonlight.models import Site
        >>> scene = Scene({"exemplars": torch.tensor([[7, 4, 4]])})
        >>> place = Place(Site("p", "p"), ("batch", "head", "query", "key"), scene)
        >>> Match().value(torch.zeros(1, 1, 5, 5), torch.ones(()), place)[0, 0, -1]
        tensor([0., 0., 0., 1., 0.])
    """

    temperature: float = 0.0
    site: str | None = None

    kind: ClassVar[str] = "match"

    def __post_init__(self) -> None:
        check_number("temperature of opsin match", self.temperature, at_least=0)
        if self.site is not None:
            check_site("site of opsin match", self.site)

    def weights(self, x: Tensor, place: Place) -> Tensor:
        """Return the softmax of similarities, or 1 at the greatest."""
        cosine = self._cosine(place)
        if self.temperature:
            return (cosine / self.temperature).softmax(dim=1)
        numbers = torch.arange(cosine.shape[1], device=cosine.device)
        return (cosine.argmax(dim=1, keepdim=True) == numbers).to(cosine.dtype)

    def _cosine(self, place: Place) -> Tensor:
        exemplars = place.scene.get("exemplars") if self.site is None else place.captured(self.site)[:, ::2]
        if not exemplars.is_floating_point():
            if "features" not in place.scene.batch:
                return (exemplars[:, :-1] == exemplars[:, -1:]).float()
            exemplars = place.scene.get("features")[exemplars]
        exemplars = wide(exemplars)
        return F.cosine_similarity(exemplars[:, :-1], exemplars[:, -1:], dim=-1)

    def needs_batch(self) -> frozenset[str]:
        """Return "exemplars" where no site is compared."""
        return frozenset({"exemplars"}) if self.site is None else frozenset()

    def reads_sites(self) -> frozenset[str]:
        """Return the site whose activations are compared."""
        return frozenset() if self.site is None else frozenset({self.site})


@dataclass(frozen=True)
class Forbid(Opsin):
    """Forbid attention to the token before: scores at (i, i - 1) become -1e9.

    Half of the lowest number in float16, which cannot hold -1e9. At intensity 0.5 a score is half of that lower: any
    light forbids.

    Example:
        >>> from axonlight.stimulation import Scene
        >>> from axonlight.models import Site
        >>> place = Place(Site("p", "p"), ("batch", "head", "query", "key"), Scene())
        >>> Forbid().value(torch.zeros(1, 1, 2, 2), torch.ones(()), place)[0, 0].tolist()
        [[0.0, 0.0], [-1000000000.0, 0.0]]
    """

    kind: ClassVar[str] = "forbid"
    rank: ClassVar[int] = 60
    sets: ClassVar[bool] = True
    gradient: ClassVar[str] = "block"
    axes: ClassVar[tuple[str, ...]] = ("batch", "query", "key")

    def entries(self, x: Tensor, place: Place) -> Tensor:
        """Return the entries just below the diagonal."""
        query, key = _positions(x, place)
        return place.along(key == query - 1, "query", "key")

    def value(self, x: Tensor, intensity: Tensor, place: Place) -> Tensor:
        """Return the scores with the forbidden ones lowered."""
        lit = torch.where(self.entries(x, place), intensity, 0.0)
        return towards(x, torch.full_like(x, forbidden(x.dtype)), lit)


@dataclass(frozen=True)
class OnlyLabels(Forbid):
    """Forbid attention to exemplars: scores at even keys become -1e9, but for the first, which has nothing else.

    Scores above the diagonal, which a mask forbids anyway, are left alone. See `Forbid` for other dtypes.

    Example:
        >>> from axonlight.stimulation import Scene
        >>> from axonlight.models import Site
        >>> place = Place(Site("p", "p"), ("batch", "head", "query", "key"), Scene())
        >>> OnlyLabels().value(torch.zeros(1, 1, 3, 3), torch.ones(()), place)[0, 0].softmax(-1)[-1]
        tensor([0., 1., 0.])
    """

    kind: ClassVar[str] = "only_labels"

    def entries(self, x: Tensor, place: Place) -> Tensor:
        """Return the exemplars' keys on and below the diagonal, from the second row on."""
        query, key = _positions(x, place)
        return place.along((key % 2 == 0) & (key <= query) & (query > 0), "query", "key")


def forbidden(dtype: torch.dtype) -> float:
    """Return the score of what must not be chosen: -1e9, or half of the lowest number of the dtype.

    Example:
        >>> forbidden(torch.float32), forbidden(torch.float16)
        (-1000000000.0, -32752.0)
    """
    return max(-1e9, torch.finfo(dtype).min / 2)


def _positions(x: Tensor, place: Place) -> tuple[Tensor, Tensor]:
    """Return the positions of queries (Q, 1) and keys (1, K); fewer queries than keys are the last ones."""
    queries, keys = (x.shape[place.axes.index(axis)] for axis in ("query", "key"))
    return torch.arange(keys - queries, keys, device=x.device)[:, None], torch.arange(keys, device=x.device)[None]
