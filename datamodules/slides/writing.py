"""Write a slide's features as TRIDENT does.

Shapes: N patches, D features.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...errors import InputError

__all__ = ["Layout", "write_slide"]

Layout = Literal["trident", "leading_axis"]


def write_slide(
    path: Path,
    features: np.ndarray,
    coordinates: np.ndarray | None = None,
    attributes: dict[str, Any] | None = None,
    layout: Layout = "trident",
) -> None:
    """Write `features` and `coords` of a slide to an HDF5 file.

    Args:
        path: The file.
        features: (N, D).
        coordinates: (N, 2) int64, left and top corner in pixels of level 0; None leaves them out.
        attributes: What is said about the coordinates: `patch_size`, `patch_size_level0`, ...
        layout: "trident": (N, D) in chunks of one patch, which can grow; "leading_axis": (1, N, D), as some published
            sets have it.

    Raises:
        InputError: If the layout is unknown.

    Example:
        >>> import tempfile
        >>> from axonlight.datamodules.slides.features import read_slide
        >>> path = Path(tempfile.mkdtemp()) / "slide.h5"
        >>> write_slide(path, np.zeros((3, 8), np.float16), np.zeros((3, 2), np.int64), {"patch_size": 256})
        >>> slide = read_slide(path)
        >>> slide.features.shape, int(slide.attributes["patch_size"])
        ((3, 8), 256)
    """
    import h5py

    if layout not in ("trident", "leading_axis"):
        raise InputError(f"layout is '{layout}'; it must be 'trident' or 'leading_axis'")
    arrays = {"features": features} | ({} if coordinates is None else {"coords": coordinates})
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            if layout == "leading_axis":
                data = file.create_dataset(name, data=values[None])
            else:
                shape = {"chunks": (1, values.shape[1]), "maxshape": (None, values.shape[1])}
                data = file.create_dataset(name, data=values, **shape)
            if name == "coords":
                data.attrs.update(attributes or {})
