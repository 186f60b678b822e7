"""A whole slide as a few tokens: learned prototypes that patches are shared out among.

Legend of shapes: B bags (patients), N patches of all bags together, K prototypes, D features, d width.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ...activations import ActivationSpec, build_activation
from ...errors import InputError
from ..bags import PackedBags
from ..sites import Electrode, Site, around
from .assignment import Assigned
from .choice import AssignmentSpec, build_assignment
from .health import PrototypeHealth, prototype_health
from .kmeans import KMeansResult, Scale, kmeans_prototypes
from .penalties import diversity_penalty, sharpening_penalty, usage_penalty
from .streaming import bag_groups, recomputed, rows_in_pieces

__all__ = ["PrototypeEncoder", "PrototypeReading"]


class PrototypeReading(NamedTuple):
    """What an encoder makes of a batch.

    Attributes:
        tokens: (B, K, d); zeros for an empty bag.
        mass: (B, K), the patches of a bag that every prototype takes in all.
        weights: (N, K), the share of every patch that every prototype takes, where it was asked for.
        variances: (B, K, d) around the tokens, of the rules that have them.

    Example:
        >>> from axonlight.models.bags import pack
        >>> reading = PrototypeEncoder(6, width=4, num_prototypes=3).read(pack([torch.randn(5, 6)]))
        >>> reading.tokens.shape, round(reading.mass.sum().item(), 4), reading.weights
        (torch.Size([1, 3, 4]), 5.0, None)
    """

    tokens: Tensor
    mass: Tensor
    weights: Tensor | None = None
    variances: Tensor | None = None


class PrototypeEncoder(nn.Module):
    """Patches of any number to K tokens per bag, by a projection, learned prototypes and a rule of assignment.

    The defaults are those published for ProtoPathway (Gallagher-Syed et al. 2026, arXiv 2605.21454): one linear map
    projects patches and prototypes, the cosine softmax with temperature 0.1 shares out the patches, and a token is the
    mean of the projected patches weighted by the shares. With 1,536 features it has 196,736 + 24,576 parameters.

    Bags are packed: one product projects the patches of all patients, and the result of a patient does not depend on
    the others. Beyond `checkpoint_patches` patches the projection and the assignment keep their inputs and outputs
    alone, and compute the rest again in the backward pass. Shares, masses and tokens are computed in float32 at least,
    whatever the type of features or autocast; features may stay in float16, and become wider piece by piece.

    Args:
        in_features: Features D of a patch.
        width: Width d of tokens.
        num_prototypes: Prototypes K.
        assignment: Rule by name, with options: `cosine`, `sinkhorn(iterations=3)`, `gaussian_mixture`, `slot`,
            `student_t`; or a class or factory that is called with (width, num_prototypes).
        temperature: Of the rules by name that have one, cosine and sinkhorn.
        activation: Spec of what follows the projection, of patches and prototypes; published: none.
        diversity: Weight of `diversity_penalty`.
        usage: Weight of `usage_penalty`.
        sharpening: Weight of `sharpening_penalty`, averaged over the bags.
        checkpoint_patches: Most patches that are computed at a time in training; 0: all at once, nothing again.

    Shape:
        - Input: `PackedBags` with features (N, D)
        - Output: (B, K, d)

    Raises:
        InputError: If a size is not positive, a weight is negative, a spec cannot be read, or features have another
            width.

    Example:
        >>> from axonlight.models.bags import pack
        >>> encoder = PrototypeEncoder(1536)
        >>> encoder(pack([torch.randn(100, 1536), torch.randn(0, 1536)])).shape
        torch.Size([2, 16, 128])
        >>> sum(parameter.numel() for parameter in encoder.parameters())
        221312
    """

    initial_prototypes: Tensor
    initialized: Tensor

    def __init__(
        self,
        in_features: int,
        width: int = 128,
        num_prototypes: int = 16,
        assignment: AssignmentSpec = "cosine",
        temperature: float = 0.1,
        activation: ActivationSpec = "identity",
        diversity: float = 0.0,
        usage: float = 0.0,
        sharpening: float = 0.0,
        checkpoint_patches: int = 16_384,
    ) -> None:
        super().__init__()
        sizes = {"in_features": in_features, "width": width, "num_prototypes": num_prototypes}
        penalties = {"diversity": diversity, "usage": usage, "sharpening": sharpening}
        _check(sizes, penalties, checkpoint_patches)
        self.in_features, self.width, self.num_prototypes = in_features, width, num_prototypes
        self.checkpoint_patches = checkpoint_patches
        self.penalty_weights = penalties
        self.projection = nn.Linear(in_features, width)
        self.activation = build_activation(activation, width=width)
        # As long as the centres of patches that are scaled to length 1.
        self.prototypes = nn.Parameter(torch.randn(num_prototypes, in_features) * in_features**-0.5)
        self.assignment = build_assignment(assignment, width, num_prototypes, temperature)
        self.tokens = Electrode("batch", "position", "unit", sizes={"position": num_prototypes, "unit": width})
        self.register_buffer("initial_prototypes", self.prototypes.detach().clone())
        self.register_buffer("initialized", torch.tensor(False))
        # Of the last step and the running epoch: plain tensors, since DDP copies buffers from rank 0 to all others.
        self._losses: dict[str, Tensor] = {}
        self._used: Tensor | None = None

    # Forward ---------------------------------------------------------------------------------------------------

    def forward(self, bags: PackedBags) -> Tensor:
        """Map packed bags to tokens (B, K, d)."""
        return self.read(bags).tokens

    def read(self, bags: PackedBags, with_weights: bool = False) -> PrototypeReading:
        """Map packed bags to tokens and masses, and on demand to the shares (N, K) of every patch."""
        features, pointers = bags.features, bags.pointers.tolist()
        if features.dim() != 2 or features.shape[1] != self.in_features:
            raise InputError(
                f"patches have shape {tuple(features.shape)}; this encoder was built for (N, {self.in_features})"
            )
        penalized = self.training and torch.is_grad_enabled()
        prototypes = self.project(self.prototypes)
        sharpened = penalized and self.penalty_weights["sharpening"] > 0
        pieces = list(self._pieces(features, prototypes, pointers, with_weights, sharpened))
        tokens, mass = torch.cat([piece.tokens for piece in pieces]), torch.cat([piece.mass for piece in pieces])
        if self.training:
            self._count(mass.detach())
        if penalized:
            self._losses = self._penalties(prototypes, mass, _joined([piece.sharpness for piece in pieces]))
        weights, variances = _joined([piece.weights for piece in pieces]), _joined([p.variances for p in pieces])
        return PrototypeReading(self.tokens(tokens), mass, weights, variances)

    def project(self, features: Tensor) -> Tensor:
        """Map features (N, D), of patches or prototypes, to where they are compared (N, d)."""
        return self.activation(self.projection(features.to(self.projection.weight.dtype)))

    def _pieces(
        self, features: Tensor, prototypes: Tensor, pointers: list[int], with_weights: bool, sharpened: bool
    ) -> Iterator["_Piece"]:
        """Yield the results of groups of bags."""
        projected = rows_in_pieces(self.project, features, self.checkpoint_patches)
        # A batch in one piece has nothing to gain from being computed twice.
        run = recomputed if 0 < self.checkpoint_patches < len(features) else _at_once
        for first, last in bag_groups(pointers, self.checkpoint_patches):
            rows = projected[pointers[first] : pointers[last]]
            local = [pointer - pointers[first] for pointer in pointers[first : last + 1]]
            yield run(self._assign, rows, prototypes, local, with_weights, sharpened)

    def _assign(
        self, rows: Tensor, prototypes: Tensor, pointers: list[int], with_weights: bool, sharpened: bool
    ) -> "_Piece":
        dtype = torch.promote_types(self.projection.weight.dtype, torch.float32)
        with torch.autocast(rows.device.type, enabled=False):
            found: Assigned = self.assignment(rows.to(dtype), prototypes.to(dtype), pointers)
            sharpness = sharpening_penalty(found.weights, pointers) if sharpened else None
        # What a rule gives an empty bag (a start, a prior) says nothing about the patient.
        filled = torch.tensor(pointers, device=rows.device).diff().gt(0).view(-1, 1, 1)
        tokens = torch.where(filled, found.tokens, 0).to(self.projection.weight.dtype)
        return _Piece(tokens, found.mass, found.weights if with_weights else None, found.variances, sharpness)

    # Penalties and health --------------------------------------------------------------------------------------

    def auxiliary_losses(self) -> dict[str, Tensor]:
        """Return the weighted penalties of the last training step by name, and forget them."""
        losses, self._losses = self._losses, {}
        return losses

    def _penalties(self, prototypes: Tensor, mass: Tensor, sharpness: Tensor | None) -> dict[str, Tensor]:
        weights = self.penalty_weights
        found: dict[str, Tensor] = {}
        if weights["diversity"]:
            found["diversity"] = weights["diversity"] * diversity_penalty(prototypes.to(mass.dtype))
        if weights["usage"]:
            found["usage"] = weights["usage"] * usage_penalty(mass)
        if sharpness is not None:
            found["sharpening"] = weights["sharpening"] * sharpness.mean()
        return found

    def _count(self, mass: Tensor) -> None:
        shares = (mass / mass.sum(1, keepdim=True).clamp_min(1e-6)).sum(0)
        self._used = shares if self._used is None else self._used + shares

    def take_usage(self) -> Tensor:
        """Return (K,): the shares of patients that every prototype took in training since the last call; and forget.

        Sums over patients, so that those of several processes add up.
        """
        used, self._used = self._used, None
        return torch.zeros_like(self.prototypes[:, 0]) if used is None else used

    def health(self, usage: Tensor) -> PrototypeHealth:
        """Judge the prototypes as they stand, see `prototype_health`.

        Args:
            usage: (K,), such as `take_usage()` or a sum over patients of `read(bags).mass`.
        """
        with torch.no_grad():
            projected = self.project(self.prototypes)
        return prototype_health(self.prototypes, self.initial_prototypes, projected, usage)

    # Start values ----------------------------------------------------------------------------------------------

    @torch.no_grad()
    def initialize(
        self,
        bags: Iterable[Tensor],
        max_patches: int = 100_000,
        seed: int = 0,
        normalize: bool = True,
        scale: Scale = "data",
    ) -> KMeansResult:
        """Put the prototypes where k-means finds patches of the training patients; see `kmeans_prototypes`.

        Args:
            bags: Patches of the training patients alone, (n_i, D) each, read once.
            max_patches: Bound of the sample.
            seed: Seed of sample and k-means.
            normalize: Whether patches are scaled to length 1 first.
            scale: "data" or "unit" (published).
        """
        found = kmeans_prototypes(bags, self.num_prototypes, max_patches, seed, normalize, scale)
        if found.prototypes.shape[1] != self.in_features:
            raise InputError(
                f"bags have {found.prototypes.shape[1]} features; this encoder was built for {self.in_features}"
            )
        self.prototypes.copy_(found.prototypes)
        self.initial_prototypes.copy_(found.prototypes)
        self.initialized.fill_(True)
        sample = found.sample.to(self.prototypes.device)
        self.assignment.initialize(self.project(sample).float(), self.project(self.prototypes).float())
        return found

    # Names and copies ------------------------------------------------------------------------------------------

    def sites(self) -> Iterator[Site]:
        """Yield what goes into and comes out of the projection's activation; the tokens are a site of their own."""
        yield from around("projection", "activation", width=self.width)

    def __getstate__(self) -> dict[str, Any]:
        # Losses of an unfinished step hang on a graph, which no copy can take along.
        return {**self.__dict__, "_losses": {}}


class _Piece(NamedTuple):
    """The result of a group of bags."""

    tokens: Tensor
    mass: Tensor
    weights: Tensor | None
    variances: Tensor | None
    sharpness: Tensor | None


def _at_once(function: Callable[..., _Piece], *arguments: Any) -> _Piece:
    return function(*arguments)


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    tensors = [part for part in parts if part is not None]
    return torch.cat(tensors) if tensors else None


def _check(sizes: dict[str, int], penalties: dict[str, float], checkpoint_patches: int) -> None:
    for name, value in sizes.items():
        if value < 1:
            raise InputError(f"{name} is {value}; it must be a positive integer")
    for name, weight in penalties.items():
        if not weight >= 0:
            raise InputError(f"{name} is {weight}; a weight must not be negative")
    if checkpoint_patches < 0:
        raise InputError(f"checkpoint_patches is {checkpoint_patches}; it must not be negative; 0 computes all at once")
