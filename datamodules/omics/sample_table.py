"""The base of data modules that join a matrix of samples x genes with a table of labels, by the samples' names.

Shapes: N samples, G genes, C encoded columns of covariates.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning.pytorch.utilities import rank_zero_only

from ...errors import InputError, shown
from ..encoding import TableEncoder
from ..splitting import Split
from ..table import TableDataModule
from .covariates import Covariates
from .matrix import SampleMatrix
from .quantities import SampleJoin
from .split_files import SplitFile

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SampleTable", "join_labels"]

log = logging.getLogger(__name__)


class SampleTable(TableDataModule):
    """Serve G genes, then C covariates, of the samples that have both a row of the matrix and a label.

    A subclass calls `unite` at the end of its constructor and names the `target`.

    Attributes:
        matrix: The matrix; its values are read in `setup`.
        labels: Table of the N samples in use, named in the index: label, covariates and group.
        covariates: Which of its columns are features, and who lacks a value.
        join: Which samples have both.
        left_out: Reason -> samples that are not in use.
        published: The lists of samples that train and test, or None.

    Example:
        >>> from axonlight.datamodules import ExpressionData
        >>> issubclass(ExpressionData, SampleTable)
        True
    """

    matrix: SampleMatrix
    labels: "pd.DataFrame"
    covariates: Covariates
    join: SampleJoin
    left_out: dict[str, tuple[str, ...]]
    published: SplitFile | None
    log_transform: bool = False

    def unite(
        self,
        matrix: SampleMatrix,
        genes: list[str],
        labels: "pd.DataFrame",
        join: SampleJoin,
        covariates: Covariates,
        left_out: Mapping[str, Sequence[str]],
        published: SplitFile | None,
    ) -> None:
        """Take over what the constructor found; see the attributes.

        Raises:
            InputError: If a column beside the genes is named as one of them.
        """
        clash = sorted(set(genes) & {*map(str, labels.columns), *covariates.feature_names})
        if clash:
            raise InputError(
                f"'{clash[0]}' is both a gene of {matrix.path} and a label, group or covariate; rename one of them"
            )
        self.matrix, self.labels, self.covariates, self.join = matrix, labels, covariates, join
        self.left_out = {reason: tuple(names) for reason, names in left_out.items() if names}
        self.published = published
        self._genes = genes

    @property
    def source(self) -> str:
        """The matrix."""
        return str(self.matrix.path)

    @property
    def gene_names(self) -> list[str]:
        """Names of the G genes, which are the first features."""
        return list(self._genes)

    @property
    def measurements(self) -> list[str]:
        """The genes: no covariate is a feature of a hierarchy."""
        return self.gene_names

    @property
    def covariate_names(self) -> list[str]:
        """Names of the C encoded columns of covariates, which are the last features."""
        return self.covariates.feature_names

    @property
    def folders(self) -> list[Path]:
        """The folder of the matrix."""
        return [self.matrix.path.parent]

    @property
    def sample_names(self) -> list[str]:
        """Names of the samples, in the order of `table()`: that of the matrix."""
        return self._names_of(self.table())

    def _names_of(self, frame: "pd.DataFrame") -> list[str]:
        names = [str(name) for name in self.labels.index]
        return [names[number] for number in frame.index]

    def make_encoder(self) -> TableEncoder:
        """Return the encoder, not yet fitted."""
        numeric = [*self._genes, *self.covariates.numeric]
        return TableEncoder(numeric, dict(self.covariates.levels), self.missing, self.scale)

    def read(self, limit_rows: int | None = None) -> "pd.DataFrame":
        """Read the samples that have a label, in the order of the matrix, or the first of them."""
        import pandas as pd

        frame = self._values(self.matrix, list(self.labels.index))
        return pd.concat([frame, self.labels], axis="columns").iloc[:limit_rows]

    def read_new(self, path: str) -> "pd.DataFrame":
        """Read the matrix of `predict_path`: the same genes in any order; covariates stand beside them (or in `obs`).

        Raises:
            InputError: If it lacks a gene or covariate.
        """
        import pandas as pd

        matrix = SampleMatrix.open(path, self.matrix.layer)
        known = set(matrix.columns)
        lacking = [name for name in self._genes if name not in known]
        beside: Any = matrix.table() if self.covariates.names else pd.DataFrame(index=pd.Index(matrix.samples))
        lacking += [name for name in self.covariates.names if name not in beside.columns]
        if lacking:
            total = len(self._genes) + len(self.covariates.names)
            raise InputError(
                f"predict_path {path} lacks {len(lacking)} of the {total} genes and covariates ({shown(lacking)}); it "
                "must be a matrix of the same form, with covariates as columns of its own"
            )
        frame = pd.concat([self._values(matrix, matrix.samples), beside[self.covariates.names]], axis="columns")
        return frame.reset_index(drop=True)

    def _values(self, matrix: SampleMatrix, samples: list[str]) -> "pd.DataFrame":
        frame = matrix.read(self._genes).loc[samples]
        self._check_missing(frame, str(matrix.path))
        if not self.log_transform:
            return frame
        negative = np.argwhere(frame.to_numpy() < 0)
        if len(negative):
            row, column = negative[0]
            raise InputError(
                f"log_transform is true, but gene '{frame.columns[column]}' of {matrix.path} is "
                f"{frame.iat[row, column]:g} in sample '{frame.index[row]}'; values that are logarithms need none"
            )
        return np.log2(frame + 1)

    def _check_missing(self, frame: "pd.DataFrame", path: str) -> None:
        empty: Any = frame.isna().to_numpy()
        if not empty.any():
            return
        genes = [str(name) for name in frame.columns[empty.any(axis=0)]]
        samples = [str(name) for name in frame.index[empty.any(axis=1)]]
        what = f"{int(empty.sum())} empty cells (genes {shown(genes, 3)}; samples {shown(samples, 3)})"
        if self.missing == "error":
            raise InputError(f"{path} has {what}; fill them in, or set missing to 'median'")
        _report_filled(path, what)

    def divide(self, frame: "pd.DataFrame", strata: np.ndarray | None, groups: np.ndarray | None) -> Split:
        """Return the rows of each part: by the published lists if there are any, else as the options say."""
        if self.published is None:
            return super().divide(frame, strata, groups)
        names = self._names_of(frame)
        split = self.published.divide(names, self.split_options, strata, groups)
        self.published.report(names, split, self.left_out)
        return split


@rank_zero_only
def _report_filled(path: str, what: str) -> None:
    log.warning("%s has %s; the medians of the training rows fill them", path, what)


def join_labels(
    matrix: SampleMatrix, labels: Mapping[str, str], label_path: str, nouns: tuple[str, str] = ("a label", "expression")
) -> SampleJoin:
    r"""Join the samples of a matrix, in its order, with those that have a label.

    Raises:
        InputError: If no sample has both; if the samples are the columns of the matrix, it says so.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "expression.csv"
        >>> _ = path.write_text("gene,a,b\nTP53,1.5,0.5\n")
        >>> join_labels(SampleMatrix(path, ["TP53"], ["a", "b"]), {"a": "1", "b": "2"}, "labels.csv")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: 2 samples of labels.csv (a, b) are columns of ...; transpose ...
    """
    both = {name: labels[name] for name in matrix.samples if name in labels}
    if not both:
        turned = [name for name in matrix.columns if name in labels]
        if turned:
            raise InputError(
                f"{len(turned)} samples of {label_path} ({shown(turned, 2)}) are columns of {matrix.path}; transpose "
                "the matrix so that each row is a sample (in pandas: frame.T.to_csv(path); in anndata: adata.T)"
            )
        raise InputError(
            f"none of the {len(labels)} samples of {label_path} (such as {', '.join(list(labels)[:2])}) is a row of "
            f"{matrix.path} (such as {', '.join(matrix.samples[:2])}); names must be spelled alike in both"
        )
    measured = set(matrix.samples)
    absent = tuple(name for name in labels if name not in measured)
    return SampleJoin(both, absent, tuple(name for name in matrix.samples if name not in labels), nouns)
