"""Start values of prototypes: k-means on a bounded sample of training patches.

Legend of shapes: n patches of one bag, S patches of the sample, K prototypes, D features.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ...randomness import derive_seed

__all__ = ["KMeansResult", "Scale", "kmeans_prototypes", "sample_patches"]

Scale = Literal["data", "unit"]


@dataclass(frozen=True)
class KMeansResult:
    """Prototypes found by k-means, and what they were found from.

    Attributes:
        prototypes: (K, D) float32.
        sizes: Patches of the sample that are nearest to each prototype.
        sample: (S, D) float32, the patches themselves, as they were read.
        patients: Bags that the sample was drawn from; empty ones do not count.
        per_patient: Most patches drawn from one bag.
        seed: Seed of the sample and of k-means.

    Example:
        >>> result = kmeans_prototypes([torch.randn(50, 3) for _ in range(4)], 2, max_patches=100)
        >>> result.prototypes.shape, sum(result.sizes), result.patients, result.per_patient
        (torch.Size([2, 3]), 100, 4, 25)
    """

    prototypes: Tensor
    sizes: tuple[int, ...]
    sample: Tensor
    patients: int
    per_patient: int
    seed: int


def sample_patches(bags: Iterable[Tensor], max_patches: int, seed: int) -> tuple[list[Tensor], int]:
    """Draw patches without replacement from bags that are read once, at most so many in all.

    Every bag gives the same number, or all that it has: the largest number with which the sample stays within
    `max_patches`. The draw depends on the seed and the position of the bag alone. No more than `max_patches` patches
    and one bag are held at a time.

    Args:
        bags: (n_i, D) each, in any floating type.
        max_patches: Bound of the sample.
        seed: Seed of the draw.

    Returns:
        The draws, one tensor per bag that is not empty, and the number that a bag gives at most.

    Raises:
        InputError: If a bag holds a number that is not finite, or there are more bags than patches allowed.

    Example:
        >>> draws, most = sample_patches([torch.zeros(5, 2), torch.zeros(100, 2)], max_patches=25, seed=0)
        >>> [len(draw) for draw in draws], most
        ([5, 20], 20)
    """
    draws: list[Tensor] = []
    most = max_patches
    for position, bag in enumerate(bags):
        if not len(bag):
            continue
        order = torch.randperm(len(bag), generator=_generator(seed, position))[:most]
        draw = bag.detach()[order.to(bag.device)].float().cpu()
        if not torch.isfinite(draw).all():
            raise InputError(f"bag {position} holds a feature that is not finite; k-means needs finite features")
        draws.append(draw)
        if sum(map(len, draws)) > max_patches:
            # A shorter start of a random order is a random sample too.
            most = _quota([len(item) for item in draws], max_patches)
            draws = [item[:most].clone() for item in draws]
    if most < 1:
        raise InputError(
            f"max_patches is {max_patches}, fewer than the {len(draws)} bags; every bag gives at least one"
        )
    return draws, most


def kmeans_prototypes(
    bags: Iterable[Tensor],
    num_prototypes: int,
    max_patches: int = 100_000,
    seed: int = 0,
    normalize: bool = True,
    scale: Scale = "data",
    restarts: int = 10,
) -> KMeansResult:
    """Find prototypes by mini-batch k-means on a sample of training patches.

    Published (ProtoPathway, arXiv 2605.21454): up to 100,000 patches scaled to length 1, 10 restarts, and the centres
    as they come (`scale="unit"`), about as long as one patch scaled so. Patches themselves are longer, and the shared
    projection has a bias, which pulls such short prototypes into one direction; `scale="data"` multiplies every centre
    by the mean length of its patches.

    Args:
        bags: Patches of the training patients alone, (n_i, D) each, read once.
        num_prototypes: Prototypes K.
        max_patches: Bound of the sample, see `sample_patches`.
        seed: Seed of sample and k-means.
        normalize: Whether patches are scaled to length 1 first.
        scale: "data" or "unit"; without `normalize` it changes nothing.
        restarts: Starts of k-means, of which the best by inertia is refined.

    Raises:
        InputError: If there are fewer patches than prototypes, bags differ in width, a feature is not finite or an
            option is unusable.

    Example:
        >>> bags = [torch.tensor([[5.0, 0.1], [0.1, 3.0], [5.0, 0.2], [0.2, 3.0]])] * 5
        >>> kmeans_prototypes(bags, 2).prototypes.sort(dim=0).values.round()
        tensor([[0., 0.],
                [5., 3.]])
    """
    _check(num_prototypes, max_patches, scale, restarts)
    draws, most = sample_patches(bags, max_patches, seed)
    widths = sorted({draw.shape[1] for draw in draws})
    if len(widths) > 1:
        raise InputError(f"bags have {' and '.join(map(str, widths))} features; all must have the same")
    sample = torch.cat(draws) if draws else torch.zeros(0, 0)
    if len(sample) < num_prototypes:
        raise InputError(f"num_prototypes is {num_prototypes}, but the training bags give {len(sample)} patches")
    lengths = sample.norm(dim=1)
    points = sample / lengths.clamp_min(1e-12).unsqueeze(1) if normalize else sample
    centres, labels = _cluster(points.numpy(), num_prototypes, seed, restarts)
    sizes = np.bincount(labels, minlength=num_prototypes)
    if normalize and scale == "data":
        mean_lengths = np.bincount(labels, weights=lengths.double().numpy(), minlength=num_prototypes)
        # A centre that lost its last patch keeps the length of all.
        mean_lengths = np.where(sizes > 0, mean_lengths / np.maximum(sizes, 1), lengths.mean().item())
        centres = centres * mean_lengths[:, None]
    found = torch.from_numpy(np.ascontiguousarray(centres)).float()
    return KMeansResult(found, tuple(sizes.tolist()), sample, len(draws), most, seed)


def _check(num_prototypes: int, max_patches: int, scale: str, restarts: int) -> None:
    for name, value in [("num_prototypes", num_prototypes), ("max_patches", max_patches), ("restarts", restarts)]:
        if value < 1:
            raise InputError(f"{name} is {value}; it must be a positive integer")
    if scale not in get_args(Scale):
        raise InputError(f"scale is {scale!r}; it must be one of {', '.join(map(repr, get_args(Scale)))}")


def _cluster(points: np.ndarray, count: int, seed: int, restarts: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.cluster import MiniBatchKMeans

    state = derive_seed(seed, "prototypes", "k-means") % 2**32
    options: dict[str, Any] = {"n_init": restarts, "batch_size": 4096, "random_state": state}
    model = MiniBatchKMeans(count, **options).fit(points)
    return np.asarray(model.cluster_centers_), np.asarray(model.predict(points))


def _generator(seed: int, position: int) -> torch.Generator:
    return torch.Generator().manual_seed(derive_seed(seed, "prototypes", "patches", position))


def _quota(sizes: Sequence[int], limit: int) -> int:
    """Return the largest q with sum of min(size, q) <= limit."""
    left, remaining = limit, len(sizes)
    for size in sorted(sizes):
        if size * remaining > left:
            return left // remaining
        left, remaining = left - size, remaining - 1
    return max(sizes)
