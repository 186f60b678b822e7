"""Read a quantity matrix (features x samples) and a design table (sample, group), and join them by sample name.

Shapes: P features (proteins), N samples (patients).
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from ...datasets import column_names, find_column, read_table, read_text_column
from ...errors import InputError, shown
from ..encoding import text_values

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "SampleJoin",
    "join_samples",
    "one_sided_prefixes",
    "quantity_names",
    "read_design",
    "read_quantities",
    "unique_names",
]


@dataclass(frozen=True)
class SampleJoin:
    """Which samples of a design table have quantities, or any two tables have in common.

    Args:
        groups: Group of each sample that has quantities, in the order of the design.
        without_quantities: Samples of the design that the matrix lacks.
        without_group: Samples of the matrix that the design lacks.
        nouns: What the two tables give a sample, for the text.

    Example:
        >>> print(SampleJoin({"a": "1"}, without_group=("b",)))
        1 sample has a group and quantities; 1 has quantities and no group (b)
    """

    groups: dict[str, str]
    without_quantities: tuple[str, ...] = ()
    without_group: tuple[str, ...] = ()
    nouns: tuple[str, str] = field(default=("a group", "quantities"), repr=False)

    @property
    def complete(self) -> bool:
        """Whether every sample has both."""
        return not (self.without_quantities or self.without_group)

    def __str__(self) -> str:
        plural = "samples have" if len(self.groups) != 1 else "sample has"
        group, quantities = self.nouns
        text = f"{len(self.groups)} {plural} {group} and {quantities}"
        for names, what in (
            (self.without_quantities, f"{group} and no {quantities}"),
            (self.without_group, f"{quantities} and no {group.removeprefix('a ')}"),
        ):
            if names:
                text += f"; {len(names)} {'have' if len(names) > 1 else 'has'} {what} ({shown(names)})"
        return text


def quantity_names(path: str | os.PathLike[str]) -> tuple[list[str], list[str]]:
    r"""Return the names of features and samples; of the matrix only the header and the first column are looked at.

    Raises:
        InputError: If a feature has no name or stands twice, or the matrix has no sample.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "matrix.csv"
        >>> _ = path.write_text("Protein,a,b\nP1,20.5,\nP2,21.0,19.5\n")
        >>> quantity_names(path)
        (['P1', 'P2'], ['a', 'b'])
    """
    samples = column_names(path, header=True)[1:]
    if not samples:
        raise InputError(f"{path} has one column; a quantity matrix has feature names, then one column per sample")
    return _feature_names(path), samples


def read_quantities(path: str | os.PathLike[str]) -> "pd.DataFrame":
    r"""Read a features x samples matrix and turn it round: one row per sample (N), one column per feature (P).

    Empty cells are NaN.

    Raises:
        InputError: As `quantity_names`, and at the first cell that is no finite number, naming row and column.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "matrix.csv"
        >>> _ = path.write_text("Protein,a,b\nP1,20.5,\nP2,21.0,19.5\n")
        >>> read_quantities(path).loc["b"].tolist()
        [nan, 19.5]
    """
    import pandas as pd

    frame = read_table(path, header=True)
    names = _feature_names(path)
    samples = [str(name) for name in frame.columns[1:]]
    values = np.empty((len(names), len(samples)))
    for position, sample in enumerate(samples):
        column: Any = frame[sample]
        numbers: Any = pd.to_numeric(column, errors="coerce")
        values[:, position] = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
        bad = (numbers.isna() & column.notna()).to_numpy() | np.isinf(values[:, position])
        if bad.any():
            row = int(bad.argmax())
            raise InputError(
                f"'{column.iloc[row]}' in row {row + 1} ('{names[row]}'), column '{sample}' of {path} is no finite "
                "number; leave the cell empty where nothing was measured"
            )
    return pd.DataFrame(values.T, index=samples, columns=names)


def _feature_names(path: str | os.PathLike[str]) -> list[str]:
    return unique_names(path, column_names(path, header=True)[0])


def unique_names(path: str | os.PathLike[str], column: str) -> list[str]:
    r"""Return a column of names as text, so that `001` is not taken as the number 1.

    Raises:
        InputError: If a name is empty or stands twice, naming the rows.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "design.tsv"
        >>> _ = path.write_text("sample\tgroup\n001\t1\n002\t2\n")
        >>> unique_names(path, "sample")
        ['001', '002']
    """
    names, first = read_text_column(path, column, header=True), {}
    for row, name in enumerate(names, 1):
        if not name:
            raise InputError(f"column '{column}' of {path} is empty in row {row}; fill it in or remove the row")
        if name in first:
            raise InputError(
                f"column '{column}' of {path} names '{name}' in rows {first[name]} and {row}; each name may stand once"
            )
        first[name] = row
    return names


def read_design(path: str | os.PathLike[str], sample: int | str, target: int | str) -> tuple[dict[str, str], str]:
    r"""Return the group of each sample, in the order of the design table, and the name of the group column.

    Args:
        path: A table with a header.
        sample: Name or index of the column of sample names.
        target: Name or index of the column of groups.

    Raises:
        InputError: If a column is missing, a cell is empty, or a sample stands twice.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "design.tsv"
        >>> _ = path.write_text("sample\tgroup\na\t1\nb\t2\n")
        >>> read_design(path, "sample", "group")
        ({'a': '1', 'b': '2'}, 'group')
    """
    columns = column_names(path, header=True)
    samples, groups = (
        find_column(columns, column, key, path) for key, column in (("sample", sample), ("target", target))
    )
    if samples == groups:
        raise InputError(f"sample and target are both '{samples}' of {path}; they must be two columns")
    names = unique_names(path, samples)
    column: Any = read_table(path, header=True)[groups]
    absent = column.isna().to_numpy()
    if absent.any():
        raise InputError(f"column '{groups}' of {path} is empty for sample '{names[int(absent.argmax())]}'; fill it in")
    return dict(zip(names, text_values(column, str(path)), strict=True)), groups


def join_samples(design: dict[str, str], samples: Sequence[str], design_path: str, matrix_path: str) -> SampleJoin:
    """Join a design and the samples of a matrix by name.

    Raises:
        InputError: If no sample has both.

    Example:
        >>> join_samples({"a": "1", "b": "2"}, ["b", "c"], "design.tsv", "matrix.csv")
        SampleJoin(groups={'b': '2'}, without_quantities=('a',), without_group=('c',))
    """
    measured = set(samples)
    groups = {name: group for name, group in design.items() if name in measured}
    if not groups:
        raise InputError(
            f"none of the {len(design)} samples of {design_path} (first '{next(iter(design))}') is a column of "
            f"{matrix_path} (first '{samples[0]}'); sample names must be spelled alike in both"
        )
    absent = tuple(name for name in design if name not in measured)
    return SampleJoin(groups, absent, tuple(name for name in samples if name not in design))


def one_sided_prefixes(groups: dict[str, str], chance: float = 0.05) -> dict[str, tuple[str, ...]]:
    """Return the samples of each name prefix (before the first `_`) that lies in one group alone.

    Such a prefix may name a batch: a model can tell the group by the laboratory. A prefix counts if drawing
    as many samples at random would give one group with a probability below `chance`.

    Args:
        groups: Group of each sample.
        chance: That probability.

    Example:
        >>> groups = {f"A_{i}": "1" for i in range(7)} | {f"B_{i}": "12"[i % 2] for i in range(14)}
        >>> one_sided_prefixes(groups)
        {'A': ('A_0', 'A_1', 'A_2', 'A_3', 'A_4', 'A_5', 'A_6')}
    """
    by_prefix: dict[str, list[str]] = {}
    for name in groups:
        prefix, separator, _ = name.partition("_")
        if separator:
            by_prefix.setdefault(prefix, []).append(name)
    labels = list(groups.values())
    sizes = {label: labels.count(label) for label in sorted(set(labels))}

    def suspicious(names: list[str]) -> bool:
        draws = comb(len(labels), len(names))
        alone = len({groups[name] for name in names}) == 1
        return alone and sum(comb(size, len(names)) for size in sizes.values()) / draws < chance

    return {prefix: tuple(names) for prefix, names in by_prefix.items() if suspicious(names)}
