"""What engines that fit formulas to rows share: the rows they see, one class against the rest, one variable.

Legend of shapes: N rows given, S rows seen, F features.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from ...activations.formula import count_nodes, parse_formula
from ...errors import InputError
from ..candidate import Candidate
from .base import SearchRows

__all__ = ["FittingProblem", "check_sample", "fitting_problems", "merge_ranked", "read_original"]

_CLASSIFICATION = ("binary", "classification", "multiclass")


@dataclass(frozen=True)
class FittingProblem:
    """Rows to fit a formula to.

    Attributes:
        x: Features, float64 (S, F).
        y: Values of a regression, float64 (S,), or 0 and 1, int64 (S,).
        positive_class: Which class is 1 where there are more than two, else None.

    Example:
        >>> rows = SearchRows(np.zeros((6, 1)), np.array([0, 1, 2, 0, 1, 2]), "multiclass")
        >>> [problem.y.tolist() for problem in fitting_problems(rows, "gplearn", seed=0)][0]
        [1, 0, 0, 1, 0, 0]
    """

    x: np.ndarray
    y: np.ndarray
    positive_class: int | None = None

    @property
    def is_regression(self) -> bool:
        """Whether values are fitted, not classes."""
        return self.y.dtype.kind == "f"


def check_sample(sample: float | int | None) -> None:
    """Refuse a sample that is neither a share of the rows, nor a number of rows, nor None.

    Example:
        >>> check_sample(1.5)
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: sample is 1.5; it must be a share up to 1.0, a number of rows from 2, or null
    """
    if sample is None:
        return
    whole = isinstance(sample, int) and not isinstance(sample, bool)
    if not (sample >= 2 if whole else isinstance(sample, float) and 0 < sample <= 1):
        raise InputError(f"sample is {sample!r}; it must be a share up to 1.0, a number of rows from 2, or null")


def fitting_problems(
    rows: SearchRows | None,
    engine: str,
    seed: int,
    sample: float | int | None = None,
    standardize: bool = False,
) -> Iterator[FittingProblem]:
    """Yield what an engine fits: one problem, or with more than two classes one per class against the rest.

    Args:
        rows: What the engine may see.
        engine: Its name, for messages.
        seed: Seed of the sample.
        sample: Share or number of the rows that are drawn at random; None takes all, in their order.
        standardize: Whether the drawn rows are scaled by their own mean and deviation.

    Raises:
        InputError: If there are no rows, they are not finite, or there is one class alone.

    Example:
        >>> rows = SearchRows(np.arange(20.0)[:, None], np.arange(20) % 2, "binary")
        >>> problem, = fitting_problems(rows, "gplearn", seed=0, sample=0.5, standardize=True)
        >>> problem.x.shape, round(float(problem.x.std()), 9), problem.positive_class
        ((10, 1), 1.0, None)
    """
    x, y, task = _checked(rows, engine)
    if sample is not None:
        x, y = _drawn(x, y, sample, seed)
    if standardize:
        from sklearn.preprocessing import StandardScaler

        x = StandardScaler().fit_transform(x)
    if task == "regression":
        yield FittingProblem(x, y.astype(np.float64))
        return
    classes = np.unique(y)
    if len(classes) < 2:
        raise InputError(
            f"all {len(y)} rows that engine {engine} sees are of class {classes[0]}; give it more rows, or a larger "
            "sample"
        )
    if len(classes) == 2:
        yield FittingProblem(x, (y == classes[1]).astype(np.int64))
        return
    for positive in classes:
        yield FittingProblem(x, (y == positive).astype(np.int64), int(positive))


def read_original(original: str, **known: object) -> Candidate | None:
    """Return the candidate of a formula in prefix form, all its features read as x; None if it cannot be one.

    A formula without a variable, or beyond the limits of the grammar, cannot.

    Example:
        >>> candidate = read_original("add(sin(X51), X20)", engine="gplearn")
        >>> candidate.formula, candidate.original
        ('sin(x) + x', 'add(sin(X51), X20)')
        >>> read_original("0.25", engine="gplearn") is None
        True
    """
    try:
        tree = parse_formula(original, collapse=True)
    except InputError:
        return None
    return Candidate(str(tree), count_nodes(tree), original=original, **known)  # type: ignore[arg-type]


def merge_ranked(rankings: Iterable[Sequence[Candidate]], keep: int | None) -> list[Candidate]:
    """Merge rankings, the best of each first, every formula once, at most `keep` of them.

    Example:
        >>> a, b = (Candidate.from_text(text, engine="gplearn") for text in ("x", "sin(x)"))
        >>> [found.formula for found in merge_ranked([[a, b], [b]], keep=None)]
        ['x', 'sin(x)']
    """
    merged: dict[str, Candidate] = {}
    for rank in zip_longest(*rankings):
        for candidate in rank:
            if candidate is not None:
                merged.setdefault(candidate.formula, candidate)
    return list(merged.values())[:keep]


def _checked(rows: SearchRows | None, engine: str) -> tuple[np.ndarray, np.ndarray, str]:
    if rows is None:
        raise InputError(f"engine {engine} fits formulas to data and was given no rows; give it training rows")
    if rows.task != "regression" and rows.task not in _CLASSIFICATION:
        raise InputError(
            f"task of the rows is '{rows.task}'; engine {engine} knows regression and {', '.join(_CLASSIFICATION)}"
        )
    x, y = np.asarray(rows.x, dtype=np.float64), np.asarray(rows.y)
    if x.ndim != 2 or len(x) != len(y) or len(x) < 2 or not x.shape[1]:
        raise InputError(
            f"engine {engine} was given features of shape {x.shape} and targets of shape {y.shape}; they must be "
            "(rows, features) and (rows,), two rows at least"
        )
    if not np.isfinite(x).all() or not np.isfinite(y.astype(np.float64)).all():
        raise InputError(f"engine {engine} was given rows with missing or infinite values; fill or remove them")
    return x, y, rows.task


def _drawn(x: np.ndarray, y: np.ndarray, sample: float | int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    count = sample if isinstance(sample, int) else int(sample * len(x))
    if not 2 <= count <= len(x):
        raise InputError(f"sample is {sample}, which is {count} of {len(x)} rows; it must come to 2 to {len(x)} rows")
    # The stream of the published code: np.random.seed(seed), then np.random.choice.
    index = np.random.RandomState(seed).choice(len(x), count, replace=False)
    return x[index], y[index]
