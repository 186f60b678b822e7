"""Published splits: files `splits_0.csv`, `splits_1.csv`, ... that list samples by name.

Columns `train`, `val` and, if there is one, `test`; lists of unequal length are filled up with empty cells.
"""

import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lightning.pytorch.utilities import rank_zero_only

from ...datasets import column_names, read_text_column
from ...errors import InputError, shown
from ..splitting import Split, SplitOptions, hold_out_validation

__all__ = ["SplitFile", "find_split", "read_split"]

log = logging.getLogger(__name__)
_NAME = re.compile(r"splits_(\d+)\.(csv|tsv)(\.gz)?")


@dataclass(frozen=True)
class SplitFile:
    """Names of the samples of each part.

    Args:
        path: The file.
        train: Samples that train, and validate if `validation` is None.
        validation: Samples that validate; None if the file has two parts, of which the second tests.
        test: Samples that test.

    Example:
        >>> split = SplitFile(Path("splits_0.csv"), ("a", "b", "c"), None, ("d", "e"))
        >>> divided = split.divide(["e", "b", "a"], SplitOptions(val_fraction=0))
        >>> divided.train.tolist(), divided.test.tolist()
        ([1, 2], [0])
    """

    path: Path
    train: tuple[str, ...]
    validation: tuple[str, ...] | None
    test: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """All samples of the file."""
        return [*self.train, *(self.validation or ()), *self.test]

    def divide(
        self,
        samples: Sequence[str],
        options: SplitOptions,
        strata: np.ndarray | None = None,
        groups: np.ndarray | None = None,
    ) -> Split:
        """Return the rows of each part; a row that the file does not name is in none of them.

        Args:
            samples: Name of each row.
            options: Its `val_fraction` and `seed` choose validation rows among the training rows of a file that
                lists none; a share of the rows of the file.
            strata: (N,) class of each row.
            groups: (N,) group of each row.

        Raises:
            InputError: If no row trains or none tests, or a group is on both sides.
        """
        place = {name: row for row, name in enumerate(samples)}
        train, validation, test = (
            np.array([place[name] for name in part or () if name in place], dtype=np.int64)
            for part in (self.train, self.validation, self.test)
        )
        for key, rows in (("train", train), ("test", test)):
            if not len(rows):
                raise InputError(
                    f"none of the {len(samples)} samples in use (such as {', '.join(samples[:2])}) is among those of "
                    f"{self.path} that {key}"
                )
        if groups is not None:
            self._refuse_shared(groups, (train, validation), test)
        # In the order of the table: the order of a list in a file says nothing.
        rest, test = np.sort(train), np.sort(test)
        if self.validation is not None:
            return Split(rest, np.sort(validation), test)
        return Split(*hold_out_validation(rest, len(rest) + len(test), options, strata, groups), test)

    def _refuse_shared(self, groups: np.ndarray, fitted: tuple[np.ndarray, ...], test: np.ndarray) -> None:
        shared = np.intersect1d(groups[np.concatenate(fitted)], groups[test])
        if len(shared):
            raise InputError(
                f"{self.path} puts {len(shared)} groups of samples (equal in the group column, or copies) into "
                "training and test; leave out group and keep_duplicates_together, or use other splits"
            )

    @rank_zero_only
    def report(self, samples: Sequence[str], split: Split, left_out: Mapping[str, Sequence[str]]) -> None:
        """Log how many samples each part has, which samples of the file are not in use and why.

        Args:
            samples: Name of each row.
            split: What `divide` returned.
            left_out: Reason -> samples that are not in use.
        """
        known = set(samples)
        absent = [name for name in self.names if name not in known]
        parts = []
        for reason, names in left_out.items():
            among = [name for name in absent if name in set(names)]
            if among:
                parts.append(f"{len(among)} {reason} ({shown(among, 3)})")
                absent = [name for name in absent if name not in set(among)]
        if absent:
            parts.append(f"{len(absent)} unknown ({shown(absent, 3)})")
        named = set(self.names)
        unlisted = [name for name in samples if name not in named]
        log.log(
            logging.WARNING if absent or unlisted else logging.INFO,
            "%s: %d samples train, %d validate, %d test%s; of its %d samples are not in use: %s%s",
            self.path,
            len(split.train),
            len(split.validation),
            len(split.test),
            "" if self.validation is not None else " (those it lists as val)",
            len(named),
            ", ".join(parts) or "none",
            f"; {len(unlisted)} samples that it does not name are in no part ({shown(unlisted)})" if unlisted else "",
        )


def find_split(place: str | os.PathLike[str], fold: int | None) -> Path:
    """Return the file of a fold.

    Args:
        place: A folder of `splits_0.csv`, `splits_1.csv`, ... (also .tsv and .gz), or one file.
        fold: Number of the file in a folder.

    Raises:
        InputError: If there is no such file, or `fold` is missing or does not belong here.
    """
    path = Path(place).expanduser()
    if path.is_file():
        if fold is not None:
            raise InputError(f"fold is {fold}, but splits is one file ({path}); give the folder, or leave out fold")
        return path
    if not path.is_dir():
        raise InputError(f"splits is {path}, which is neither a file nor a folder of files splits_0.csv, ...")
    files = {int(match[1]): file for file in sorted(path.iterdir()) if (match := _NAME.fullmatch(file.name))}
    if not files:
        raise InputError(f"{path} holds no file named splits_0.csv, splits_1.csv, ...; give the folder that does")
    if fold not in files:
        given = "not given" if fold is None else str(fold)
        raise InputError(f"fold is {given}, but {path} holds the folds {', '.join(map(str, sorted(files)))}")
    return files[fold]


def read_split(path: Path) -> SplitFile:
    r"""Read one file of splits.

    A file with the columns `train` and `val` alone has its held-out samples in `val`: they test here, so that what is
    reported is not what chose the epoch.

    Raises:
        InputError: If a column is missing or empty, or a sample stands twice.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "splits_0.csv"
        >>> _ = path.write_text(",train,val\n0,a,c\n1,b,\n")
        >>> split = read_split(path)
        >>> split.train, split.validation, split.test
        (('a', 'b'), None, ('c',))
    """
    columns = column_names(path, header=True)
    if "train" not in columns or not {"val", "test"} & set(columns):
        raise InputError(
            f"{path} has the columns {', '.join(columns)}; a file of splits has train, and val or test, or both"
        )
    parts = {key: _part(path, key) for key in ("train", "val", "test") if key in columns}
    seen: dict[str, str] = {}
    for key, names in parts.items():
        for name in names:
            if name in seen:
                where = f"twice in {key}" if seen[name] == key else f"in {seen[name]} and in {key}"
                raise InputError(f"{path} lists '{name}' {where}; a sample is in one part, once")
            seen[name] = key
    if parts.get("test"):
        return SplitFile(path, parts["train"], parts.get("val") or None, parts["test"])
    return SplitFile(path, parts["train"], None, parts["val"])


def _part(path: Path, key: str) -> tuple[str, ...]:
    names = tuple(name for name in read_text_column(path, key, header=True) if name)
    if not names and key == "train":
        raise InputError(f"column 'train' of {path} is empty; give the samples that train")
    return names
