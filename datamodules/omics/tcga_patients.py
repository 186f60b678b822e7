"""Patients of a TCGA cohort as prepared for SurvPath: slides to patients, censorship to event, and what is unknown.

Source of the files' form: Jaume et al., "Modeling dense multimodal interactions between biological pathways and
histology for survival prediction", 2024, arXiv 2304.06819 (one row per slide; censorship 1 = censored).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ...datasets import column_names, data_root, find_column, read_table
from ...errors import InputError, shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ENDPOINTS", "Cohort", "CohortFiles", "Endpoint", "find_cohort", "read_cohort"]

Endpoint = Literal["os", "dss", "pfi"]

# What happens, and how the columns of the endpoint end.
ENDPOINTS: dict[str, tuple[str, str]] = {
    "os": ("death", ""),
    "dss": ("death from the disease", "_dss"),
    "pfi": ("progression", "_pfi"),
}
_CASE = "case_id"
_OF_SLIDES = ("slide_id", "train")
# Codes that mean: not known. Stage 0 would be a tumour that is not invasive, which these cohorts do not hold.
_NOT_KNOWN = {"stage": ("0",), "grade": ("GX",)}


@dataclass(frozen=True)
class CohortFiles:
    """Where the files of a cohort lie; `clinical` and `splits` may be absent.

    Args:
        folder: Their folder.
        rna: Patients x genes.
        metadata: One row per slide.
        clinical: Stage and grade.
        splits: Folder of the published splits.
    """

    folder: Path
    rna: Path
    metadata: Path
    clinical: Path | None
    splits: Path

    @property
    def tables(self) -> str:
        """Names of the tables that covariates are taken from, for messages."""
        beside = " (there is no clinical table)" if self.clinical is None else f" and {self.clinical.name}"
        return f"{self.metadata.name}{beside}"


@dataclass(frozen=True)
class Cohort:
    """The patients of a cohort and what was found on the way.

    Args:
        patients: Table of the patients, named in the index: months, event (1 = happened), num_slides, and whatever
            else the files say about them; what is unknown is missing.
        without_outcome: Patients of the metadata without time or censorship.
        repeated: Patients whom the clinical table repeats, in equal rows.
        codes: Column -> code that means unknown -> patients who have it.
    """

    patients: "pd.DataFrame"
    without_outcome: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    codes: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)


def find_cohort(root: str | None, cohort: str) -> CohortFiles:
    """Return the files of a cohort, in the data root or its sub-folder `tcga`.

    Raises:
        InputError: If RNA or metadata are not there; the message says which cohorts are.
    """
    base = data_root(root)
    folders = [base, base / "tcga"]
    for folder in folders:
        rna, metadata, clinical = (_csv(folder, f"{cohort}_{what}") for what in ("rna", "metadata", "clinical"))
        if rna and metadata:
            return CohortFiles(folder, rna, metadata, clinical, folder / f"{cohort}_splits")
        if rna:
            raise InputError(f"{rna} is there without {cohort}_metadata.csv; it holds survival and censorship")
    there = sorted({path.name.partition("_rna.csv")[0] for folder in folders for path in folder.glob("*_rna.csv*")})
    known = f"the cohorts there are {', '.join(there)}" if there else "no cohort is there; set data.root to the folder"
    raise InputError(
        f"cohort is '{cohort}', but there is no {cohort}_rna.csv in {base} or its sub-folder tcga; {known}"
    )


def read_cohort(files: CohortFiles, endpoint: str) -> Cohort:
    """Read the patients of a cohort.

    Slides of a patient must agree in all that is said about the patient; so must repeated clinical rows.

    Args:
        files: From `find_cohort`.
        endpoint: "os" (overall survival), "dss" (disease-specific survival) or "pfi" (progression-free interval).

    Raises:
        InputError: If a column is missing, rows of a patient disagree, or an outcome is impossible.
    """
    import pandas as pd

    slides, num_slides = _one_row_each(files.metadata, _OF_SLIDES)
    months, event = _outcome(slides, endpoint, files.metadata)
    others = [name for name in slides.columns if not str(name).startswith(("survival_", "censorship"))]
    parts = [pd.DataFrame({"months": months, "event": event, "num_slides": num_slides}), slides[others]]
    repeated: tuple[str, ...] = ()
    if files.clinical is not None:
        clinical, counts = _one_row_each(files.clinical, ())
        repeated = tuple(str(name) for name in counts.index[counts > 1])
        new = [name for name in clinical.columns if name not in parts[1].columns]
        parts.append(clinical[new].reindex(slides.index))
    patients: Any = pd.concat(parts, axis="columns")
    codes = _forget_codes(patients)
    known = patients[["months", "event"]].notna().all(axis="columns")
    without = tuple(str(name) for name in patients.index[~known])
    return Cohort(patients[known].astype({"event": "int64"}), without, repeated, codes)


def _csv(folder: Path, stem: str) -> Path | None:
    return next((path for end in (".csv", ".csv.gz") if (path := folder / f"{stem}{end}").is_file()), None)


def _one_row_each(path: Path, leave_out: Sequence[str]) -> tuple[Any, Any]:
    """Return one row per patient, and how many there were; rows may differ in the columns left out alone."""
    find_column(column_names(path, header=True), _CASE, "the column of patients", path)
    frame: Any = read_table(path, header=True)
    absent = frame[_CASE].isna().to_numpy()
    if absent.any():
        row = int(absent.argmax()) + 1
        raise InputError(f"column '{_CASE}' of {path} is empty in row {row}; fill it in or remove the row")
    unnamed = [name for name in frame.columns if str(name).startswith("Unnamed: ")]
    frame = frame.drop(columns=[*unnamed, *(name for name in leave_out if name in frame.columns)])
    groups = frame.groupby(_CASE, sort=False)
    distinct = groups.nunique(dropna=True)
    differs = np.argwhere(distinct.to_numpy() > 1)
    if len(differs):
        patient, column = distinct.index[differs[0][0]], distinct.columns[differs[0][1]]
        values = frame.loc[frame[_CASE] == patient, column].dropna().unique().tolist()
        more = f" (and {len(differs) - 1} more disagreements)" if len(differs) > 1 else ""
        raise InputError(
            f"{path} gives patient '{patient}' {len(values)} values of '{column}' ({shown(list(map(str, values)))}) "
            f"in several rows{more}; correct the table"
        )
    return groups.first(), groups.size()  # the first value that is not missing


def _outcome(slides: "pd.DataFrame", endpoint: str, path: Path) -> tuple[Any, Any]:
    """Return months and event of each patient."""
    import pandas as pd

    names = [str(name) for name in slides.columns]
    suffix = ENDPOINTS[endpoint][1]
    found = []
    for name in (f"survival_months{suffix}", f"censorship{suffix}"):
        column: Any = slides[find_column(names, name, f"the column of endpoint '{endpoint}'", path)]
        numbers: Any = pd.to_numeric(column, errors="coerce")
        _refuse(column.notna() & ~np.isfinite(numbers), column, "which is no number", path)
        found.append(numbers)
    months, censorship = found
    _refuse(months < 0, months, "which is negative", path)
    _refuse(censorship.notna() & ~censorship.isin([0, 1]), censorship, "not 0 (happened) or 1 (censored)", path)
    return months, 1 - censorship


def _refuse(bad: Any, column: Any, what: str, path: Path) -> None:
    if bad.any():
        patient = column.index[int(bad.to_numpy().argmax())]
        raise InputError(f"'{column.name}' of patient '{patient}' in {path} is {column[patient]}, {what}; correct it")


def _forget_codes(patients: "pd.DataFrame") -> dict[str, dict[str, tuple[str, ...]]]:
    """Make codes that mean unknown missing, and say who had them."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for name, codes in _NOT_KNOWN.items():
        if name not in patients.columns:
            continue
        column: Any = patients[name]
        for code in codes:
            has = (column.notna() & (column.astype(str).str.strip() == code)).to_numpy()
            if has.any():
                found.setdefault(name, {})[code] = tuple(str(patient) for patient in patients.index[has])
                patients.loc[has, name] = None
    return found
