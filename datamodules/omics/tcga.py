"""TCGA cohorts: when does the event happen, or does it within some months, told from gene expression?

Shapes: G genes, C encoded columns of covariates.
"""

import difflib
import logging
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from ...errors import InputError, shown
from ..splitting import Split
from ..survival_target import SurvivalTarget, check_survival
from ..targets import Target
from .covariates import Covariates
from .matrix import SampleMatrix
from .quantities import SampleJoin
from .sample_table import SampleTable, join_labels
from .split_files import find_split, read_split
from .survival_views import CLINICAL, clinical_columns, measured_pathway_means
from .tcga_patients import ENDPOINTS, Endpoint, find_cohort, read_cohort

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TCGA"]

log = logging.getLogger(__name__)
Part = Literal["train", "validation", "test"]


class TCGA(SampleTable):
    r"""Tell from gene expression when an event happens to a patient, or whether it does within some months.

    A row is a patient, not a slide. With `task: survival` the target is the time in months and the event (1 =
    happened). Else class 1: the event happened within `months`; class 0: the patient was followed for `months` without
    it. Who was censored earlier belongs to neither: these patients are left out, counted, logged and kept in
    `left_out`. The features are the genes, then the covariates.

    `fold` alone, or `splits: published`, takes the published five folds: the samples that a file lists as `val` test,
    and `val_fraction` of the training patients validate. Else the rows are divided as in every table.

    Source: The Cancer Genome Atlas, as prepared by Jaume et al., "Modeling dense multimodal interactions between
    biological pathways and histology for survival prediction", 2024, arXiv 2304.06819: log2(TPM + 0.001) of genes;
    survival; stage and grade.

    Args:
        root: Folder of the files; they may also lie in its sub-folder `tcga`. None takes the variable AXONLIGHT_DATA,
            else a folder in the user's cache. The files are `{cohort}_rna.csv`, `{cohort}_metadata.csv` and, if need
            be, `{cohort}_clinical.csv` (also .gz) and the folder `{cohort}_splits`.
        cohort: Name of the cohort in the names of the files, such as blca or stad.
        endpoint: "os" (death from any cause), "dss" (death from the disease: others are censored) or "pfi"
            (progression).
        months: The time that the event must happen within (classes).
        task: "binary" for the two classes, "survival" for time and event.
        covariates: Columns of metadata and clinical table that are features too, such as age, is_female, stage, grade.
            Missing numbers become the median of the training rows, missing text, stage 0 and grade GX `unknown`.
        floor_covariates: Columns that the clinical floor of survival sees, whether or not the network does; None: those
            of age, is_female and stage that there are.
        fold: The part that tests: the number of a published split, or 0 to `num_folds` - 1.
        num_folds: Number of parts of a cross-validation of your own; or the number of published splits.
        splits: "published" takes the published splits with `num_folds` too, as a study gives it; "own" never takes
            them; None takes them where there is a fold alone.
        **options: See `TableDataModule`. `predict_path` is a matrix of the same form.

    Attributes:
        patients: Table of all patients with expression and outcome, in the order of the matrix: months, event
            (1 = happened), num_slides, and the columns of metadata and clinical table. For survival, too.

    Raises:
        InputError: If a file is missing or damaged, rows of a patient disagree, there is no such cohort, endpoint,
            fold or covariate, no patient is left in one of the classes, or, for survival, a time is not positive or
            everybody is censored.

    Example:
        >>> import pathlib, tempfile
        >>> folder, names = pathlib.Path(tempfile.mkdtemp()), [f"TCGA-{number:02}" for number in range(30)]
        >>> rna = [f"{name},{number}.5,1.0" for number, name in enumerate(names)]
        >>> _ = (folder / "blca_rna.csv").write_text("\n".join([",TP53,EGFR", *rna]))
        >>> rows = [f"{name},slide,{2 * number}.0,{number % 2}" for number, name in enumerate(names)]
        >>> header = "case_id,slide_id,survival_months,censorship"
        >>> _ = (folder / "blca_metadata.csv").write_text("\n".join([header, *rows]))
        >>> data = TCGA(str(folder), months=24)
        >>> data.feature_names, data.class_names
        (['TP53', 'EGFR'], ['no death within 24 months', 'death within 24 months'])
        >>> len(data.labels), {reason: len(names) for reason, names in data.left_out.items()}
        (24, {'censored before 24 months': 6})
    """

    # What no config may set: a missing covariate is never an error here.
    fixed_options: ClassVar[frozenset[str]] = frozenset({"missing"})

    patients: "pd.DataFrame"

    def __init__(
        self,
        root: str | None = None,
        cohort: str = "blca",
        endpoint: Endpoint = "os",
        months: float = 24,
        covariates: list[str] | None = None,
        fold: int | None = None,
        num_folds: int | None = None,
        task: Literal["binary", "survival"] = "binary",
        floor_covariates: list[str] | None = None,
        splits: Literal["published", "own"] | None = None,
        **options: Any,
    ) -> None:
        if splits not in (None, "published", "own"):
            raise InputError(f"splits is '{splits}'; it must be 'published' or 'own'")
        listed = splits == "published" or (splits is None and fold is not None and num_folds is None)
        own = (None, None) if listed else (fold, num_folds)
        super().__init__(missing="median", fold=own[0], num_folds=own[1], **options)
        # What this class is made again from holds its own arguments alone.
        self.hparams.pop("missing", None)
        if endpoint not in ENDPOINTS:
            near = difflib.get_close_matches(str(endpoint), ENDPOINTS, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise InputError(f"endpoint is '{endpoint}'; it must be 'os', 'dss' or 'pfi'{hint}")
        if not 0 < months < float("inf"):
            raise InputError(f"months is {months}; it must be a positive number")
        if task not in ("binary", "survival"):
            raise InputError(f"task is '{task}'; it must be 'binary' or 'survival'")
        self.cohort, self.endpoint, self.months, self._survival = cohort, endpoint, months, task == "survival"
        files = find_cohort(root, cohort)
        published = read_split(find_split(files.splits, fold)) if listed else None
        if listed and num_folds is not None and num_folds != (there := len(list(files.splits.glob("splits_*")))):
            raise InputError(f"num_folds is {num_folds}, but {files.splits} holds {there} published splits; set it so")
        matrix = SampleMatrix.open(files.rna)
        self._read = read_cohort(files, endpoint)
        self._tables = files.tables
        events = self._read.patients["event"].astype(str).to_dict()
        join = join_labels(matrix, events, str(files.metadata), ("an outcome", "expression"))
        self.patients = self._read.patients.loc[list(join.groups)]
        if self._survival:
            time, event = (self.patients[name].to_numpy() for name in ("months", "event"))
            check_survival(list(join.groups), time, event, str(files.metadata))
        used = self.patients if self._survival else self._with_classes()
        described = used.drop(columns=["months", "event", "num_slides", self._event], errors="ignore")
        found = Covariates.choose(described, _checked(covariates or []), (), "median", self._tables)
        outcomes = ["months", "event"] if self._survival else [self._event]
        labels = used.loc[:, [*outcomes, *found.names]]
        self._floor_covariates = _checked(
            [name for name in CLINICAL if name in used.columns] if floor_covariates is None else floor_covariates
        )
        self.unite(matrix, matrix.columns, labels, join, found, self._reasons(used, join), published)
        self._report()

    @property
    def _event(self) -> str:
        return f"{ENDPOINTS[self.endpoint][0]} within {self.months:g} months"

    def _with_classes(self) -> "pd.DataFrame":
        """Return the patients who have a class, and it."""
        months, event = self.patients["months"].to_numpy(), self.patients["event"].to_numpy()
        within = (event == 1) & (months <= self.months)
        without = ~within & (months >= self.months)
        if not (within.any() and without.any()):
            raise InputError(
                f"months is {self.months:g}: of {len(within)} patients {int(within.sum())} have the event by then and "
                f"{int(without.sum())} are followed for so long without it; choose a time with both"
            )
        frame = self.patients.assign(**{self._event: within.astype(np.int64)})
        return frame.iloc[np.flatnonzero(within | without)]

    def _reasons(self, used: "pd.DataFrame", join: SampleJoin) -> dict[str, list[str]]:
        """Return who is left out, and why."""
        kept, unknown = set(used.index), set(self._read.without_outcome)
        return {
            f"censored before {self.months:g} months": [name for name in join.groups if name not in kept],
            "without expression": list(join.without_quantities),
            "without time or censorship": list(self._read.without_outcome),
            "without metadata": [name for name in join.without_group if name not in unknown],
        }

    @rank_zero_only
    def _report(self) -> None:
        slides = self.patients["num_slides"].to_numpy()
        log.info(
            "%s: %d patients with expression and outcome (%s), %d of them with the event; %d have several slides (up "
            "to %d), which agree",
            self.cohort,
            len(slides),
            self.endpoint,
            self.patients["event"].to_numpy().sum(),
            (slides > 1).sum(),
            slides.max(),
        )
        if not self._survival:
            counts = np.bincount(self.labels[self._event].to_numpy())
            names = ", ".join(f"{count} {what}" for count, what in zip(counts, self.class_names, strict=True))
            log.info("%s: %d patients are used (%s)", self.cohort, len(self.labels), names)
        for reason, patients in self.left_out.items():
            log.warning("%s: left out are %d %s (%s)", self.cohort, len(patients), reason, shown(patients))
        if self._read.repeated:
            log.warning("%s: the clinical table repeats %s in equal rows", self.cohort, shown(self._read.repeated))
        self._report_codes()
        self.covariates.report(self._tables)

    def _report_codes(self) -> None:
        used = set(self.labels.index)
        for name, codes in self._read.codes.items():
            for code, having in codes.items():
                patients = [patient for patient in having if patient in used]
                if name in self.covariates.names and patients:
                    log.warning(
                        "%s: %s '%s' means unknown; it is that of %d (%s)",
                        self.cohort,
                        name,
                        code,
                        len(patients),
                        shown(patients),
                    )

    @cached_property
    def target(self) -> Target:
        """Time and event, or whether the event happened within `months`."""
        if self._survival:
            return SurvivalTarget("months", event="event")
        return Target(self._event, "binary", ("0", "1"), names=(f"no {self._event}", self._event))

    @property
    def folders(self) -> list[Path]:
        """The folder of the cohort and the one that holds it."""
        folder = self.matrix.path.parent
        return [folder, folder.parent]

    def patient_names(self, part: Part) -> list[str]:
        """Return the names of the patients who train, validate or test, in the order of their rows."""
        rows = getattr(self.rows, part)
        return [self._row_names[row] for row in rows]

    def divide(self, frame: "pd.DataFrame", strata: np.ndarray | None, groups: np.ndarray | None) -> Split:
        """Return the rows of each part, and remember whose they are."""
        self._row_names = self._names_of(frame)
        return super().divide(frame, strata, groups)

    def survival_targets(self, part: Part) -> Tensor:
        """Return time and event of the patients who train, validate or test, float32 (rows, 2).

        Raises:
            InputError: If the task is another.
        """
        self._require_survival()
        return self._divided.target[torch.from_numpy(getattr(self.rows, part))]

    def floor_views(self) -> dict[str, tuple[np.ndarray, ...]]:
        """Return what simple models of survival see: name -> (training rows, test rows), each (rows, columns).

        `rna` is what the network sees of the genes, `pathway_means` the means of the measured values in every set of
        the hierarchy, if there is one, `clinical` the `floor_covariates`.

        Raises:
            InputError: If the task is another.
        """
        self._require_survival()
        train, test = (getattr(self, f"{part}_dataloader")().tensors[0].numpy() for part in ("train", "test"))
        genes = len(self.gene_names)
        views: dict[str, tuple[np.ndarray, ...]] = {"rna": (train[:, :genes], test[:, :genes])}
        if self.hierarchy is not None:
            views["pathway_means"] = tuple(
                measured_pathway_means(part, self.encoder, self.gene_names, self.hierarchy) for part in views["rna"]
            )
        if self._floor_covariates:
            split, used = self.rows, self.patients.loc[self._row_names]
            encoded = clinical_columns(used, self._floor_covariates, split, self._tables)
            views["clinical"] = (encoded[split.train], encoded[split.test])
        return views

    def _require_survival(self) -> None:
        if not self._survival:
            raise InputError("task is 'binary'; set data.task to 'survival' for times, events and their floors")


def _checked(covariates: list[str]) -> list[str]:
    for name in covariates:
        outcome = name in ("months", "event") or name.startswith(("survival_", "censorship"))
        if outcome or name in ("num_slides", "train", "slide_id"):
            raise InputError(
                f"covariates lists '{name}', which is {'the outcome' if outcome else 'not of the patient'}"
            )
        if covariates.count(name) > 1:
            raise InputError(f"covariates lists '{name}' more than once")
    return covariates
