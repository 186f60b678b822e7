"""Read the patch features of a slide: HDF5 (TRIDENT, CLAM and the like) and tensors saved by torch.

Shapes: N patches of a slide, D features.
"""

import pickle
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...errors import InputError

__all__ = ["SUFFIXES", "SlideHeader", "SlidePatches", "read_slide", "slide_header"]

SUFFIXES = (".h5", ".hdf5", ".pt", ".pth")
_FEATURES = ("features", "feats")
_COORDINATES = "coords"


@dataclass(frozen=True)
class SlideHeader:
    """What a file says before its features are read.

    Args:
        num_patches: N; 0 is possible, and who reads such a slide must say so.
        num_features: D.
        dtype: Type of the stored features, such as float16.
        has_coordinates: Whether each patch has a place.
    """

    num_patches: int
    num_features: int
    dtype: str
    has_coordinates: bool


@dataclass(frozen=True)
class SlidePatches:
    """The patches of a slide.

    Args:
        features: (N, D), as stored.
        coordinates: (N, 2) int64, left and top corner in pixels of the slide's level 0; None if the file has none.
        attributes: What the file says about the coordinates, such as `patch_size` and `patch_size_level0`.
    """

    features: np.ndarray
    coordinates: np.ndarray | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


def slide_header(path: Path) -> SlideHeader:
    """Look at a file without reading its features.

    Raises:
        InputError: If the file cannot be read, or holds no features (N, D) or (1, N, D).

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "slide.pt"
        >>> torch.save(torch.zeros(1, 7, 4), path)
        >>> slide_header(path)
        SlideHeader(num_patches=7, num_features=4, dtype='float32', has_coordinates=False)
    """
    with _opened(path) as content:
        features, coordinates, _ = content
        rows, width = _two_dimensions(features, path)
        return SlideHeader(rows, width, np.dtype(features.dtype).name, coordinates is not None)


def read_slide(path: Path) -> SlidePatches:
    """Read features, coordinates and what is said about them.

    Features are float16, float32 or float64, (N, D) or with a leading axis of one, under `features` or `feats`, or
    the only array of the file. Coordinates, if there are any, stand under `coords`. Files of torch are loaded with
    `weights_only=True`: they hold tensors, and run nothing.

    Raises:
        InputError: As `slide_header`; and if coordinates do not fit, or a feature is not finite.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "slide.pt"
        >>> torch.save({"features": torch.ones(3, 2), "coords": torch.tensor([[0, 0], [0, 256], [256, 0]])}, path)
        >>> slide = read_slide(path)
        >>> slide.features.shape, slide.coordinates.tolist()
        ((3, 2), [[0, 0], [0, 256], [256, 0]])
    """
    with _opened(path) as content:
        features, coordinates, attributes = content
        rows, width = _two_dimensions(features, path)
        values = np.asarray(features[...]).reshape(rows, width)
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        places = None if coordinates is None else _places(np.asarray(coordinates[...]), rows, path)
    # The extremes of an array that holds a NaN are NaN; this is twelve times as fast as asking every number.
    if rows and not all(map(torch.isfinite, torch.from_numpy(values).aminmax())):
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise InputError(f"{path} holds a feature that is no finite number, first in patch {row}; extract them again")
    return SlidePatches(values, places, attributes)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any, dict[str, Any]]]:
    """Yield features and coordinates, as arrays or as data sets of an open file, and attributes."""
    if not path.is_file():
        raise InputError(f"there is no file {path}; give the path of an existing slide")
    if path.suffix.lower() in (".pt", ".pth"):
        yield _from_torch(path)
        return
    with _opened_hdf5(path) as file:
        features = file[_feature_key(file, path)]
        coordinates = file.get(_COORDINATES)
        yield features, coordinates, {} if coordinates is None else dict(coordinates.attrs)


@contextmanager
def _opened_hdf5(path: Path) -> Iterator[Any]:
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path} is no readable HDF5 file ({str(error).splitlines()[0]}); get it again") from error
    with file:
        try:
            yield file
        except (OSError, KeyError, RuntimeError) as error:
            raise InputError(f"{path} is damaged or incomplete ({str(error).splitlines()[0]}); get it again") from error


def _feature_key(file: Any, path: Path) -> str:
    named = [name for name in _FEATURES if name in file]
    others = [name for name in file if name != _COORDINATES and getattr(file[name], "ndim", 0) in (2, 3)]
    if named or len(others) == 1:
        return named[0] if named else others[0]
    raise InputError(
        f"{path} holds {', '.join(file) or 'nothing'}; features must stand under 'features' or 'feats', or be its "
        "only array"
    )


def _from_torch(path: Path) -> tuple[Any, Any, dict[str, Any]]:
    content = _load(path)
    if isinstance(content, torch.Tensor):
        return _array(content), None, {}
    if not isinstance(content, Mapping):
        raise InputError(f"{path} holds a {type(content).__name__}; it must be a tensor or a dictionary of tensors")
    key = next((name for name in _FEATURES if isinstance(content.get(name), torch.Tensor)), None)
    if key is None:
        raise InputError(
            f"{path} is a dictionary of {', '.join(map(str, content)) or 'nothing'}; the tensor of features must "
            "stand under 'features' or 'feats'"
        )
    places = content.get(_COORDINATES)
    others = {str(name): value for name, value in content.items() if name not in (key, _COORDINATES)}
    return _array(content[key]), None if places is None else np.asarray(places), others


def _load(path: Path) -> Any:
    # Files of torch before 1.6 are no zip archives and cannot be mapped into memory.
    mapped = zipfile.is_zipfile(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is no file of plain tensors (weights_only=True refuses it); save its features as a tensor"
        ) from error
    except Exception as error:  # what is no such file may fail in any way: a text, for instance, by a KeyError
        why = str(error).partition("\n")[0]
        raise InputError(
            f"{path} is no readable file of torch ({type(error).__name__}: {why}); get it again"
        ) from error


def _array(features: torch.Tensor) -> np.ndarray:
    # NumPy has no bfloat16; float32 holds its values exactly.
    return (features.float() if features.dtype == torch.bfloat16 else features).detach().numpy()


def _two_dimensions(features: Any, path: Path) -> tuple[int, int]:
    """Return N and D."""
    shape = tuple(features.shape)
    if len(shape) == 3 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) != 2 or not shape[1]:
        raise InputError(
            f"the features of {path} have the shape {tuple(features.shape)}; it must be (patches, features) or "
            "(1, patches, features)"
        )
    kind = np.dtype(features.dtype)
    if kind.kind != "f" or kind.itemsize > 8:
        raise InputError(f"the features of {path} are of type {kind}; it must be float16, float32 or float64")
    return shape


def _places(coordinates: np.ndarray, rows: int, path: Path) -> np.ndarray:
    if coordinates.ndim == 3 and coordinates.shape[0] == 1:
        coordinates = coordinates[0]
    if coordinates.shape != (rows, 2):
        raise InputError(
            f"the coordinates of {path} have the shape {coordinates.shape}, but there are {rows} patches; it must be "
            f"({rows}, 2)"
        )
    return coordinates.astype(np.int64)
