"""The bags of patients: all patches of all slides of a patient, read when they are needed.

Shapes: N patches of a patient, D features.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from .features import SlideHeader, SlidePatches, read_slide, slide_header
from .half_cache import HalfCache
from .index import SlideFile, SlideIndex
from .memory import RecentArrays

__all__ = ["BadSlide", "PatientPatches", "SlideStore"]


@dataclass(frozen=True)
class BadSlide:
    """A slide that cannot be used.

    Args:
        slide: The slide.
        reason: Why, as a sentence.
    """

    slide: SlideFile
    reason: str

    def __str__(self) -> str:
        return f"slide '{self.slide.name}' of patient '{self.slide.patient}': {self.reason}"


@dataclass(frozen=True)
class PatientPatches:
    """The patches of a patient with their places, for maps.

    Args:
        slides: Names of the slides.
        slide: (N,) int64, position in `slides` of each patch.
        coordinates: (N, 2) int64, left and top corner in pixels of level 0; None if a slide has none.
        attributes: What the file of each slide says about its coordinates, such as `patch_size_level0`.

    Example:
        >>> import tempfile
        >>> from axonlight.datamodules.slides.index import index_slides
        >>> folder = Path(tempfile.mkdtemp())
        >>> torch.save({"features": torch.zeros(2, 8), "coords": torch.tensor([[0, 0], [0, 512]])}, folder / "P1.pt")
        >>> patches = SlideStore(index_slides(folder, ["P1"])).patches("P1")
        >>> patches.slides, patches.slide.tolist(), patches.coordinates.tolist()
        (('P1',), [0, 0], [[0, 0], [0, 512]])
    """

    slides: tuple[str, ...]
    slide: np.ndarray
    coordinates: np.ndarray | None
    attributes: tuple[dict[str, Any], ...]


class SlideStore:
    """Read bags from the files of an index.

    Args:
        index: Which file is whose.
        max_bytes: Bytes of slides that are kept in memory for the next time; with a cache the system does that.
        cache: Folder of features in half precision (see `HalfCache`); None reads the files themselves.
        dtype: Type of the bags; None: float16 with a cache, else that of the first slide.

    Example:
        >>> import tempfile
        >>> from axonlight.datamodules.slides.index import index_slides
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name, patches in (("P1-DX1", 3), ("P1-DX2", 2), ("P2-DX1", 4)):
        ...     torch.save(torch.randn(patches, 8), folder / f"{name}.pt")
        >>> store = SlideStore(index_slides(folder, ["P1", "P2"]))
        >>> store.num_features, store.num_patches("P1"), store.bag("P1").shape
        (8, 5, torch.Size([5, 8]))
    """

    def __init__(
        self,
        index: SlideIndex,
        max_bytes: int = 0,
        cache: str | Path | None = None,
        dtype: torch.dtype | None = torch.float32,
    ) -> None:
        self.index, self._given_dtype = index, dtype
        self._recent = RecentArrays(max_bytes)
        self._cache = None if cache is None else HalfCache(cache)
        self._sizes: dict[str, int] = {}

    @property
    def num_features(self) -> int:
        """Width D of the features, that of the first slide that can be read.

        Raises:
            InputError: If none can be read.
        """
        return self._first.num_features

    @cached_property
    def dtype(self) -> torch.dtype:
        """Type of every bag, also of an empty one: batches do not differ by who is in them."""
        if self._given_dtype is not None:
            return self._given_dtype
        return torch.float16 if self._cache is not None else getattr(torch, self._first.dtype)

    @cached_property
    def _first(self) -> SlideHeader:
        first = None
        for slide in self._slides(self.index.files):
            try:
                return slide_header(slide.path)
            except InputError as error:
                first = first or error
        raise InputError(f"no slide of {self.index.folder} can be read; the first: {first}")

    def check(self, patients: Iterable[str]) -> list[BadSlide]:
        """Look at the slides of patients without reading features; return those that cannot be used."""
        bad = [(slide, self._complaint(slide)) for slide in self._slides(patients)]
        return [BadSlide(slide, reason) for slide, reason in bad if reason is not None]

    def without(self, bad: Iterable[BadSlide]) -> "SlideStore":
        """Return a store that lacks these slides; patients who lose their last have none."""
        leave_out = {item.slide.path for item in bad}
        files = {
            patient: kept
            for patient, slides in self.index.files.items()
            if (kept := tuple(slide for slide in slides if slide.path not in leave_out))
        }
        smaller = SlideStore(
            SlideIndex(self.index.folder, files, self.index.unassigned, self.index.absent),
            self._recent.max_bytes,
            None if self._cache is None else self._cache.folder,
            self.dtype,
        )
        smaller.__dict__["_first"] = self._first
        smaller._sizes = dict(self._sizes)
        return smaller

    def num_patches(self, patient: str) -> int:
        """Return the number of patches of a patient: 0 for one without slides."""
        return sum(self._size(slide) for slide in self.index.files.get(patient, ()))

    def bag(self, patient: str, rows: np.ndarray | None = None) -> Tensor:
        """Return the patches of a patient, slide after slide.

        Args:
            patient: Name of the patient; one without slides has an empty bag.
            rows: Which patches, in rising order; None for all.

        Raises:
            InputError: If a slide cannot be read, or has no patches or another width; the message names the patient.
        """
        return self.bags([(patient, rows)])[0]

    def bags(self, wanted: Sequence[tuple[str, np.ndarray | None]]) -> tuple[Tensor, list[int]]:
        """Return the patches of several patients, one behind another, and how many each has; see `bag`."""
        sizes = [self.num_patches(patient) if rows is None else len(rows) for patient, rows in wanted]
        found = torch.empty(sum(sizes), self.num_features, dtype=self.dtype)
        start = 0
        for patient, rows in wanted:
            for part in self._parts(patient, rows):
                # Converted and put in its place at once: no second copy of a bag exists at any time.
                found[start : start + len(part)].copy_(torch.from_numpy(part))
                start += len(part)
        return found, sizes

    def patches(self, patient: str) -> PatientPatches:
        """Return where the patches of a patient lie, in the order of `bag`."""
        slides = self.index.files.get(patient, ())
        read = [self._named(slide, read_slide) for slide in slides]
        places = [slide.coordinates for slide in read if slide.coordinates is not None]
        return PatientPatches(
            tuple(slide.name for slide in slides),
            np.repeat(np.arange(len(read)), [len(slide.features) for slide in read]),
            np.concatenate(places) if places and len(places) == len(read) else None,
            tuple(slide.attributes for slide in read),
        )

    def _slides(self, patients: Iterable[str]) -> Iterable[SlideFile]:
        return (slide for patient in patients for slide in self.index.files.get(patient, ()))

    def _complaint(self, slide: SlideFile) -> str | None:
        try:
            header = slide_header(slide.path)
        except InputError as error:
            return str(error)
        if not header.num_patches:
            return f"{slide.path} holds no patches; extract its features again or remove it"
        if header.num_features != self.num_features:
            return (
                f"{slide.path} has {header.num_features} features per patch, but the others have {self.num_features}; "
                "all slides must come from one encoder"
            )
        self._sizes[slide.name] = header.num_patches
        return None

    def _size(self, slide: SlideFile) -> int:
        if slide.name not in self._sizes:
            self._refuse(slide)
        return self._sizes[slide.name]

    def _refuse(self, slide: SlideFile) -> None:
        reason = self._complaint(slide)
        if reason is not None:
            raise InputError(str(BadSlide(slide, reason)))

    def _named(self, slide: SlideFile, read: Callable[[Path], SlidePatches]) -> SlidePatches:
        """Read a slide; a message names the patient."""
        self._size(slide)
        try:
            return read(slide.path)
        except InputError as error:
            raise InputError(str(BadSlide(slide, str(error)))) from error

    def _features(self, slide: SlideFile) -> np.ndarray:
        self._size(slide)
        if self._cache is not None:
            # Mapped from a file: what was read lately is in the system's own cache.
            return self._cache.get(slide, lambda _: self._named(slide, read_slide).features)
        kept = self._recent.get(slide.name)
        if kept is None:
            kept = self._named(slide, read_slide).features
            self._recent.put(slide.name, kept)
        return kept

    def _parts(self, patient: str, rows: np.ndarray | None) -> Iterator[np.ndarray]:
        """Yield the wanted patches of each slide, as stored."""
        start = 0
        for slide in self.index.files.get(patient, ()):
            end = start + self._size(slide)
            if rows is None:
                yield self._features(slide)
            else:
                first, last = np.searchsorted(rows, (start, end))
                if last > first:
                    yield self._features(slide)[rows[first:last] - start]
            start = end
