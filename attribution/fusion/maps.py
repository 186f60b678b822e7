"""Maps of a patient's slides: prototypes, pathways and genes drawn on the coordinates of the patches."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ...errors import InputError
from ...plots.tile_map import TilePanel, draw_tile_maps
from .attributions import FusionAttributions
from .tiles import dominant_prototypes, tile_scores

__all__ = ["PatchPlaces", "draw_patient_map", "slide_thumbnail", "tile_panels"]


class PatchPlaces(Protocol):
    """Where the patches of a patient lie: what `data.slides.patches(patient)` returns.

    Attributes:
        slides: Names of the slides.
        slide: (n,) place in `slides` of each patch.
        coordinates: (n, 2) corners in pixels of level 0; None if they were not stored.
        attributes: Per slide what the file says, such as `patch_size_level0`, `level0_width`.

    Example:
        >>> from types import SimpleNamespace
        >>> places: PatchPlaces = SimpleNamespace(
        ...     slides=["DX1"], slide=np.zeros(1, dtype=int), coordinates=np.zeros((1, 2)), attributes=[{}])
        >>> places.coordinates.shape
        (1, 2)
    """

    @property
    def slides(self) -> Sequence[str]:
        """Names of the slides."""
        ...

    @property
    def slide(self) -> NDArray[Any]:
        """The slide of each patch."""
        ...

    @property
    def coordinates(self) -> NDArray[Any] | None:
        """Their corners."""
        ...

    @property
    def attributes(self) -> Sequence[dict[str, Any]]:
        """What the files say."""
        ...


def draw_patient_map(
    found: FusionAttributions,
    patient: str,
    places: PatchPlaces,
    *,
    prototype: str | None = None,
    pathway: str | None = None,
    gene: str | None = None,
    hard: bool = False,
    ranked: bool = False,
    thumbnails: Sequence[NDArray[Any] | None] = (),
) -> Figure:
    """Draw where a prototype, a pathway or a gene lies; without any of them, the dominant prototype of each patch.

    Args:
        found: With shares of patches.
        patient: Name.
        places: Where the patches lie: `data.slides.patches(patient)`.
        prototype: See `tile_scores`, as are
        pathway: this,
        gene: this,
        hard: this,
        ranked: and this.
        thumbnails: Pictures of the slides, such as `slide_thumbnail` reads; none: on a plain canvas.

    Raises:
        InputError: If coordinates are not known, their number is another, or see `tile_scores`.

    Example:
        >>> from types import SimpleNamespace
        >>> from axonlight.attribution.fusion import PatchShares
        >>> found = FusionAttributions(
        ...     ("ann",), ("p0", "p1"), ("s",), ("g",), np.zeros((2, 1), dtype=np.int64), np.ones((1, 1)),
        ...     np.ones((1, 1)), np.ones(1), np.ones((1, 2)),
        ...     shares=PatchShares(np.array([0, 2]), np.array([[0.9, 0.1], [0.3, 0.7]])))
        >>> places = SimpleNamespace(slides=("DX1",), slide=np.zeros(2, dtype=int), attributes=({},),
        ...     coordinates=np.array([[0, 0], [512, 0]]))
        >>> len(draw_patient_map(found, "ann", places).axes)
        1
    """
    named = [name for name in (prototype, pathway, gene) if name is not None]
    if not named:
        values = dominant_prototypes(found, patient).astype(np.float64)
        panels = tile_panels(places, values, thumbnails)
        return draw_tile_maps(panels, classes=found.prototypes, title=f"{patient}: prototype of each patch")
    values = tile_scores(found, patient, prototype=prototype, pathway=pathway, gene=gene, hard=hard, ranked=ranked)
    title = f"{patient}: {found.title(named[0])}"
    label = "percentile among the patches" if ranked else _label(prototype, pathway)
    return draw_tile_maps(tile_panels(places, values, thumbnails), label=label, title=title)


def _label(prototype: str | None, pathway: str | None) -> str:
    if prototype is not None:
        return "share of the patch"
    return "attention to the pathway" if pathway is not None else "attention to the gene, through pathways"


def tile_panels(
    places: PatchPlaces, values: NDArray[Any], thumbnails: Sequence[NDArray[Any] | None] = ()
) -> list[TilePanel]:
    """Return a panel per slide.

    Raises:
        InputError: If coordinates are not known, or belong to another number of patches.

    Example:
        >>> from types import SimpleNamespace
        >>> places = SimpleNamespace(slides=("DX1",), slide=np.array([0]), coordinates=np.array([[0, 0]]),
        ...     attributes=({"patch_size_level0": 512},))
        >>> tile_panels(places, np.array([1.0]))[0].pitch
        512.0
    """
    if places.coordinates is None:
        raise InputError(f"the slides {', '.join(places.slides)} hold no coordinates, so there is nothing to draw on")
    if len(places.coordinates) != len(values):
        raise InputError(
            f"there are {len(values)} values for {len(places.coordinates)} patches: some were left out "
            "(eval_max_patches); collect all"
        )
    pictures = [*thumbnails, *[None] * len(places.slides)]
    return [
        _panel(name, places, number, values, pictures[number])
        for number, name in enumerate(places.slides)
        if (places.slide == number).any()
    ]


def _panel(
    name: str, places: PatchPlaces, number: int, values: NDArray[Any], picture: NDArray[Any] | None
) -> TilePanel:
    members = places.slide == number
    known = places.attributes[number] if number < len(places.attributes) else {}
    tile = known.get("patch_size_level0")
    size = known.get("level0_width"), known.get("level0_height")
    reach = None if size[0] is None or size[1] is None else (float(size[0]), float(size[1]))
    assert places.coordinates is not None  # noqa: S101
    return TilePanel(
        name, places.coordinates[members], values[members], None if tile is None else float(tile), reach, picture
    )


def slide_thumbnail(path: str | Path, side: int = 1024) -> NDArray[np.uint8]:
    """Read a picture (h, w, 3) of a whole slide, at most `side` pixels long; needs the package openslide-python.

    Raises:
        InputError: If openslide is not installed, or the file cannot be read.

    Example:
        >>> slide_thumbnail("no_such_slide.svs")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: ...
    """
    try:
        import openslide  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise InputError("thumbnails need openslide; pip install openslide-python openslide-bin") from error
    try:
        with openslide.OpenSlide(str(path)) as slide:
            return np.asarray(slide.get_thumbnail((side, side)).convert("RGB"))
    except (OSError, openslide.OpenSlideError) as error:
        raise InputError(f"{path} cannot be read as a whole slide ({error})") from error
