"""Which file holds which slide of which patient."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import InputError, shown
from .features import SUFFIXES

__all__ = ["SlideFile", "SlideIndex", "index_slides"]

_SEPARATORS = "-._ "
# Endings of the images that features are made of: a table may name `A.svs` what the features' file calls `A`.
_IMAGES = (".svs", ".ndpi", ".tiff", ".tif", ".mrxs", ".scn", ".vms", ".qptiff", ".czi")


@dataclass(frozen=True)
class SlideFile:
    """A slide.

    Args:
        name: The file's name without its ending.
        patient: Whose slide it is.
        path: The file.
    """

    name: str
    patient: str
    path: Path


@dataclass(frozen=True)
class SlideIndex:
    """The slides of a folder.

    Args:
        folder: The folder.
        files: Slides of each patient who has some, in the order of their names.
        unassigned: Files whose name is that of no patient.
        absent: Slides of the table that have no file.
    """

    folder: Path
    files: dict[str, tuple[SlideFile, ...]] = field(default_factory=dict)
    unassigned: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of slides."""
        return sum(map(len, self.files.values()))


def index_slides(folder: str | Path, patients: Iterable[str], slides: Mapping[str, str] | None = None) -> SlideIndex:
    """Find the slides of patients in a folder.

    A file belongs to the patient whom the table of slides names for it; else to the patient whose name it has (one
    file per patient), or whose name it begins with, followed by one of "-._" or a blank: `TCGA-2F-A9KO-01Z-00-DX1.h5`
    is of TCGA-2F-A9KO.

    Args:
        folder: The folder; its sub-folders are not looked into.
        patients: Names of all patients that are known, in use or not.
        slides: Patient of each slide, as a table of slides names them; the endings of images (.svs) do not count.

    Raises:
        InputError: If the folder is none or holds no slide, a slide stands in two files, or the table gives a slide
            to two patients.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("P1-DX1.h5", "P1-DX2.h5", "P2.pt", "other.h5", "notes.txt"):
        ...     (folder / name).touch()
        >>> index = index_slides(folder, ["P1", "P2", "P3"])
        >>> {patient: [slide.name for slide in slides] for patient, slides in index.files.items()}
        {'P1': ['P1-DX1', 'P1-DX2'], 'P2': ['P2']}
        >>> index.unassigned
        ('other.h5',)
    """
    folder = Path(folder).expanduser()
    paths = _slides_in(folder)
    _refuse_repeated(paths)
    known, named = set(patients), _named(slides or {})
    found: dict[str, list[SlideFile]] = {}
    unassigned = []
    for path in paths:
        patient = named.get(path.stem) or _patient_of(path.stem, known)
        if patient is None:
            unassigned.append(path.name)
        else:
            found.setdefault(patient, []).append(SlideFile(path.stem, patient, path))
    stems = {path.stem for path in paths}
    absent = tuple(name for name in named if name not in stems)
    return SlideIndex(folder, {name: tuple(files) for name, files in found.items()}, tuple(unassigned), absent)


def _slides_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"slides is '{folder}', which is not an existing folder")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if paths:
        return paths
    below = sorted({path.parent for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES})
    hint = f"; those of {shown([str(path) for path in below], 3)} hold some" if below else ""
    raise InputError(f"slides is '{folder}', which holds no file ending in {', '.join(SUFFIXES)}{hint}")


def _refuse_repeated(paths: list[Path]) -> None:
    twice = [name for name, count in Counter(path.stem for path in paths).items() if count > 1]
    if twice:
        files = [path.name for path in paths if path.stem == twice[0]]
        raise InputError(
            f"slide '{twice[0]}' stands in several files ({', '.join(files)}) of {paths[0].parent}; keep one"
        )


def _named(slides: Mapping[str, str]) -> dict[str, str]:
    """Return the patient of each slide, named as its file."""
    named: dict[str, str] = {}
    for slide, patient in slides.items():
        name = _without_image(slide)
        if named.setdefault(name, patient) != patient:
            raise InputError(f"slide '{name}' is given to the patients {named[name]} and {patient}; correct the table")
    return named


def _without_image(slide: str) -> str:
    ending = next((ending for ending in _IMAGES if slide.lower().endswith(ending)), "")
    return slide[: len(slide) - len(ending)]


def _patient_of(stem: str, patients: set[str]) -> str | None:
    """Return the patient whose name the slide's begins with; the longest of several."""
    ends = [len(stem), *(place for place in range(len(stem) - 1, 0, -1) if stem[place] in _SEPARATORS)]
    return next((stem[:end] for end in ends if stem[:end] in patients), None)
