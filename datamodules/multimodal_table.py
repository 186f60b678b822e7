"""The base of data modules whose rows are patients with expression, slides and covariates.

Shapes: N patients, G genes, D patch features, C encoded columns of covariates.
"""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..randomness import global_seed
from .encoding import TableEncoder
from .multimodal_encoder import MultimodalEncoder
from .multimodal_patients import Members, report_empty
from .multimodal_slides import CohortSlides
from .omics.covariates import Covariates
from .omics.matrix import SampleMatrix
from .omics.split_files import SplitFile
from .omics.survival_views import clinical_columns, measured_pathway_means
from .slides.loader import BagLoader, PatientBatches
from .slides.simulate import SimulatedSlides
from .slides.store import SlideStore
from .splitting import Split
from .survival_target import SurvivalTarget
from .table import TableDataModule

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MultimodalTable"]

Part = Literal["train", "validation", "test"]


class MultimodalTable(TableDataModule):
    """Serve batches `(MultimodalInputs, target)` of patients; a subclass finds the attributes in its constructor.

    Attributes:
        matrix: Expression; its values are read in `setup`.
        members: The patients in use, their modalities, and who is left out, why.
        covariates: Which columns of their table make the clinical modality.
        published: The lists of patients that train and test, or None.

    Example:
        >>> from axonlight.datamodules import MultimodalSurvival
        >>> issubclass(MultimodalSurvival, MultimodalTable)
        True
    """

    matrix: SampleMatrix
    members: Members
    covariates: Covariates
    published: SplitFile | None
    cohort: str
    max_patches: int | None
    eval_max_patches: int | None
    num_workers: int
    prefetch: int
    _slides: CohortSlides
    _group_column: str | None
    _floor_covariates: list[str]
    _tables: str

    # What the data are.

    @property
    def source(self) -> str:
        """The matrix of expression."""
        return str(self.matrix.path)

    @cached_property
    def target(self) -> SurvivalTarget:
        """Time and event."""
        return SurvivalTarget("months", event="event")

    @property
    def group(self) -> str | None:
        """Name of the group column, or None."""
        return self._group_column

    @property
    def feature_names(self) -> list[str]:
        """Names of the G genes: what a hierarchy and a network of genes see."""
        return list(self.matrix.columns)

    @property
    def clinical_names(self) -> list[str]:
        """Names of the C encoded columns of covariates."""
        return self.covariates.feature_names

    @property
    def num_clinical(self) -> int:
        """Number of encoded columns of covariates, C."""
        return len(self.clinical_names)

    @property
    def num_patch_features(self) -> int:
        """Width D of a patch; 0 without slides."""
        return self._slides.num_features

    @property
    def sample_names(self) -> list[str]:
        """Names of the N patients in use, in the order of `table()`."""
        return [str(name) for name in self.members.table.index]

    @property
    def slides(self) -> SlideStore | None:
        """The slides: `slides.bag(patient)`, and `slides.patches(patient)` for their places; None without any."""
        return self._slides.store

    @property
    def simulated(self) -> SimulatedSlides:
        """What was planted in simulated slides."""
        return self._slides.simulated

    @property
    def folders(self) -> list[Path]:
        """The folder of the cohort and the one that holds it."""
        folder = self.matrix.path.parent
        return [folder, folder.parent]

    def make_encoder(self) -> TableEncoder:
        """Return the encoder of genes and covariates, not yet fitted."""
        numeric = [*self.matrix.columns, *self.covariates.numeric]
        levels = dict(self.covariates.levels)
        return MultimodalEncoder(numeric, levels, self.missing, self.scale, num_genes=len(self.matrix.columns))

    def read(self, limit_rows: int | None = None) -> "pd.DataFrame":
        """Read the patients in use; one without expression has empty cells in all genes."""
        import pandas as pd

        table = self.members.table
        values = self.matrix.read(self.matrix.columns).reindex(table.index)
        has = self.members.present[:, 0]
        report_empty(values.loc[has], self.source)
        beside = ["months", "event", *self.covariates.names]
        beside += [] if self.group is None or self.group in beside else [self.group]
        return pd.concat([values, table[beside]], axis="columns").iloc[:limit_rows]

    def divide(self, frame: "pd.DataFrame", strata: np.ndarray | None, groups: np.ndarray | None) -> Split:
        """Return the patients of each part: by the published lists if there are any, else as the options say."""
        if self.published is None:
            return super().divide(frame, strata, groups)
        names = self.sample_names
        split = self.published.divide(names, self.split_options, strata, groups)
        self.published.report(names, split, self.members.left_out)
        return split

    # What others ask of survival data.

    def patient_names(self, part: Part) -> list[str]:
        """Return the names of the patients who train, validate or test, in the order of their rows."""
        names = self.sample_names
        return [names[row] for row in getattr(self.rows, part)]

    def survival_targets(self, part: Part) -> Tensor:
        """Return time and event of the patients who train, validate or test, float32 (rows, 2)."""
        return self._divided.target[torch.from_numpy(getattr(self.rows, part))]

    def floor_views(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return what simple models of survival see: name -> (training rows, test rows), each (rows, columns).

        `rna` is expression as encoded (0 for a patient without), `pathway_means` the means of the
        measured values in every set of the hierarchy, if there is one, `clinical` the `floor_covariates`.
        """
        parts = (self.rows.train, self.rows.test)
        rna = self._encoded()[0].numpy()
        views = {"rna": rna}
        if self.hierarchy is not None:
            views["pathway_means"] = measured_pathway_means(rna, self.encoder, self.feature_names, self.hierarchy)
        if self._floor_covariates:
            views["clinical"] = clinical_columns(self.members.table, self._floor_covariates, self.rows, self._tables)
        return {name: (values[parts[0]], values[parts[1]]) for name, values in views.items()}

    # The life of the data.

    def prepare_data(self) -> None:
        """Write simulated slides if they are not there."""
        if self._slides.simulate is not None:
            _ = self.simulated

    def setup(self, stage: str | None = None) -> None:
        """Read tables and hierarchy, look at the slides, divide, fit on training patients.

        Raises:
            InputError: If files and options do not suit one another; the message names patients.
        """
        super().setup(stage)
        _ = self.slides

    def train_dataloader(self) -> BagLoader:
        """Return the shuffled training batches."""
        seed = global_seed() if self.shuffle_seed is None else self.shuffle_seed
        # overfit_batches asks for the same batches in every epoch.
        shuffle = not getattr(self.trainer, "overfit_batches", 0)
        options = {"shuffle": shuffle, "seed": seed, "drop_last": self.drop_last}
        return self._bags(self.rows.train, self.max_patches, seed, options)

    def predict_dataloader(self) -> BagLoader:
        """Return every patient in use, in the order of `sample_names`."""
        self.setup()
        return self._loader(np.arange(len(self.members.table)))

    def _loader(self, rows: np.ndarray, **options: Any) -> BagLoader:
        return self._bags(rows, self.eval_max_patches, self.split_options.seed, options)

    def _bags(self, rows: np.ndarray, max_patches: int | None, seed: int, options: dict[str, Any]) -> BagLoader:
        index, (rna, clinical) = torch.from_numpy(rows), self._encoded()
        present = torch.from_numpy(self.members.present)
        target = self._divided.target
        names = self.sample_names
        data = PatientBatches(
            [names[row] for row in rows],
            rna[index],
            clinical[index],
            present[index],
            target[index],
            self.slides,
            max_patches,
            seed,
        )
        return BagLoader(data, self.batch_size, self.num_workers, self.prefetch, **self._place(), **options)

    def _encoded(self) -> tuple[Tensor, Tensor]:
        """Return encoded expression (N, G) and covariates (N, C), 0 for a patient who has none."""
        _ = self._divided
        if self._features is None:
            features = torch.from_numpy(self.encoder.transform(self.table(), self.source))
            genes, present = len(self.matrix.columns), torch.from_numpy(self.members.present)
            features[:, :genes][~present[:, 0]] = 0
            features[:, genes:][~present[:, 2]] = 0
            self._features, self._frame = features, None
        genes = len(self.matrix.columns)
        return self._features[:, :genes], self._features[:, genes:]

    def _place(self) -> dict[str, int]:
        # A strategy that splits the model over devices has fewer data ranks than processes; it knows which.
        ranks = (self.trainer.distributed_sampler_kwargs if self.trainer is not None else None) or {}
        return {"rank": ranks.get("rank", 0), "world_size": ranks.get("num_replicas", 1)}
