"""Who is in a multimodal cohort, with which modalities, and who is left out and why."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning.pytorch.utilities import rank_zero_only

from ..batches import MODALITIES
from ..datasets import column_names, data_root, find_column, read_table
from ..errors import InputError, shown
from .omics.tcga_patients import Cohort, CohortFiles, find_cohort
from .survival_target import check_survival

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Members",
    "check_covariates",
    "choose_members",
    "cohort_files",
    "report_codes",
    "report_empty",
    "slides_of_patients",
]

log = logging.getLogger(__name__)


def cohort_files(root: str | None, cohort: str, given: Mapping[str, str | None]) -> CohortFiles:
    """Return the files of a cohort: those named in a config, else those that the cohort's name leads to.

    Args:
        root: Folder of the files, as in `find_cohort`.
        cohort: Name of the cohort.
        given: Paths of `rna`, `metadata`, `clinical` and `splits`, or None; relative ones are looked for in the root,
            its sub-folder `tcga`, then the working directory.

    Raises:
        InputError: If a file is not there.
    """
    base = data_root(root)
    found = {key: _found(key, path, (base, base / "tcga")) for key, path in given.items() if path is not None}
    if {"rna", "metadata"} <= found.keys():
        # Files of another cohort do not become this one's because its name is the default.
        folder = found["rna"].parent
        own = CohortFiles(folder, found["rna"], found["metadata"], None, folder / f"{cohort}_splits")
    else:
        own = find_cohort(root, cohort)
    return replace(own, **found)


def _found(key: str, path: str, folders: Sequence[Path]) -> Path:
    name = Path(path).expanduser()
    places = [name] if name.is_absolute() else [*(folder / name for folder in folders), name]
    for place in places:
        if place.exists():
            return place
    raise InputError(f"{key} is '{path}', but there is no {' or '.join(map(str, places))}")


def slides_of_patients(metadata: Path) -> dict[str, str]:
    """Return the patient of each slide that the metadata list; empty if they name no slides."""
    if not {"slide_id", "case_id"} <= set(column_names(metadata, header=True)):
        return {}
    table: Any = read_table(metadata, header=True)[["slide_id", "case_id"]].dropna().astype(str)
    return dict(table.drop_duplicates().itertuples(index=False, name=None))


@dataclass(frozen=True)
class Members:
    """The patients in use.

    Args:
        table: Their rows of the cohort's table; names in the index, those with expression first, in its order.
        present: (N, 3) bool, which modalities each has, in the order of `MODALITIES`.
        left_out: Reason -> patients who are not in use.
    """

    table: "pd.DataFrame"
    present: np.ndarray
    left_out: dict[str, tuple[str, ...]]

    @rank_zero_only
    def report(self, cohort: str) -> None:
        """Log how many patients there are, who lacks a modality and who is left out."""
        events = int(self.table["event"].to_numpy().sum())
        log.info("%s: %d patients are in use, %d of them with the event", cohort, len(self.table), events)
        for column, name in enumerate(MODALITIES):
            lacking = [str(patient) for patient in self.table.index[~self.present[:, column]]]
            if 0 < len(lacking) < len(self.table):
                log.warning("%s: %d patients lack %s (%s)", cohort, len(lacking), name, shown(lacking))
        for reason, patients in self.left_out.items():
            log.warning("%s: left out are %d %s (%s)", cohort, len(patients), reason, shown(patients))


def choose_members(
    cohort: Cohort,
    measured: Sequence[str],
    with_slides: Collection[str],
    covariates: Sequence[str],
    require: Sequence[str],
    source: str = "the metadata",
) -> Members:
    """Return who is in use: patients with an outcome and every modality that is required.

    Args:
        cohort: The patients with an outcome.
        measured: Patients with expression, in the order of the matrix.
        with_slides: Patients with slides.
        covariates: Columns of the table that make the clinical modality; a patient without any value lacks it.
        require: Modalities that a patient must have; everybody must have one.
        source: Name of the table of outcomes in messages.

    Raises:
        InputError: If nobody is left, none of them has the event, or a time is not positive.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"months": [5.0, 7.0, 9.0], "event": [1, 0, 1]}, index=list("abc"))
        >>> members = choose_members(Cohort(table), ["c", "a", "x"], ["a", "b"], [], ["rna"])
        >>> list(members.table.index), members.present[:, 1].tolist()
        (['c', 'a'], [False, True])
        >>> members.left_out
        {'without rna': ('b',), 'without metadata': ('x',)}
    """
    table = cohort.patients
    names = [str(name) for name in table.index]
    expressed, sliced = set(measured), set(with_slides)
    known = np.zeros(len(names), dtype=bool)
    if covariates:
        columns: Any = table[list(covariates)].notna()
        known = columns.to_numpy().any(axis=1)
    has = np.stack([[name in expressed for name in names], [name in sliced for name in names], known], axis=1)
    some = np.asarray(has.any(axis=1))
    required = has[:, [MODALITIES.index(name) for name in require]].all(axis=1) & some
    unknown = {*names, *cohort.without_outcome}
    reasons: dict[str, Sequence[str]] = {
        f"without {name}": _chosen(names, ~has[:, MODALITIES.index(name)]) for name in require
    }
    if not require:
        reasons["without any modality"] = _chosen(names, ~some)
    reasons["without time or censorship"] = cohort.without_outcome
    reasons["without metadata"] = [name for name in measured if name not in unknown]
    left_out = {reason: tuple(patients) for reason, patients in reasons.items() if patients}
    order = {name: place for place, name in enumerate(measured)}
    kept = sorted(np.flatnonzero(required), key=lambda row: order.get(names[row], len(order)))
    if not kept:
        why = "; ".join(f"{len(names)} {reason} ({shown(names, 3)})" for reason, names in left_out.items())
        raise InputError(f"no patient is left: {why}; names must be spelled alike in all files")
    used = table.iloc[kept]
    months, event = (used[column].to_numpy() for column in ("months", "event"))
    check_survival([names[row] for row in kept], months, event, source)
    return Members(used, has[kept], left_out)


def _chosen(names: Sequence[str], mask: np.ndarray) -> list[str]:
    return [name for name, wanted in zip(names, mask, strict=True) if wanted]


def check_covariates(names: list[str], columns: list[str], source: str) -> list[str]:
    """Return the columns that covariates are taken from.

    Raises:
        InputError: If one is not there, is the outcome or says nothing of the patient, or stands twice.

    Example:
        >>> check_covariates(["months"], ["months", "event", "age"], "metadata.csv")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: covariates lists 'months', which is the outcome
    """
    for name in names:
        if name in ("months", "event"):
            raise InputError(f"covariates lists '{name}', which is the outcome")
        if name == "num_slides":
            raise InputError("covariates lists 'num_slides', which is not of the patient")
        if names.count(name) > 1:
            raise InputError(f"covariates lists '{name}' more than once")
        find_column(columns, name, "covariates", source)
    return names


def report_codes(
    cohort: str, codes: Mapping[str, Mapping[str, Sequence[str]]], columns: Sequence[str], used: Collection[str]
) -> None:
    """Log whose covariates hold a code that means unknown."""
    for name, having in codes.items():
        for code, patients in having.items():
            of_use = [patient for patient in patients if patient in used]
            if name in columns and of_use:
                log.warning(
                    "%s: %s '%s' means unknown; it is that of %d (%s)", cohort, name, code, len(of_use), shown(of_use)
                )


@rank_zero_only
def report_empty(values: "pd.DataFrame", source: str) -> None:
    """Log which measured patients lack values of genes."""
    empty: Any = values.isna().to_numpy()
    if empty.any():
        genes = [str(name) for name in values.columns[empty.any(axis=0)]]
        patients = [str(name) for name in values.index[empty.any(axis=1)]]
        log.warning(
            "%s has %d empty cells (genes %s; patients %s); the medians of the training rows fill them",
            source,
            int(empty.sum()),
            shown(genes, 3),
            shown(patients, 3),
        )
