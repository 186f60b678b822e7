"""Feature vectors of classes: drawn, or read from an HDF5 file.

Shapes: C classes, E exemplars of a class, F features.
"""

import os

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError, shown
from ...randomness import derive_seed

__all__ = ["features_shape", "read_features", "synthetic_features"]


def synthetic_features(num_classes: int = 1623, num_features: int = 512, seed: int = 0) -> Tensor:
    """Draw one vector per class: |o_f| + |e_cf|, with o_f and e_cf standard normal and o shared by all classes.

    Like the pooled outputs of a residual network they are not negative, and any two classes are alike: the expected
    cosine is (1 + 4 / pi + 2 / pi) / (2 + 4 / pi) = 0.89. Both come from ``numpy.random.default_rng`` seeded with
    ``derive_seed(seed, "features")``, the offset first.

    Args:
        num_classes: Classes C.
        num_features: Features F.
        seed: Seed of the draw.

    Returns:
        float32 (C, F).

    Example:
        >>> features = synthetic_features(200)
        >>> cosines = torch.cosine_similarity(features[0], features[1:], dim=-1)
        >>> features.shape, bool((features >= 0).all()), round(float(cosines.mean()), 2)
        (torch.Size([200, 512]), True, 0.89)
    """
    generator = np.random.default_rng(derive_seed(seed, "features"))
    offset = np.abs(generator.standard_normal(num_features))
    own = np.abs(generator.standard_normal((num_classes, num_features)))
    return torch.from_numpy((offset + own).astype(np.float32))


def features_shape(path: str, key: str) -> tuple[int, int, int]:
    """Return the shape (C, E, F) of the features of a file, from its header.

    Raises:
        InputError: If the file cannot be read, has no such data set, or the data set has another form.
    """
    return _open(path, key, None)[0]


def read_features(path: str, key: str, exemplar: int) -> Tensor:
    """Read one exemplar of every class, float32 (C, F).

    Raises:
        InputError: If the file is not as `features_shape` wants it, has no such exemplar, or holds what is no number.
    """
    values = _open(path, key, exemplar)[1]
    assert values is not None  # noqa: S101
    if not bool(torch.isfinite(values).all()):
        raise InputError(f"data set {key!r} of {path} holds values that are not finite; features must be numbers")
    return values


def _open(path: str, key: str, exemplar: int | None) -> tuple[tuple[int, int, int], Tensor | None]:
    import h5py

    if not os.path.isfile(path):
        raise InputError(f"features is {path!r}, which is no file; give an HDF5 file, or leave it out to draw features")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path} is no HDF5 file") from error
    with file:
        item = file.get(key)
        if not isinstance(item, h5py.Dataset):
            raise InputError(f"{path} has no data set {key!r}; it has {shown(sorted(file)) or 'none'}")
        if item.ndim != 3 or item.dtype.kind not in "fiu":
            raise InputError(
                f"data set {key!r} of {path} has shape {tuple(item.shape)} and type {item.dtype}; it must hold numbers "
                "of shape (classes, exemplars, features)"
            )
        classes, exemplars, features = (int(size) for size in item.shape)
        if exemplar is not None and not 0 <= exemplar < exemplars:
            raise InputError(f"exemplar is {exemplar}, but {path} has {exemplars} per class, counted from 0")
        values = None if exemplar is None else torch.from_numpy(np.asarray(item[:, exemplar], dtype=np.float32))
    return (classes, exemplars, features), values
