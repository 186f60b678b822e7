"""Covariates of samples: which columns are numbers, which are levels, and who lacks a value.

Shapes: N samples.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ...datasets import find_column
from ...errors import InputError, shown
from ..encoding import UNKNOWN, Missing, column_levels

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Covariates"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Covariates:
    """Columns beside the genes that are features too.

    Args:
        numeric: Columns of numbers.
        levels: Levels of each other column.
        absent: Samples without a value, per column that has some.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"age": [61, None], "stage": ["II", "III"]}, index=["a", "b"])
        >>> covariates = Covariates.choose(table, ["age", "stage"], (), "median", "clinical.csv")
        >>> covariates.numeric, covariates.levels, covariates.absent
        (['age'], {'stage': ('II', 'III')}, {'age': ('b',)})
        >>> covariates.feature_names
        ['age', 'stage=II', 'stage=III', 'stage=unknown']
    """

    numeric: list[str] = field(default_factory=list)
    levels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    absent: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def choose(
        cls, table: "pd.DataFrame", names: Sequence[str], categorical: Collection[str], missing: Missing, path: str
    ) -> "Covariates":
        """Look at the columns: text has levels, numbers are numbers unless listed in `categorical`.

        Args:
            table: One row per sample, named in the index.
            names: The columns, each once.
            categorical: Columns of numbers that are levels.
            missing: "error" refuses a sample without a value.
            path: Name of the table in messages.

        Raises:
            InputError: If a column is not there, is empty or infinite, or a value is missing that must not.
        """
        from pandas.api.types import is_numeric_dtype

        columns = [str(name) for name in table.columns]
        numeric, levels, absent = [], {}, {}
        for name in names:
            column: Any = table[find_column(columns, name, "covariates", path)]
            lacking = tuple(str(sample) for sample in table.index[column.isna().to_numpy()])
            _check(name, column, lacking, missing, path)
            if lacking:
                absent[name] = lacking
            if is_numeric_dtype(column) and name not in categorical:
                numeric.append(name)
            else:
                levels[name] = column_levels(column)
        return cls(numeric, levels, absent)

    @property
    def names(self) -> list[str]:
        """The columns, numbers first."""
        return [*self.numeric, *self.levels]

    @property
    def feature_names(self) -> list[str]:
        """The encoded columns, in their order among the features."""
        return [*self.numeric, *(f"{name}={level}" for name in self.levels for level in (*self.levels[name], UNKNOWN))]

    def report(self, path: str) -> None:
        """Log who lacks a value and what becomes of it."""
        for name, samples in self.absent.items():
            filled = "the median of the training rows" if name in self.numeric else f"'{name}={UNKNOWN}'"
            log.warning(
                "%d sample%s of %s %s no '%s', which becomes %s: %s",
                len(samples),
                "s" if len(samples) > 1 else "",
                path,
                "have" if len(samples) > 1 else "has",
                name,
                filled,
                shown(samples),
            )


def _check(name: str, column: Any, lacking: tuple[str, ...], missing: Missing, path: str) -> None:
    if len(lacking) == len(column):
        raise InputError(f"covariate '{name}' of {path} has no value in any sample; leave it out")
    if lacking and missing == "error":
        raise InputError(
            f"covariate '{name}' of {path} has no value for {len(lacking)} sample{'s' if len(lacking) > 1 else ''} "
            f"({shown(lacking)}); set missing to 'median', or remove them"
        )
    if column.dtype.kind == "f" and np.isinf(column.to_numpy()).any():
        sample = column.index[int(np.isinf(column.to_numpy()).argmax())]
        raise InputError(f"covariate '{name}' of {path} is infinite for sample '{sample}'; correct it")
