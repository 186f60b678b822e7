"""Features in half precision on disk, laid out to be mapped into memory: half the bytes, and no decoding.

Shapes: N patches of a slide, D features.
"""

import json
import logging
import os
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from .index import SlideFile

__all__ = ["HalfCache"]

log = logging.getLogger(__name__)


class HalfCache:
    """A folder of slides as float16 `.npy` files, each with a `.json` beside it that says what it was made from.

    Files appear only when they are complete, so several processes may fill the folder at once. An entry is made anew
    when the slide's file has another size or time, and when its checksum does not fit, which is looked at once per
    process.

    Args:
        folder: The folder; it is made.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> slide = SlideFile("a", "patient", folder / "a.h5")
        >>> _ = slide.path.write_bytes(b"features")
        >>> cache = HalfCache(folder / "cache")
        >>> cache.get(slide, lambda path: np.full((3, 2), 0.5)).dtype
        dtype('float16')
        >>> cache.get(slide, lambda path: 1 / 0).tolist()  # from the file
        [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5]]
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser()
        self._checked: set[str] = set()

    def get(self, slide: SlideFile, read: Callable[[Path], np.ndarray]) -> np.ndarray:
        """Return the features (N, D) of a slide, mapped from the cache; `read` is called if they are not there.

        Raises:
            InputError: If a feature is too large for float16, or the folder cannot be written.
        """
        source = _source_of(slide.path)
        found = self._open(slide, source)
        if found is None:
            self._write(slide, source, read(slide.path))
            found = self._open(slide, source)
        if found is None:
            raise InputError(f"cache is '{self.folder}', whose files change while they are read; give another folder")
        return found

    def _files(self, slide: SlideFile) -> tuple[Path, Path]:
        return self.folder / f"{slide.name}.npy", self.folder / f"{slide.name}.json"

    def _open(self, slide: SlideFile, source: dict[str, Any]) -> np.ndarray | None:
        values, described = self._files(slide)
        try:
            entry = json.loads(described.read_text())
            # Copy on write: nothing that is done to the array reaches the file.
            array = np.load(values, mmap_mode="c")
        except (OSError, ValueError, EOFError):
            return None
        if entry.get("source") != source:
            return None
        if slide.name not in self._checked:
            if _checksum(array) != entry.get("crc32"):
                log.warning("%s is damaged (its checksum differs); it is made anew", values)
                return None
            self._checked.add(slide.name)
        return array

    def _write(self, slide: SlideFile, source: dict[str, Any], features: np.ndarray) -> None:
        with np.errstate(over="ignore"):
            half = np.ascontiguousarray(features, dtype=np.float16)
        if not np.isfinite(half).all():
            raise InputError(
                f"cache is '{self.folder}', but slide '{slide.name}' of patient '{slide.patient}' has features up to "
                f"{np.abs(features).max():g}, beyond float16 (65,504); leave out cache"
            )
        values, described = self._files(slide)
        text = json.dumps({"source": source, "crc32": _checksum(half)})
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # The description comes last: without it the entry does not count.
            _replace(values, lambda file: np.save(file, half))
            _replace(described, lambda file: file.write(text.encode()))
        except OSError as error:
            raise InputError(f"cache is '{self.folder}', which cannot be written ({error})") from error


def _checksum(array: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(array).data.cast("B"))


def _source_of(path: Path) -> dict[str, Any]:
    found = path.stat()
    return {"name": path.name, "bytes": found.st_size, "modified": found.st_mtime_ns}


def _replace(path: Path, write: Callable[[Any], object]) -> None:
    """Write a file beside another and put it in its place."""
    scratch = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        with scratch.open("xb") as file:
            write(file)
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
