"""A matrix of samples x genes in a file: its names at once, its values when they are needed.

Shapes: N samples, G genes.
"""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...datasets import column_names, read_table
from ...datasets.read import UNNAMED
from ...errors import InputError, shown
from .annotated import annotated_names, read_annotated_matrix, read_annotated_samples
from .quantities import unique_names

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SampleMatrix"]


@dataclass(frozen=True)
class SampleMatrix:
    r"""One row per sample, named in the first column (or the index of a Parquet file), then one column per gene.

    Args:
        path: A CSV, TSV (also gzipped), Parquet or .h5ad file.
        samples: Names of the samples, in the order of the file.
        columns: Names of the other columns, or of the genes of an .h5ad file.
        layer: The layer of an .h5ad file; None takes its X.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "expression.csv"
        >>> _ = path.write_text("sample,TP53,EGFR\na,1.5,\nb,0.5,2.0\n")
        >>> matrix = SampleMatrix.open(path)
        >>> matrix.samples, matrix.columns
        (['a', 'b'], ['TP53', 'EGFR'])
        >>> matrix.read(["EGFR"]).loc["b"].tolist()
        [2.0]
    """

    path: Path
    samples: list[str]
    columns: list[str]
    layer: str | None = None

    @classmethod
    def open(cls, path: str | os.PathLike[str], layer: str | None = None) -> "SampleMatrix":
        """Look at the names of a file.

        Raises:
            InputError: If the file cannot be read, or a sample or gene has no name or stands twice.
        """
        path = Path(path).expanduser()
        if _is_annotated(path):
            samples, genes = annotated_names(path)
            return cls(path, _unique(samples, "sample", path), _unique(genes, "gene", path), layer)
        if layer is not None:
            raise InputError(f"layer is '{layer}', but {path} is no .h5ad file; only these have layers")
        names = column_names(path, header=True)
        first = _sample_column(path, names)
        columns = [name for name in names if name != first]
        unnamed = [name for name in columns if name.startswith(UNNAMED)]
        if unnamed:
            place = names.index(unnamed[0]) + 1
            raise InputError(f"column {place} of {path} has no name; every column after the samples must be named")
        if not columns:
            raise InputError(f"{path} has one column; an expression matrix has sample names, then one column per gene")
        samples = unique_names(path, first)
        _refuse_numbers(samples, path, first)
        return cls(path, samples, columns)

    @property
    def annotated(self) -> bool:
        """Whether it is an .h5ad file, whose genes are all its columns."""
        return _is_annotated(self.path)

    def table(self) -> "pd.DataFrame":
        """Return what stands beside the genes: `obs` of an .h5ad file, else the whole table; samples are the index."""
        if self.annotated:
            return read_annotated_samples(self.path)
        return read_table(self.path, header=True).loc[:, self.columns].set_axis(self.samples, axis="index")

    def read(self, genes: list[str]) -> "pd.DataFrame":
        """Read the values of these genes, one row per sample; empty cells are NaN.

        Raises:
            InputError: At the first cell that is no finite number, naming sample and gene.
        """
        import pandas as pd

        if self.annotated:
            values: Any = pd.DataFrame(read_annotated_matrix(self.path, self.layer), columns=self.columns)[genes]
        else:
            values = read_table(self.path, header=True)[genes]
        numbers = self._numbers(values)
        infinite = np.isinf(numbers)
        if infinite.any():
            row, column = np.argwhere(infinite)[0]
            raise InputError(f"{self._cell(row, genes[column])} is infinite; remove the sample or the gene")
        return pd.DataFrame(numbers, index=self.samples, columns=genes)

    def _numbers(self, values: Any) -> np.ndarray:
        import pandas as pd

        text = [name for name, kind in values.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
        for name in text:
            column: Any = values[name]
            numbers: Any = pd.to_numeric(column, errors="coerce")
            bad = (numbers.isna() & column.notna()).to_numpy()
            if bad.any():
                row = int(bad.argmax())
                raise InputError(
                    f"{self._cell(row, str(name))} is '{column.iloc[row]}', which is no number; a column that is no "
                    "gene must be a label or covariate, or stand in a table of its own (data.labels)"
                )
            values = values.assign(**{str(name): numbers})
        return values.to_numpy(dtype=np.float64, na_value=np.nan)

    def _cell(self, row: int, gene: str) -> str:
        return f"{self.path}: the value of gene '{gene}' in sample '{self.samples[row]}' (row {row + 1})"


def _is_annotated(path: Path) -> bool:
    return path.name.lower().endswith(".h5ad")


def _sample_column(path: Path, names: list[str]) -> str:
    """Return the column of sample names: the first, or the index that pandas stored in a Parquet file."""
    if path.name.lower().endswith((".parquet", ".pq")):
        from pyarrow import parquet

        described = parquet.read_schema(path).pandas_metadata or {}
        stored = [name for name in described.get("index_columns", ()) if isinstance(name, str)]
        return stored[0] if stored else names[0]
    return names[0]


def _unique(names: list[str], what: str, path: Path) -> list[str]:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{path} names {len(twice)} {what}s more than once ({shown(twice)}); each may stand once")
    return names


def _refuse_numbers(samples: list[str], path: Path, column: str) -> None:
    """Refuse a first column that is a gene: names of samples are not all numbers with decimals."""
    try:
        fractions = [float(name) % 1 != 0 for name in samples]
    except ValueError:
        return
    if any(fractions):
        raise InputError(
            f"the first column of {path} ('{column}') holds numbers such as {samples[0]}; it must hold the names of "
            "the samples"
        )
