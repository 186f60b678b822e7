"""Repeated cross-validation of two exchangeable learners on simulated data, many data sets at once.

Two classes of equal size; every column differs between them by the same amount, plus normal noise. Both arms are the
same learner on as many columns, half of them in common, so neither can be better: their scores on a data set are
exchangeable. Each data set has its own stratified folds, and the training sets of its splits overlap. `ONE_DRAW` is
outside of that: two networks of random units, drawn once, do differ; what is exchangeable is their draws.

Shapes: D data sets, N rows, F columns of an arm, R repeats, K folds, S = R K splits, M test rows, H hidden units.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from axonlight.randomness import derive_seed
from numpy.typing import NDArray

__all__ = ["LEARNERS", "ONE_DRAW", "Design", "Setting", "simulate_differences"]

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

COLUMNS = 20  # of an arm
SHIFT = 0.2  # between the class means, in half standard deviations of a column
PENALTY = 1.0
HIDDEN = 20
ONE_DRAW = "random units, drawn once"
BLOCK = 2_000_000  # numbers held at once, about


@dataclass(frozen=True)
class Design:
    """Repeats of stratified K-fold cross-validation."""

    folds: int
    repeats: int

    @property
    def splits(self) -> int:
        """All folds of all repeats."""
        return self.folds * self.repeats

    @property
    def test_fraction(self) -> float:
        """Share of the rows that a split tests."""
        return 1 / self.folds

    def __str__(self) -> str:
        return f"{self.folds} folds x {self.repeats}"


@dataclass(frozen=True)
class Setting:
    """What is simulated: a learner, a number of rows (a multiple of twice the folds) and a design."""

    learner: str
    rows: int
    design: Design


def simulate_differences(setting: Setting, datasets: int, seed: int = 0) -> Floats:
    """Return the paired differences (D, S) of both arms' scores on every split of every data set."""
    size = max(1, BLOCK // (setting.rows * max(COLUMNS * setting.design.repeats, 10 * HIDDEN)))
    blocks = []
    for number, start in enumerate(range(0, datasets, size)):
        generator = np.random.default_rng(derive_seed(seed, "overlapping folds", str(setting), number))
        blocks.append(_differences(setting, min(size, datasets - start), generator))
    return np.concatenate(blocks)


def _differences(setting: Setting, datasets: int, generator: np.random.Generator) -> Floats:
    rows, learner = setting.rows, LEARNERS[setting.learner]
    y = np.repeat([1.0, -1.0], rows // 2)
    x = generator.normal(size=(datasets, rows, COLUMNS + COLUMNS // 2)) + SHIFT * y[:, None]
    folds = draw_folds(setting, datasets, generator)
    first, second = (learner(x[:, :, columns], y, folds, generator) for columns in _columns_of_arms(setting.learner))
    return first - second


def _columns_of_arms(learner: str) -> tuple[slice, slice]:
    """Return the columns of both arms; random units differ already, so that there both have the same columns."""
    second = 0 if learner.startswith("random units") else COLUMNS // 2
    return slice(0, COLUMNS), slice(second, second + COLUMNS)


def draw_folds(setting: Setting, datasets: int, generator: np.random.Generator) -> Integers:
    """Return the test rows (D, S, M) of every split, those of the first class first."""
    design, half = setting.design, setting.rows // 2
    classes = []
    for first in (0, half):
        order = generator.random((datasets, design.repeats, half)).argsort(axis=-1) + first
        classes.append(order.reshape(datasets, design.splits, half // design.folds))
    return np.concatenate(classes, axis=-1)


def _test_rows(x: Floats, folds: Integers) -> Floats:
    """Return the columns of the test rows: (D, S, M, F)."""
    return x[np.arange(len(x))[:, None, None], folds]


def nearest_centroid(x: Floats, y: Floats, folds: Integers, generator: np.random.Generator) -> Floats:
    """Return the AUROC (D, S) of the projection onto the difference of the class means."""
    test = _test_rows(x, folds)
    sums = (y @ x)[:, None] - np.einsum("dsm,dsmf->dsf", y[folds], test)
    return auroc(np.einsum("dsmf,dsf->dsm", test, sums))


def ridge(x: Floats, y: Floats, folds: Integers, generator: np.random.Generator) -> Floats:
    """Return the AUROC (D, S) of ridge regression on the classes."""
    test = _test_rows(x, folds)
    inner = (x.transpose(0, 2, 1) @ x)[:, None] - test.swapaxes(-1, -2) @ test
    outer = (y @ x)[:, None] - np.einsum("dsm,dsmf->dsf", y[folds], test)
    weights = np.linalg.solve(inner + PENALTY * np.eye(x.shape[-1]), outer[..., None])
    return auroc((test @ weights)[..., 0])


def nearest_neighbour(x: Floats, y: Floats, folds: Integers, generator: np.random.Generator) -> Floats:
    """Return the accuracy (D, S) of the class of the nearest training row."""
    squares = np.einsum("dnf,dnf->dn", x, x)
    distances = squares[:, :, None] + squares[:, None] - 2 * x @ x.transpose(0, 2, 1)
    right = np.empty(folds.shape[:2])
    every = np.arange(len(x))[:, None]
    for split in range(folds.shape[1]):
        rows = folds[:, split]
        near = distances[every, rows]
        np.put_along_axis(near, np.broadcast_to(rows[:, None], (*rows.shape, rows.shape[1])), np.inf, axis=2)
        right[:, split] = (y[near.argmin(axis=2)] == y[rows]).mean(axis=1)
    return right


def random_units(x: Floats, y: Floats, folds: Integers, generator: np.random.Generator, drawn_once: bool) -> Floats:
    """Return the AUROC (D, S) of ridge regression on random hidden units, drawn per split or once per data set."""
    found = np.empty(folds.shape[:2])
    shape = (len(x), COLUMNS, HIDDEN)
    weights = generator.normal(size=shape) / np.sqrt(COLUMNS)
    for split in range(folds.shape[1]):
        found[:, split] = ridge(np.tanh(x @ weights), y, folds[:, split : split + 1], generator)[:, 0]
        if not drawn_once:
            weights = generator.normal(size=shape) / np.sqrt(COLUMNS)
    return found


def auroc(scores: Floats) -> Floats:
    """Return the AUROC of scores (..., M) without ties, whose first half belongs to the first class."""
    half = scores.shape[-1] // 2
    ranks = scores.argsort(axis=-1).argsort(axis=-1)[..., :half].sum(axis=-1)
    return (ranks - half * (half - 1) / 2) / half**2


def _named_learners() -> Iterator[tuple[str, Callable[..., Floats]]]:
    yield "nearest centroid", nearest_centroid
    yield "ridge", ridge
    yield "nearest neighbour", nearest_neighbour
    yield "random units, new ones for every split", lambda *args: random_units(*args, drawn_once=False)
    yield ONE_DRAW, lambda *args: random_units(*args, drawn_once=True)


LEARNERS: dict[str, Callable[..., Floats]] = dict(_named_learners())
