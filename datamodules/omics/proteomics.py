"""Protein quantities of patients in two groups, as published beside BINN; or a matrix and design of your own.

Shapes: N patients, P proteins, B rows of a batch.
"""

import logging
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_only

from ...datasets import data_root
from ...errors import InputError, shown
from ..encoding import column_levels
from ..loading import InMemoryLoader
from ..table import TableDataModule
from ..targets import Target
from .quantities import join_samples, one_sided_prefixes, quantity_names, read_design, read_quantities
from .quantity_encoder import Impute, QuantityEncoder

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Proteomics"]

log = logging.getLogger(__name__)


class Proteomics(TableDataModule):
    r"""Tell two groups of patients apart by the quantities of their proteins.

    A batch holds the P values of each patient, then P mask features that are 1 where a value was measured:
    `x.unflatten(1, (-1, P))` is (B, 2, P), and features i and i + P are the measurements of protein i. What
    fills missing values, the scaler and the choice of proteins are fitted on training rows only.

    Samples are joined by name. How many match and which do not is logged and kept in `join`; sample names whose
    prefix (before the first `_`) lies in one group alone are logged once and kept in `batch_effect_suspects`.

    Source: Hartman et al., "Interpreting biologically informed neural networks for enhanced proteomic biomarker
    discovery and pathway analysis", 2023, doi:10.1038/s41467-023-41146-4 (plasma proteomes of septic acute
    kidney injury; 554 proteins, 197 patients; group 1: 74, group 2: 123; 37 % missing).

    Args:
        root: Folder of the files; they may also lie in its sub-folder `proteomics`. None takes the variable
            AXONLIGHT_DATA, else a folder in the user's cache.
        quantities: Name of the matrix: protein names in the first column, then a column per patient; log2
            intensities, empty where missing.
        design: Name of the table of patients and groups, in the same folder.
        sample: Column of the design that holds patient names, by name or index.
        target: Column of the design that holds the group, by name or index.
        positive: The group that is class 1.
        missing_mask: Whether the mask features are there.
        impute: "minimum" or "median" of the training rows, or "zero"; before scaling.
        min_present: Share of the training rows that must have a protein, else it is 0 in every row (value and
            mask); the number of features does not change. One that no training row has is always 0.
        **options: See `TableDataModule`. With `predict_path`, a matrix of the same form; proteins it lacks
            count as missing and are reported.

    Raises:
        InputError: If a file is missing or damaged, names a patient or protein twice, no patient has both
            quantities and a group, there are not two groups, or an option is out of range.

    Example:
        >>> import pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> names = [f"patient{number}" for number in range(20)]
        >>> header, cells = ",".join(["Protein", *names]), ",".join(["20.5", ""] * 10)
        >>> _ = (folder / "test_qm.csv").write_text(f"{header}\nP08603,{cells}\nP02671,{cells}\n")
        >>> rows = [f"{name}\t{1 + number // 10}" for number, name in enumerate(names)]
        >>> _ = (folder / "design_matrix.tsv").write_text("\n".join(["sample\tgroup", *rows]))
        >>> data = Proteomics(str(folder))
        >>> data.protein_names, data.num_features, data.feature_names[2], data.class_names
        (['P08603', 'P02671'], 4, 'P08603=present', ['1', '2'])
    """

    # What no config may set: an empty cell is never an error here.
    fixed_options: ClassVar[frozenset[str]] = frozenset({"missing"})

    def __init__(
        self,
        root: str | None = None,
        quantities: str = "test_qm.csv",
        design: str = "design_matrix.tsv",
        sample: int | str = "sample",
        target: int | str = "group",
        positive: int | str = 2,
        missing_mask: bool = True,
        impute: Impute = "minimum",
        min_present: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(missing="median", **options)
        # What this class is made again from holds its own arguments alone.
        self.hparams.pop("missing", None)
        if impute not in ("minimum", "median", "zero"):
            raise InputError(f"impute is '{impute}'; it must be 'minimum', 'median' or 'zero'")
        if not 0 <= min_present <= 1:
            raise InputError(f"min_present is {min_present}; it must be 0 to 1")
        self.missing_mask = missing_mask
        self.impute: Impute = impute
        self.min_present = min_present
        self.quantities = _locate(root, quantities)
        self.design = self.quantities.parent / design
        self.protein_names, columns = quantity_names(self.quantities)
        groups, self._target_column = read_design(self.design, sample, target)
        if self._target_column in self.protein_names:
            raise InputError(f"target is '{self._target_column}', which is also a protein of {self.quantities}")
        self.join = join_samples(groups, columns, str(self.design), str(self.quantities))
        self._positive = str(positive)
        self.batch_effect_suspects = one_sided_prefixes(self.join.groups)
        _ = self.target
        self._report()

    @rank_zero_only
    def _report(self) -> None:
        level = logging.INFO if self.join.complete else logging.WARNING
        log.log(level, "%s (%s, %s)", self.join, self.quantities, self.design.name)
        for prefix, names in self.batch_effect_suspects.items():
            log.warning(
                "all %d patients whose names begin with '%s_' are in group '%s': a possible batch effect (%s)",
                len(names),
                prefix,
                self.join.groups[names[0]],
                shown(names, limit=7),
            )

    @property
    def source(self) -> str:
        """The matrix."""
        return str(self.quantities)

    @property
    def folders(self) -> list[Path]:
        """The folder of the matrix."""
        return [self.quantities.parent]

    @cached_property
    def target(self) -> Target:
        """The group; class 1 is `positive`."""
        import pandas as pd

        labels = column_levels(pd.Series(list(self.join.groups.values())))
        if len(labels) > 2:
            raise InputError(
                f"column '{self._target_column}' of {self.design} holds {len(labels)} groups ({shown(labels)}), but "
                "two are told apart; list only the samples of two groups in the design"
            )
        # Refuses a single group and a positive one that is none of the two.
        Target(self._target_column, "binary", labels, (self._positive,))
        return Target(self._target_column, "binary", tuple(sorted(labels, key=lambda label: label == self._positive)))

    @property
    def sample_names(self) -> list[str]:
        """Names of the patients, in the order of `table()`: that of the design."""
        names = list(self.join.groups)
        return [names[number] for number in self.table().index]

    @property
    def dropped_proteins(self) -> list[str]:
        """Proteins that are 0 in every row, as too few training rows have them."""
        self.setup()
        return self.encoder.dropped

    @cached_property
    def encoder(self) -> QuantityEncoder:
        """The encoder of the quantities; fitted by `setup`."""
        return self.make_encoder()

    def read(self, limit_rows: int | None = None) -> "pd.DataFrame":
        """Read the patients that have a group, in the order of the design, or the first of them."""
        frame = read_quantities(self.quantities).loc[list(self.join.groups)]
        return frame.assign(**{self._target_column: list(self.join.groups.values())})[:limit_rows]

    def make_encoder(self) -> QuantityEncoder:
        """Return the encoder, not yet fitted."""
        return QuantityEncoder(
            self.protein_names,
            scale=self.scale,
            missing=self.missing,
            impute=self.impute,
            mask=self.missing_mask,
            min_present=self.min_present,
        )

    def predict_dataloader(self) -> InMemoryLoader:
        """Return every patient as `(x, y)`; those of `predict_path` as `x` alone, in the order of its columns.

        Raises:
            InputError: If `predict_path` has none of the proteins.
        """
        if self.predict_path is None:
            return super().predict_dataloader()
        self.setup()
        frame = read_quantities(self.predict_path)
        lacking = [name for name in self.protein_names if name not in frame.columns]
        if len(lacking) == len(self.protein_names):
            raise InputError(
                f"predict_path {self.predict_path} has none of the {len(lacking)} proteins of {self.quantities}; "
                "it must hold protein names in its first column, then one column per patient"
            )
        self._report_prediction(lacking, frame.shape[1] - len(self.protein_names) + len(lacking))
        encoded = self.encoder.transform(frame.reindex(columns=self.protein_names), self.predict_path)
        return self._batches([torch.from_numpy(np.ascontiguousarray(encoded))])

    @rank_zero_only
    def _report_prediction(self, lacking: list[str], unknown: int) -> None:
        if lacking or unknown:
            log.warning(
                "%s has %d of %d proteins; %d count as missing (%s) and %d others are not used",
                self.predict_path,
                len(self.protein_names) - len(lacking),
                len(self.protein_names),
                len(lacking),
                shown(lacking) or "none",
                unknown,
            )


def _locate(root: str | None, quantities: str) -> Path:
    """Return the matrix in `root` or its sub-folder `proteomics`."""
    folder = data_root(root)
    candidates = [folder / quantities, folder / "proteomics" / quantities]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise InputError(
            f"there is no file {quantities} in {folder} or its sub-folder proteomics; set data.root to its folder "
            "or data.quantities to its name"
        )
    return found
