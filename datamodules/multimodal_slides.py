"""The slides of a multimodal cohort: those of a folder, or simulated ones, written when they are first needed."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..structures import Hierarchy
from .slides.settings import SlideSimulation, checked_settings, simulation_digest
from .slides.simulate import SimulatedSlides, simulate_slides
from .slides.source import SlideOptions, open_slides, simulation_folder
from .slides.store import SlideStore

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CohortSlides", "SimulationInput"]


@dataclass(frozen=True)
class SimulationInput:
    """What slides are simulated from; see `simulate_slides`."""

    rna: "pd.DataFrame"
    hierarchy: Hierarchy
    outcome: "pd.DataFrame"


@dataclass
class CohortSlides:
    """Where the slides of a cohort come from.

    Args:
        folder: Their folder; None: nobody has slides, or simulated ones lie in the user's cache.
        simulate: Settings of a simulation, or None.
        table: Patient of each slide, as the metadata say.
        known: All patients that any file names.
        used: Patients with an outcome, whose slides are looked at.
        options: How slides are read.
        simulation_input: Reads what slides are simulated from.
    """

    folder: str | None
    simulate: SlideSimulation | None
    table: Mapping[str, str]
    known: Collection[str]
    used: Collection[str]
    options: SlideOptions
    simulation_input: Callable[[], SimulationInput]

    def __post_init__(self) -> None:
        if self.simulate is not None:
            checked_settings(self.simulate)

    @property
    def num_features(self) -> int:
        """Width D of a patch; 0 where nobody has slides."""
        if self.simulate is not None:
            return checked_settings(self.simulate).num_features
        return 0 if self.store is None else self.store.num_features

    @cached_property
    def store(self) -> SlideStore | None:
        """The slides, written first if they are simulated; None where nobody has any."""
        folder = self.folder if self.simulate is None else self.simulated.folder
        if folder is None:
            return None
        return open_slides(folder, self.known, self.used, self.table, self.options)

    @property
    def patients(self) -> Collection[str]:
        """Patients who have slides that can be used (not for simulated ones, which need not be there yet)."""
        return () if self.store is None else self.store.index.files

    @cached_property
    def simulated(self) -> SimulatedSlides:
        """What was planted; written by the first process that asks.

        Raises:
            InputError: If nothing is simulated.
        """
        if self.simulate is None:
            raise InputError("simulate is not given: these slides are not simulated, and nothing is planted in them")
        from filelock import FileLock

        source, slides = self.simulation_input(), self._slides_of_patients()
        digest = simulation_digest(self.simulate, source.rna, source.hierarchy, source.outcome, slides)
        folder = simulation_folder(digest) if self.folder is None else Path(self.folder).expanduser()
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder.with_name(f".{folder.name}.lock"))
            with lock:
                return simulate_slides(
                    source.rna,
                    folder,
                    source.hierarchy,
                    outcome=source.outcome,
                    slides=slides,
                    settings=self.simulate,
                )
        except OSError as error:
            raise InputError(f"simulated slides cannot be written to {folder} ({error}); set slides") from error

    def _slides_of_patients(self) -> dict[str, list[str]]:
        slides: dict[str, list[str]] = {}
        for name, patient in self.table.items():
            slides.setdefault(patient, []).append(name.removesuffix(".svs"))
        return slides
