"""Simulated tables whose truth is known: features on a hierarchy, a phenotype driven by some of its pathways.

Shapes: N rows, F features, k causal pathways.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from ...errors import InputError
from ...randomness import derive_seed
from ...structures import Hierarchy
from .effects import Effect
from .planted import FloatArray, PlantedPathways, Weights, factor_loadings, plant_pathways

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PHENOTYPE", "SimulatedTable", "SimulatedTask", "simulate_pathways"]

PHENOTYPE = "phenotype"
SimulatedTask = Literal["binary", "regression"]


@dataclass(frozen=True, eq=False)
class SimulatedTable:
    """A simulated table with the truth behind it; `simulate_pathways` makes one.

    Args:
        truth: The causal pathways and how they make the score.
        features: (N, F) values, in the order of the hierarchy's features.
        score: (N,) the noiseless part of the liability; in expectation with mean 0 and variance 1.
        liability: (N,) sqrt(signal) score + sqrt(1 - signal) noise.
        target: (N,) int64 classes, or the liability for regression.
        signal: Share of the variance of the liability that the score explains.

    Example:
        >>> from axonlight.datamodules import random_hierarchy
        >>> table = simulate_pathways(random_hierarchy([60, 12, 3]), num_causal=2, seed=1)
        >>> table.features.shape, len(table.causal_pathways), table.task
        ((500, 60), 2, 'binary')
    """

    truth: PlantedPathways
    features: FloatArray
    score: FloatArray
    liability: FloatArray
    target: np.ndarray
    signal: float

    @property
    def task(self) -> SimulatedTask:
        """`binary` or `regression`."""
        return "binary" if np.issubdtype(self.target.dtype, np.integer) else "regression"

    @property
    def causal_pathways(self) -> tuple[str, ...]:
        """Names of the causal pathways, which stand on layer `truth.layer`."""
        return self.truth.names

    @property
    def causal_features(self) -> tuple[str, ...]:
        """Features with a weight in at least one causal pathway."""
        return self.truth.features

    @property
    def equivalent_pathways(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Per causal pathway, every (layer, name) with exactly its features: finding one of them is finding it."""
        return self.truth.equivalent

    @property
    def optimal_auroc(self) -> float:
        """AUROC of the noiseless score, which no classifier beats in expectation; NaN for regression."""
        return self.optimal_auroc_of(np.arange(len(self.target)))

    def optimal_auroc_of(self, rows: np.ndarray) -> float:
        """Return the AUROC of the noiseless score on some rows, such as those that test; NaN where it is undefined."""
        from sklearn.metrics import roc_auc_score

        if self.task == "regression" or len(np.unique(self.target[rows])) < 2:
            return float("nan")
        return float(roc_auc_score(self.target[rows], self.score[rows]))

    def frame(self) -> "pd.DataFrame":
        """Return features and target as a data frame; the last column is `phenotype`."""
        import pandas as pd

        frame = pd.DataFrame(self.features, columns=list(self.truth.hierarchy.features))
        return frame.assign(**{PHENOTYPE: self.target})


def simulate_pathways(
    hierarchy: Hierarchy,
    *,
    num_samples: int = 500,
    layer: str | None = None,
    num_causal: int = 3,
    causal: Sequence[str] | None = None,
    min_features: int = 1,
    weights: Weights = "equal",
    effect: Effect = "linear",
    signal: float = 0.8,
    correlation: float = 0.0,
    prevalence: float = 0.5,
    task: SimulatedTask = "binary",
    seed: int = 0,
) -> SimulatedTable:
    """Draw features on a hierarchy and a phenotype that some of its pathways cause.

    Every feature is normal with mean 0 and variance 1: x = sqrt(c) f + sqrt(1 - c) e, where c is `correlation`, e is
    its own and f is the sum of the factors of its pathways on the layer over the root of their number. Two features of
    m and n pathways, s of them shared, have the correlation c s / sqrt(m n). The activity of a causal pathway is the
    weighted sum of all features beneath it over its exact standard deviation; a feature of two causal pathways counts
    in both. The score is the sum of the effects of the activities with random signs, standardised by its exact moments;
    liability = sqrt(signal) score + sqrt(1 - signal) noise, the noise normal with variance 1. For a binary task exactly
    round(prevalence N) rows, those of the highest liability, are class 1.

    Structure, features and noise have streams of their own: another `signal` leaves the features as they are, and more
    rows leave features and liability of the first ones as they are.

    Args:
        hierarchy: The hierarchy; its features become the columns.
        num_samples: Number of rows N.
        layer: Layer of the causal pathways. None: the lowest above the features, or with `causal` the lowest that
            holds all of them.
        num_causal: Number of causal pathways to draw, no two with the same features; ignored with `causal`.
        causal: Names of the causal pathways.
        min_features: Pathways with fewer features cannot be causal.
        weights: "equal"; "random", uniform from 0.5 to 1.5; "signed", the same with random signs.
        effect: "linear" sums the activities, "tanh" what they are after tanh, "threshold" their signs, "interaction"
            the products of the first and second, third and fourth, ...: no pathway shows by itself. Sums of signs
            have ties, so that the exact prevalence costs AUROC even without noise.
        signal: Share of the variance of the liability that the score explains, 0 (pure noise) to 1 (no noise).
        correlation: The c above, 0 to 1.
        prevalence: Share of class 1 of a binary task.
        task: "binary", or "regression" on the liability.
        seed: Seed of all draws.

    Raises:
        InputError: If an option is out of range, a pathway unknown or too small, there are too few pathways to draw
            from, or the effects of the pathways cancel each other.

    Example:
        >>> from axonlight.datamodules import random_hierarchy
        >>> table = simulate_pathways(random_hierarchy([60, 12, 3]), causal=["pathway_2_01"], signal=1.0)
        >>> table.optimal_auroc, table.truth.layer, int(table.target.sum())
        (1.0, 'level_2', 250)
    """
    _check_options(effect, weights, task)
    _check_numbers(num_samples, signal, correlation, prevalence, min_features)
    truth = plant_pathways(
        hierarchy,
        layer=layer,
        num_causal=num_causal,
        causal=causal,
        min_features=min_features,
        weights=weights,
        effect=effect,
        correlation=correlation,
        seed=seed,
    )
    features = _draw_features(truth, num_samples, seed)
    score = truth.score(features)
    noise = _stream(seed, "noise").standard_normal(num_samples)
    liability = np.sqrt(signal) * score + np.sqrt(1 - signal) * noise
    target = liability if task == "regression" else _classes(liability, prevalence)
    return SimulatedTable(truth, features, score, liability, target, signal)


def _draw_features(truth: PlantedPathways, num_samples: int, seed: int) -> FloatArray:
    loadings = factor_loadings(truth.hierarchy, truth.layer)
    place = truth.hierarchy.layers.index(truth.layer)
    num_pathways, num_features = truth.hierarchy.sizes[place], truth.hierarchy.sizes[0]
    own = _stream(seed, "features").standard_normal((num_samples, num_features))
    if truth.correlation == 0:
        return own
    factors = _stream(seed, "factors").standard_normal((num_samples, num_pathways))
    # A feature of no pathway of this layer has no factor, and all of its variance is its own.
    share = np.where(np.diff(loadings.tocsc().indptr) > 0, truth.correlation, 0.0)
    return np.sqrt(truth.correlation) * (loadings.T @ factors.T).T + np.sqrt(1 - share) * own


def _classes(liability: FloatArray, prevalence: float) -> np.ndarray:
    cases = round(prevalence * len(liability))
    if not 0 < cases < len(liability):
        raise InputError(
            f"prevalence is {prevalence}, which makes {cases} of {len(liability)} rows class 1; both classes need one"
        )
    target = np.zeros(len(liability), dtype=np.int64)
    target[np.argsort(-liability, kind="stable")[:cases]] = 1
    return target


def _stream(seed: int, purpose: str) -> np.random.Generator:
    return np.random.default_rng(derive_seed(seed, "simulation", purpose))


def _check_options(effect: str, weights: str, task: str) -> None:
    for key, value, known in (
        ("effect", effect, get_args(Effect)),
        ("weights", weights, get_args(Weights)),
        ("task", task, get_args(SimulatedTask)),
    ):
        if value not in known:
            raise InputError(f"{key} is {value!r}; it must be one of {', '.join(known)}")


def _check_numbers(num_samples: int, signal: float, correlation: float, prevalence: float, min_features: int) -> None:
    for key, value in (("num_samples", num_samples), ("min_features", min_features)):
        if value < 1:
            raise InputError(f"{key} is {value}; it must be a positive integer")
    for key, value in (("signal", signal), ("correlation", correlation), ("prevalence", prevalence)):
        if not 0 <= value <= 1:
            raise InputError(f"{key} is {value}; it must be 0 to 1")
