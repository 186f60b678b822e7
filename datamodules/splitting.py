"""Which rows train, validate and test. Row numbers count from 0; nothing here sees a feature.

Shapes: N rows of the table, K folds.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError

__all__ = ["Split", "SplitOptions", "assign_groups", "hold_out_validation", "split_rows"]


@dataclass(frozen=True)
class Split:
    """Row numbers of the three parts; together they are all rows, each once."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class SplitOptions:
    """How rows are divided; see `TableDataModule` for the meaning of each key.

    Raises:
        InputError: If a fraction or a fold is out of range, or one of `fold` and `num_folds` is missing.

    Example:
        >>> SplitOptions(fold=5, num_folds=5)
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: fold is 5; with num_folds 5 it must be 0 to 4
    """

    test_fraction: float = 0.2
    val_fraction: float = 0.1
    fold: int | None = None
    num_folds: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for key in ("test_fraction", "val_fraction"):
            if not 0 <= getattr(self, key) < 1:
                raise InputError(f"{key} is {getattr(self, key)}; it must be at least 0 and less than 1")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"split_seed is {self.seed}; it must be 0 to {2**32 - 1}")
        self._check_folds()
        if self.held_out + self.val_fraction >= 1:
            part = "test_fraction" if self.num_folds is None else "the share of one fold"
            raise InputError(
                f"{part} ({self.held_out:g}) and val_fraction ({self.val_fraction:g}) leave no training rows"
            )

    def _check_folds(self) -> None:
        if self.num_folds is None:
            if self.fold is not None:
                raise InputError(f"fold is {self.fold}, but num_folds is not given")
            return
        if self.num_folds < 2:
            raise InputError(f"num_folds is {self.num_folds}; it must be at least 2")
        if self.fold is None:
            raise InputError(f"num_folds is {self.num_folds}, but fold (0 to {self.num_folds - 1}) is not given")
        if not 0 <= self.fold < self.num_folds:
            raise InputError(
                f"fold is {self.fold}; with num_folds {self.num_folds} it must be 0 to {self.num_folds - 1}"
            )

    @property
    def held_out(self) -> float:
        """The share of rows that test."""
        return self.test_fraction if self.num_folds is None else 1 / self.num_folds


def split_rows(
    num_rows: int, options: SplitOptions, strata: np.ndarray | None = None, groups: np.ndarray | None = None
) -> Split:
    """Divide rows into training, validation and test rows.

    The test rows do not depend on `val_fraction`: validation rows are taken from what is left. Without
    strata and groups the test rows are those of
    `sklearn.model_selection.train_test_split(random_state=seed)`, with folds those of `KFold(shuffle=True,
    random_state=seed)`, stratified `StratifiedKFold`.

    Args:
        num_rows: N.
        options: Fractions, folds and seed.
        strata: (N,) class of each row; each part gets its share of every class.
        groups: (N,) group of each row; the rows of a group stay together.

    Raises:
        InputError: If there are fewer rows, rows of a class, or groups than parts.

    Example:
        >>> split = split_rows(10, SplitOptions(test_fraction=0.2, val_fraction=0.1, seed=42))
        >>> split.test.tolist(), len(split.train), len(split.validation)
        ([8, 1], 7, 1)
    """
    rows = np.arange(num_rows)
    if options.num_folds is not None:
        rest, test = _one_fold(rows, options, strata, groups)
    elif options.test_fraction > 0:
        rest, test = _cut_off(rows, options.test_fraction, "test_fraction", options.seed, strata, groups)
    else:
        rest, test = rows, rows[:0]
    train, validation = hold_out_validation(rest, num_rows, options, strata, groups)
    return Split(train, validation, test)


def hold_out_validation(
    rest: np.ndarray,
    num_rows: int,
    options: SplitOptions,
    strata: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Divide the rows that do not test into training and validation rows.

    Args:
        rest: The rows that do not test.
        num_rows: Number of all rows; `val_fraction` is a share of these.
        options: Fraction and seed.
        strata: Class of each of all rows, or None.
        groups: Group of each of all rows, or None.

    Raises:
        InputError: As `split_rows`.

    Example:
        >>> train, validation = hold_out_validation(np.arange(2, 10), 10, SplitOptions(val_fraction=0.2))
        >>> len(train), len(validation)
        (6, 2)
    """
    if options.val_fraction == 0:
        return rest, rest[:0]
    # A count, so that the validation rows are val_fraction of all rows and not of those left.
    count = math.ceil(round(options.val_fraction * num_rows, 6))
    share = count if groups is None else count / len(rest)
    return _cut_off(rest, share, "val_fraction", options.seed, strata, groups)


def _one_fold(
    rows: np.ndarray, options: SplitOptions, strata: np.ndarray | None, groups: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.model_selection import KFold, StratifiedKFold

    folds, fold = options.num_folds or 0, options.fold or 0
    if len(rows) < folds:
        raise InputError(f"num_folds is {folds}, but there are only {len(rows)} rows")
    if groups is not None:
        number = len(np.unique(groups))
        if number < folds:
            raise InputError(f"num_folds is {folds}, but there are only {number} groups")
        bins = assign_groups(groups, np.full(folds, 1 / folds), options.seed, strata, largest_first=True)
        return rows[bins != fold], rows[bins == fold]
    if strata is None:
        parts = KFold(folds, shuffle=True, random_state=options.seed).split(rows)
    else:
        _check_strata(strata, folds, f"num_folds is {folds}")
        parts = StratifiedKFold(folds, shuffle=True, random_state=options.seed).split(rows, strata)
    return list(parts)[fold]


def _cut_off(
    rows: np.ndarray, share: float, key: str, seed: int, strata: np.ndarray | None, groups: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Divide `rows` into the rest and the part that `key` asks for: a share, or a whole number of rows."""
    from sklearn.model_selection import train_test_split

    own_strata = None if strata is None else strata[rows]
    if groups is not None:
        bins = assign_groups(groups[rows], np.array([1 - share, share]), seed, own_strata)
        if not (bins == 1).any() or not (bins == 0).any():
            number = len(np.unique(groups[rows]))
            raise InputError(f"{key} leaves a part without a group: its {len(rows)} rows are only {number} groups")
        return rows[bins == 0], rows[bins == 1]
    count = share if isinstance(share, int) else math.ceil(share * len(rows))
    if count >= len(rows):
        raise InputError(f"{key} leaves no training rows: it takes {count} of {len(rows)} rows")
    if own_strata is not None:
        _check_strata(own_strata, 2, f"{key} asks for a stratified split")
        classes = len(np.unique(own_strata))
        if min(count, len(rows) - count) < classes:
            raise InputError(
                f"{key} gives {min(count, len(rows) - count)} rows to one part, fewer than the "
                f"{classes} classes; "
                "set stratify to false or use more rows"
            )
    parts: Any = train_test_split(rows, test_size=share, random_state=seed, stratify=own_strata)
    return parts[0], parts[1]


def _check_strata(strata: np.ndarray, least: int, reason: str) -> None:
    classes, counts = np.unique(strata, return_counts=True)
    if counts.min() < least:
        raise InputError(
            f"{reason}, but class {classes[counts.argmin()]} has only {counts.min()} of these rows; "
            "set stratify to false or merge classes"
        )


def assign_groups(
    groups: np.ndarray,
    shares: np.ndarray,
    seed: int,
    strata: np.ndarray | None = None,
    largest_first: bool = False,
) -> np.ndarray:
    """Put whole groups into bins so that every bin gets about its share of rows, and of each class.

    One group after the other goes to the bin that lacks most rows of the group's commonest class (ties: most
    rows altogether, then the first bin).

    Args:
        groups: (N,) group of each row.
        shares: Share of each bin; they sum to 1.
        seed: Seed of the order of the groups.
        strata: (N,) class of each row, or None.
        largest_first: Place large groups first (better balance) rather than in random order (every group as
            likely as any other to be in a bin).

    Returns:
        (N,) bin of each row.

    Example:
        >>> assign_groups(np.array([0, 0, 1, 1, 2, 2]), np.full(3, 1 / 3), seed=0).tolist()
        [1, 1, 2, 2, 0, 0]
    """
    _, group = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group)
    stratum = np.zeros(len(group), dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]
    commonest = _commonest(group, stratum)
    order = np.random.default_rng(seed).permutation(len(sizes))
    if largest_first:
        order = order[np.argsort(-sizes[order], kind="stable")]
    table = np.zeros((len(sizes), stratum.max() + 1))
    np.add.at(table, (group, stratum), 1)
    lacking = np.outer(table.sum(axis=0), shares)
    bins = np.empty(len(sizes), dtype=int)
    for index in order.tolist():
        wanted, overall = lacking[commonest[index]], lacking.sum(axis=0)
        bins[index] = np.lexsort((-overall, -wanted))[0]
        lacking[:, bins[index]] -= table[index]
    return bins[group]


def _commonest(group: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    """Return the commonest stratum of each group."""
    width = int(stratum.max()) + 1
    pairs, counts = np.unique(group * width + stratum, return_counts=True)
    commonest = np.empty(int(group.max()) + 1, dtype=int)
    # Later writes win: the largest count of a group comes last.
    order = np.argsort(counts, kind="stable")
    commonest[pairs[order] // width] = pairs[order] % width
    return commonest
