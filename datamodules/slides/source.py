"""Open the slides of a cohort: what is there, what is missing, and what cannot be used."""

import logging
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from lightning.pytorch.utilities import rank_zero_only

from ...errors import InputError, shown
from .index import SlideIndex, index_slides
from .store import SlideStore

__all__ = ["OnBad", "OnUnknown", "SlideOptions", "open_slides", "simulation_folder"]

log = logging.getLogger(__name__)
OnUnknown = Literal["error", "ignore"]
OnBad = Literal["error", "skip"]


@dataclass(frozen=True)
class SlideOptions:
    """How slides are read.

    Args:
        on_unknown: What becomes of a file that is no known patient's: "error" or "ignore".
        on_bad: What becomes of a slide that cannot be used: "error", or "skip", which leaves it out and says so.
        cache: Folder of features in half precision, or None.
        max_bytes: Bytes of slides kept in memory by each process that reads.
        dtype: Type of the bags; None: see `SlideStore`.

    Raises:
        InputError: If a choice is unknown.
    """

    on_unknown: OnUnknown = "error"
    on_bad: OnBad = "error"
    cache: str | None = None
    max_bytes: int = 0
    dtype: torch.dtype | None = torch.float32

    def __post_init__(self) -> None:
        for key, value, known in (
            ("unknown_slides", self.on_unknown, ("error", "ignore")),
            ("bad_slides", self.on_bad, ("error", "skip")),
        ):
            if value not in known:
                raise InputError(f"{key} is '{value}'; it must be '{known[0]}' or '{known[1]}'")


def open_slides(
    folder: str | Path,
    patients: Collection[str],
    used: Collection[str],
    table: Mapping[str, str],
    options: SlideOptions,
) -> SlideStore:
    """Return a store of the slides of a folder.

    Args:
        folder: The folder.
        patients: All patients that are known.
        used: Those whose slides will be read, and are looked at now.
        table: Patient of each slide.
        options: How slides are read.

    Raises:
        InputError: If a file is no known patient's or a slide cannot be used, unless the options say otherwise; the
            message names files and patients.
    """
    index = index_slides(folder, patients, table)
    if index.unassigned and options.on_unknown == "error":
        raise InputError(
            f"{len(index.unassigned)} slides of {index.folder} are of no known patient ({shown(index.unassigned)}); a "
            "file must be named in the table of slides or begin with the name of a patient; set unknown_slides to "
            "'ignore' to leave them out"
        )
    store = SlideStore(index, options.max_bytes, options.cache, options.dtype)
    bad = store.check(used) if index.files else []
    if bad and options.on_bad == "error":
        others = f" (and {len(bad) - 1} more slides: {shown([item.slide.name for item in bad[1:]])})" if bad[1:] else ""
        raise InputError(f"{bad[0]}{others}; set bad_slides to 'skip' to leave such slides out")
    for item in bad:
        _warn(str(item))
    _report(index, used)
    return store.without(bad) if bad else store


@rank_zero_only
def _warn(complaint: str) -> None:
    log.warning("left out is %s", complaint)


@rank_zero_only
def _report(index: SlideIndex, used: Collection[str]) -> None:
    numbers = [len(slides) for patient, slides in index.files.items() if patient in set(used)]
    log.info(
        "%s: %d slides of %d patients in use, %d of them with several (up to %d)",
        index.folder,
        sum(numbers),
        len(numbers),
        sum(number > 1 for number in numbers),
        max(numbers, default=0),
    )
    if index.unassigned:
        log.warning(
            "%s: %d files are of no known patient (%s)", index.folder, len(index.unassigned), shown(index.unassigned)
        )
    if index.absent:
        log.warning(
            "%s lacks %d slides that the table names (%s)", index.folder, len(index.absent), shown(index.absent)
        )


def simulation_folder(digest: str) -> Path:
    """Return where simulated slides are kept if no folder is named: in the user's cache."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return base / "axonlight" / "simulated_slides" / digest[:16]
