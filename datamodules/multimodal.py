"""Survival of patients with gene expression, whole slides and clinical covariates, of whom some lack one or another.

Shapes: N patients, G genes, D patch features, C encoded columns of covariates, B patients of a batch.
"""

import difflib
import logging
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from lightning.pytorch.utilities import rank_zero_only

from ..batches import MODALITIES
from ..datasets import find_column
from ..errors import InputError, shown
from .multimodal_patients import (
    Members,
    check_covariates,
    choose_members,
    cohort_files,
    report_codes,
    slides_of_patients,
)
from .multimodal_slides import CohortSlides, SimulationInput
from .multimodal_table import MultimodalTable
from .omics.covariates import Covariates
from .omics.matrix import SampleMatrix
from .omics.split_files import SplitFile, find_split, read_split
from .omics.survival_views import CLINICAL
from .omics.tcga_patients import ENDPOINTS, Endpoint, read_cohort
from .slides.settings import SlideSimulation
from .slides.source import OnBad, OnUnknown, SlideOptions

__all__ = ["MultimodalSurvival"]

log = logging.getLogger(__name__)
Modality = Literal["rna", "slides", "clinical"]
Precision = Literal["float32", "float16", "stored"]
_PRECISIONS = {"float32": torch.float32, "float16": torch.float16, "stored": None}


class MultimodalSurvival(MultimodalTable):
    r"""Tell from gene expression, whole slides and covariates when an event happens to a patient.

    A batch is `(inputs, target)`: inputs are `batches.MultimodalInputs`, target is float32 (B, 2): time in months, and
    1 where the event happened, 0 for censored. A row is a patient, with all patches of all slides. What is fitted
    (scaler of expression and covariates, medians, known levels) is fitted on training patients; patch features are
    handed over as they are stored.

    A patient may lack a modality: `inputs.present` says which are there; what is not is 0 or an empty bag. `require`
    lists what a patient must have to be in use.

    Source: files as those of Jaume et al., "Modeling dense multimodal interactions between biological pathways and
    histology for survival prediction", 2024, arXiv 2304.06819, and patch features as TRIDENT writes them (Zhang et al.,
    2025, arXiv 2502.06750).

    Args:
        root: Folder of the cohort's files, as for `TCGA`.
        cohort: Name of the cohort in the names of its files, such as blca or stad.
        endpoint: "os", "dss" or "pfi"; see `TCGA`.
        rna: File of expression in place of the cohort's: CSV, TSV, Parquet or .h5ad, a row per patient.
        metadata: Table in place of the cohort's: `case_id`, `survival_months...`, `censorship...` (1 = censored) and, a
            row per slide, `slide_id`. With both `rna` and `metadata`, the cohort's other files are not looked for.
        clinical: Table in place of the cohort's: `case_id` and covariates.
        splits: Folder or file in place of the cohort's published splits; for `fold`.
        layer: Layer of an .h5ad file; None takes its X.
        covariates: Columns of metadata and clinical table that make the clinical modality, such as age, stage.
        categorical: Those covariates that hold numbers but are levels.
        floor_covariates: Columns that the clinical floor sees; None: those of age, is_female and stage that there are.
        group: Column, such as site, whose equal values stay on one side of a split of your own.
        slides: Folder of patch features, one file per slide or patient; None: nobody has slides.
        simulate: Settings of slides that are simulated (see `slides.SlideSimulation`), into the folder `slides`, or one
            in the user's cache; needs a `hierarchy`.
        require: Modalities that a patient must have to be in use: rna, slides, clinical; everybody has at least one.
        unknown_slides: "error" refuses a file that is no known patient's; "ignore" leaves it out.
        bad_slides: "error" refuses a slide that cannot be read, has no patches or another width; "skip" leaves it out.
        max_patches: Most patches of a patient in training: of more, so many are drawn anew in every epoch.
        eval_max_patches: The same in evaluation, where they are drawn once.
        cache: Folder for a copy of the features in half precision, which is faster to read.
        memory: Megabytes of slides that each process keeps for the next time it needs them; not used with `cache`.
        precision: Type of the bags: "float32", "float16", or "stored" (that of the first slide; float16 with `cache`).
        num_workers: Processes that read ahead; 0 reads when a batch is asked for.
        prefetch: Batches that each of them reads ahead.
        fold: The part that tests: the number of a published split, or 0 to `num_folds` - 1.
        num_folds: Number of parts of a cross-validation of your own, stratified by the event.
        batch_size: Patients of a batch, all devices together.
        **options: See `TableDataModule`.

    Attributes:
        members: The patients in use, their modalities, and who is left out, why.
        published: The lists of patients that train and test, or None.

    Raises:
        InputError: If a file is missing or damaged, rows of a patient disagree, an option is out of range, nobody is
            left, everybody is censored, a time is not positive, or a slide cannot be used; patients are named.

    Example:
        >>> import pathlib, tempfile
        >>> folder, names = pathlib.Path(tempfile.mkdtemp()), [f"TCGA-{number:02}" for number in range(30)]
        >>> rna = [f"{name},{number}.5,1.0" for number, name in enumerate(names)]
        >>> _ = (folder / "blca_rna.csv").write_text("\n".join([",TP53,EGFR", *rna]))
        >>> rows = [f"{name},{2 * number + 1}.0,{number % 2}" for number, name in enumerate(names)]
        >>> _ = (folder / "blca_metadata.csv").write_text("\n".join(["case_id,survival_months,censorship", *rows]))
        >>> (folder / "slides").mkdir()
        >>> for name in names[:20]:
        ...     torch.save(torch.randn(7, 16), folder / "slides" / f"{name}-DX1.pt")
        >>> data = MultimodalSurvival(str(folder), slides=str(folder / "slides"), batch_size=8)
        >>> inputs, target = next(iter(data.train_dataloader()))
        >>> data.num_features, data.num_patch_features, inputs.rna.shape, target.shape
        (2, 16, torch.Size([8, 2]), torch.Size([8, 2]))
        >>> len(inputs.bags) == 7 * int(inputs.present[:, 1].sum()) == int(inputs.pointers[-1])
        True
    """

    # What no config may set: missing covariates are never an error, and rows are patients of known files.
    fixed_options: ClassVar[frozenset[str]] = frozenset(
        {"missing", "limit_rows", "limit_seed", "keep_duplicates_together", "predict_path"}
    )

    members: Members
    published: SplitFile | None

    def __init__(
        self,
        root: str | None = None,
        cohort: str = "blca",
        endpoint: Endpoint = "os",
        rna: str | None = None,
        metadata: str | None = None,
        clinical: str | None = None,
        splits: str | None = None,
        layer: str | None = None,
        covariates: list[str] | None = None,
        categorical: list[str] | None = None,
        floor_covariates: list[str] | None = None,
        group: str | None = None,
        slides: str | None = None,
        simulate: SlideSimulation | None = None,
        require: Sequence[Modality] = ("rna",),
        unknown_slides: OnUnknown = "error",
        bad_slides: OnBad = "error",
        max_patches: int | None = None,
        eval_max_patches: int | None = None,
        cache: str | None = None,
        memory: int = 1024,
        precision: Precision = "float32",
        num_workers: int = 0,
        prefetch: int = 2,
        fold: int | None = None,
        num_folds: int | None = None,
        batch_size: int = 32,
        **options: Any,
    ) -> None:
        listed = fold is not None and num_folds is None
        own_fold = None if listed else fold
        super().__init__(missing="median", fold=own_fold, num_folds=num_folds, batch_size=batch_size, **options)
        for name in self.fixed_options:
            self.hparams.pop(name, None)
        _check_choices(endpoint, require, precision)
        for key, value in (("max_patches", max_patches), ("eval_max_patches", eval_max_patches)):
            if value is not None and value < 1:
                raise InputError(f"{key} is {value}; it must be a positive integer")
        if memory < 0:
            raise InputError(f"memory is {memory}; it must be 0 or more megabytes")
        self.cohort, self.endpoint, self._group_column = cohort, endpoint, group
        self.max_patches, self.eval_max_patches = max_patches, eval_max_patches
        self.num_workers, self.prefetch = num_workers, prefetch
        given = {"rna": rna, "metadata": metadata, "clinical": clinical, "splits": splits}
        files = cohort_files(root, cohort, given)
        self.published = read_split(find_split(files.splits, fold)) if listed else None
        self.matrix = SampleMatrix.open(files.rna, layer)
        self._read = read_cohort(files, endpoint)
        self._tables = files.tables
        self._slides = CohortSlides(
            slides,
            simulate,
            slides_of_patients(files.metadata),
            self._known_patients(),
            list(self._read.patients.index),
            SlideOptions(unknown_slides, bad_slides, cache, memory << 20, _PRECISIONS[precision]),
            self._simulation_input,
        )
        with_slides = self.matrix.samples if simulate is not None else self._slides.patients
        columns = [str(name) for name in self._read.patients.columns.drop(["months", "event", "num_slides"])]
        chosen = check_covariates(covariates or [], columns, self._tables)
        if group is not None:
            find_column(columns, group, "group", self._tables)
        self.members = choose_members(
            self._read, self.matrix.samples, with_slides, chosen, require, str(files.metadata)
        )
        table = self.members.table
        self.covariates = Covariates.choose(table, chosen, categorical or [], "median", self._tables)
        usual = [name for name in CLINICAL if name in columns]
        self._floor_covariates = check_covariates(
            usual if floor_covariates is None else floor_covariates, columns, self._tables
        )
        self._report()

    # What the constructor needs.

    def _known_patients(self) -> set[str]:
        listed = [] if self.published is None else self.published.names
        return {*self._read.patients.index, *self._read.without_outcome, *self.matrix.samples, *listed}

    def _simulation_input(self) -> SimulationInput:
        """Return expression, pathways and outcome of all patients who have both, whatever is required."""
        if self.hierarchy is None:
            raise InputError("simulate needs a hierarchy, whose pathways the slides are linked to; set data.hierarchy")
        patients = [name for name in self.matrix.samples if name in self._read.patients.index]
        rna = self.matrix.read(self.matrix.columns).loc[patients]
        return SimulationInput(rna, self.hierarchy, self._read.patients.loc[patients])

    @rank_zero_only
    def _report(self) -> None:
        self.members.report(self.cohort)
        slides = self.members.table["num_slides"].to_numpy()
        log.info("%s: %d patients have several slides (up to %d)", self.cohort, (slides > 1).sum(), slides.max())
        if self._read.repeated:
            log.warning("%s: the clinical table repeats %s in equal rows", self.cohort, shown(self._read.repeated))
        report_codes(self.cohort, self._read.codes, self.covariates.names, set(self.members.table.index))
        self.covariates.report(self._tables)


def _check_choices(endpoint: str, require: Sequence[str], precision: str) -> None:
    known: list[tuple[str, str, Sequence[str]]] = [("endpoint", endpoint, list(ENDPOINTS))]
    known += [("require", name, MODALITIES) for name in require]
    known += [("precision", precision, list(_PRECISIONS))]
    for key, value, choices in known:
        if value not in choices:
            near = difflib.get_close_matches(str(value), choices, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise InputError(f"{key} is '{value}'; it must be {', '.join(map(repr, choices))}{hint}")
