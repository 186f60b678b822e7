"""Does a patch along a direction do what it seems to do? The check against the subspace patching illusion.

A direction v of a layer h that feeds a linear map W splits into a part in the row space of W, which acts, and a part
in its kernel, which does not. The patch h + v v^T (h_source - h) reads along all of v and writes along all of v: where
the kernel part varies with the feature and the row part normally rests, the patch takes the variation from the one and
gives it to the other, and a direction seems to carry a feature that the network reads elsewhere (Makelov, Lange, Nanda
2023, arXiv 2311.17030). A faithful direction keeps its effect when its kernel part is left out.

The check needs a map with more than one output: the row space of a single one is a line, and then the row part of every
direction is that line, which carries everything.

Legend of shapes: N samples, D units of the layer, K directions, O outputs of W.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import InputError

__all__ = ["Faithfulness", "faithfulness", "row_and_null"]


@dataclass(frozen=True)
class Faithfulness:
    """Effects of patches along a subspace, its parts, everything, and chance.

    An effect is the share of the difference between the outputs of source and base that a patch carries over: 0 for
    none, 1 for all; it may be negative or above 1.

    Args:
        subspace: Effect of the patch along the subspace.
        row: Along its part in the row space of W.
        null: Along its part in the kernel of W.
        full: Of the whole layer.
        random: Mean over random subspaces of the same dimension.
        random_deviation: Standard deviation over them.
        row_share: Share of the subspace that lies in the row space: ||row part||^2 / K, from 0 to 1.
        norm_change: Mean change in length of the patched activations, relative to the base.
        distance: Root mean squared Mahalanobis distance of the patched activations, in units of that of the sources'
            own; far above 1 where the patch makes activations that the network never sees.

    Example:
        >>> result = Faithfulness(1.0, 0.1, 0.0, 1.0, 0.02, 0.1, 0.5, 0.0, 1.0)
        >>> result.is_illusion
        True
    """

    subspace: float
    row: float
    null: float
    full: float
    random: float
    random_deviation: float
    row_share: float
    norm_change: float
    distance: float

    @property
    def is_illusion(self) -> bool:
        """Whether there is an effect (a tenth of all or more) and less than half of it is left to the row part."""
        return abs(self.subspace) >= 0.1 and abs(self.row) < 0.5 * abs(self.subspace)

    def __str__(self) -> str:
        """Return one line per patch."""
        lines = [
            f"subspace       {self.subspace:7.3f}",
            f"  row part     {self.row:7.3f}   ({self.row_share:.0%} of its squared length)",
            f"  kernel part  {self.null:7.3f}",
            f"whole layer    {self.full:7.3f}",
            f"random         {self.random:7.3f} ± {self.random_deviation:.3f}",
            f"patched activations: length {self.norm_change:+.1%}, Mahalanobis distance x {self.distance:.2f}",
            "illusion: most of the effect needs a part that the network does not read" if self.is_illusion else "",
        ]
        return "\n".join(line for line in lines if line)


def row_and_null(basis: Tensor, readout: Tensor) -> tuple[Tensor, Tensor]:
    """Split directions into their parts in the row space and in the kernel of the linear map that reads the layer.

    Args:
        basis: (K, D) directions.
        readout: (O, D) weight of the map, as of `torch.nn.Linear`.

    Shape:
        - Output: two tensors (K, D), whose sum is the basis

    Raises:
        InputError: If the shapes do not fit.

    Example:
        >>> row, null = row_and_null(torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[0.0, 2.0, 1.0]]))
        >>> row, null
        (tensor([[0.0000, 0.8000, 0.4000]]), tensor([[ 1.0000,  0.2000, -0.4000]]))
    """
    if basis.dim() != 2 or readout.dim() != 2 or basis.shape[1] != readout.shape[1]:
        raise InputError(
            f"basis has shape {tuple(basis.shape)} and readout {tuple(readout.shape)}; they must be (K, D) and (O, D)"
        )
    weight = readout.detach().to(torch.float64)
    directions = basis.detach().to(torch.float64)
    row = directions @ torch.linalg.pinv(weight) @ weight
    return row.to(basis.dtype), (directions - row).to(basis.dtype)


def faithfulness(
    forward: Callable[[Tensor], Tensor],
    base: Tensor,
    source: Tensor,
    basis: Tensor,
    readout: Tensor,
    *,
    draws: int = 20,
    seed: int = 0,
) -> Faithfulness:
    """Compare the patch along a subspace with its parts, the whole layer, and random subspaces.

    The parts are patched along, as in the paper, by their own (normalised) directions: reading and writing.

    Args:
        forward: The network from the layer on: (N, D) -> (N, ...).
        base: (N, D) activations that are patched.
        source: (N, D) activations that values come from, one per base sample.
        basis: (K, D) directions of the subspace, independent.
        readout: (O, D) weight of the linear map that reads the layer. Where several do, stack them.
        draws: Random subspaces.
        seed: Their seed.

    Raises:
        InputError: If shapes do not fit, or source and base give the same output, so that there is nothing to carry.

    Example:
        Three neurons (x, 0, x): the first is not read, the second rests (and counts twice), the third carries x.

        >>> x, other = torch.randn(2, 64)
        >>> hidden = lambda x: torch.stack([x, torch.zeros_like(x), x], dim=1)
        >>> readout = torch.tensor([[0.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
        >>> network = lambda h: (h @ readout.T).sum(1)
        >>> seeming, carrier = torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[0.0, 0.0, 1.0]])
        >>> for direction in (seeming, carrier):
        ...     result = faithfulness(network, hidden(x), hidden(other), direction, readout)
        ...     print(round(result.subspace, 3), round(result.row, 3), result.is_illusion)
        1.0 0.0 True
        1.0 1.0 False
    """
    if base.dim() != 2 or base.shape != source.shape or basis.dim() != 2 or basis.shape[1] != base.shape[1]:
        raise InputError(
            f"base has shape {tuple(base.shape)}, source {tuple(source.shape)} and basis {tuple(basis.shape)}; they "
            "must be (N, D), (N, D) and (K, D)"
        )
    row, null = row_and_null(basis, readout)
    effect = _effect_of(forward, base, source)
    directions = _orthonormal(basis)
    patched = _patched(base, source, directions)
    chance = _random_effects(effect, base, source, len(directions), draws, seed)
    share = directions @ torch.linalg.pinv(readout.to(directions)) @ readout.to(directions)
    return Faithfulness(
        subspace=effect(patched),
        row=effect(_patched(base, source, _orthonormal(row))),
        null=effect(_patched(base, source, _orthonormal(null))),
        full=effect(source),
        random=float(chance.mean()),
        random_deviation=float(chance.std(unbiased=False)),
        row_share=float(share.square().sum() / max(len(directions), 1)),
        norm_change=float((patched.norm(dim=1) / base.norm(dim=1).clamp_min(1e-12)).mean() - 1),
        distance=_distance(patched, source),
    )


def _orthonormal(basis: Tensor) -> Tensor:
    """Return orthonormal directions (R, D) in float64 of the span; what is 0 but for rounding is left out."""
    _, sizes, directions = torch.linalg.svd(basis.detach().to(torch.float64), full_matrices=False)
    return directions[sizes > 1e-6 * basis.detach().to(torch.float64).norm(dim=1).max().clamp_min(1e-6)]


def _patched(base: Tensor, source: Tensor, directions: Tensor) -> Tensor:
    directions = directions.to(base)
    return base + (source - base) @ directions.T @ directions


def _effect_of(forward: Callable[[Tensor], Tensor], base: Tensor, source: Tensor) -> Callable[[Tensor], float]:
    with torch.no_grad():
        before, goal = forward(base).double(), forward(source).double()
    wanted = goal - before
    size = float(wanted.square().sum())
    if size == 0:
        raise InputError("base and source give the same output: there is no effect that a patch could carry over")

    def effect(activation: Tensor) -> float:
        with torch.no_grad():
            return float(((forward(activation).double() - before) * wanted).sum()) / size

    return effect


def _random_effects(
    effect: Callable[[Tensor], float], base: Tensor, source: Tensor, dimension: int, draws: int, seed: int
) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shapes = [torch.randn(dimension, base.shape[1], generator=generator, dtype=torch.float64) for _ in range(draws)]
    return torch.tensor([effect(_patched(base, source, _orthonormal(shape))) for shape in shapes] or [0.0])


def _distance(patched: Tensor, natural: Tensor) -> float:
    """Return the root mean squared Mahalanobis distance from the natural activations, over their own."""
    natural, patched = natural.double(), patched.double()
    centre = natural.mean(0)
    spread = torch.cov((natural - centre).T).reshape(natural.shape[1], -1)
    # a unit that rests has no spread; a thousandth of the mean spread stands for it
    ridge = 1e-3 * spread.diagonal().mean().clamp_min(1e-12) * torch.eye(len(spread), dtype=spread.dtype).to(spread)
    precision = torch.linalg.inv(spread + ridge)
    lengths = [((group - centre) @ precision * (group - centre)).sum(1).mean().sqrt() for group in (patched, natural)]
    return float(lengths[0] / lengths[1].clamp_min(1e-12))
