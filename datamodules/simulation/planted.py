"""The truth of a simulation: which pathways cause the phenotype, through which features, and when they are found.

Shapes: N rows, F features, P pathways of a layer, k causal pathways, T terms of the score.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ...errors import InputError
from ...randomness import derive_seed
from ...structures import Hierarchy
from .effects import Effect, score_moments, score_terms
from .feature_sets import equivalent_pathways, set_labels

__all__ = ["FloatArray", "PlantedPathways", "Weights", "plant_pathways"]

FloatArray = NDArray[np.float64]
Weights = Literal["equal", "random", "signed"]


@dataclass(frozen=True, eq=False)
class PlantedPathways:
    """Causal pathways of one layer of a hierarchy, and how they make a score; `plant_pathways` draws them.

    Args:
        hierarchy: The hierarchy that the features stand on.
        layer: Layer of the causal pathways.
        names: Names of the causal pathways, k, in the order of the layer.
        candidates: What they were drawn from: the pathways of the layer with enough features, of those with the same
            features the first.
        weights: (k, F) weights of the features in the activities, 0 outside the pathway.
        coefficients: (T,) +1 or -1 per term of the score.
        effect: What is summed to the score, see `simulate_pathways`.
        correlation: Correlation of two features whose only pathway of the layer they share.

    Example:
        >>> from axonlight.datamodules import random_hierarchy
        >>> truth = plant_pathways(random_hierarchy([60, 12, 3]), num_causal=2, seed=1)
        >>> truth.layer, len(truth.names), len(truth.candidates), truth.expected_hits()
        ('level_2', 2, 12, 0.3333333333333333)
    """

    hierarchy: Hierarchy
    layer: str
    names: tuple[str, ...]
    candidates: tuple[str, ...]
    weights: FloatArray
    coefficients: FloatArray
    effect: Effect
    correlation: float

    def __post_init__(self) -> None:
        if self._moments[1] < 1e-9:
            raise InputError(f"the effects of {', '.join(self.names)} cancel each other; take other pathways or seeds")

    @cached_property
    def _moments(self) -> tuple[float, float]:
        return score_moments(self.correlations, self.coefficients, self.effect)

    @cached_property
    def correlations(self) -> FloatArray:
        """Exact correlations (k, k) of the activities."""
        return covariance(self.weights, factor_loadings(self.hierarchy, self.layer), self.correlation)

    @property
    def features(self) -> tuple[str, ...]:
        """Features with a weight in at least one causal pathway, in the order of the hierarchy."""
        return tuple(self.hierarchy.features[place] for place in np.flatnonzero(self.weights.any(axis=0)))

    @property
    def equivalent(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Per causal pathway, every (layer, name) with exactly its features: finding one of them is finding it."""
        return {name: equivalent_pathways(self.hierarchy, self.layer, name) for name in self.names}

    def activities(self, features: FloatArray) -> FloatArray:
        """Return the activities (N, k) of the causal pathways; standard normal for features of the simulation."""
        return features @ self.weights.T

    def score(self, features: FloatArray) -> FloatArray:
        """Return the noiseless score (N,) of any rows; mean 0 and variance 1 for features of the simulation."""
        mean, variance = self._moments
        return (score_terms(self.activities(features), self.effect) @ self.coefficients - mean) / np.sqrt(variance)

    def count_hits(self, scores: Sequence[float] | np.ndarray, top: int | None = None) -> int:
        """Return how many causal pathways are among the candidates with the highest scores.

        Pathways with the same features count as one, with the largest of their scores; ties keep the order of the
        layer. Scores that know nothing of the truth hit as often as a draw without replacement.

        Args:
            scores: (P,) a score per node of `layer`, in its order.
            top: How many candidates to take; None takes as many as there are causal pathways.

        Raises:
            InputError: If there is not one score, a number, per node.

        Example:
            >>> from axonlight.datamodules import random_hierarchy
            >>> truth = plant_pathways(random_hierarchy([6, 3, 1]), causal=["pathway_2_2"])
            >>> truth.count_hits([0.1, 0.9, 0.5]), truth.count_hits([0.9, 0.1, 0.5], top=2)
            (1, 0)
        """
        labels = self._labels
        found = {labels[name] for name in self.top_candidates(scores, top)}
        return sum(labels[name] in found for name in self.names)

    def top_candidates(self, scores: Sequence[float] | np.ndarray, top: int | None = None) -> tuple[str, ...]:
        """Return the candidates with the highest scores, highest first; arguments and rules of `count_hits`."""
        names = self._nodes
        values = np.asarray(scores, dtype=np.float64)
        if values.shape != (len(names),) or np.isnan(values).any():
            raise InputError(
                f"scores have the shape {values.shape} and {int(np.isnan(values).sum())} that are no number; give one "
                f"number for each of the {len(names)} pathways of layer {self.layer}"
            )
        labels = np.array(list(self._labels.values()))
        best = np.full(labels.max() + 1, -np.inf)
        np.maximum.at(best, labels, values)
        order = np.argsort(-best[[self._labels[name] for name in self.candidates]], kind="stable")
        return tuple(self.candidates[place] for place in order[: self._top(top)])

    @property
    def _nodes(self) -> tuple[str, ...]:
        return self.hierarchy.nodes[self.hierarchy.layers.index(self.layer)]

    @cached_property
    def _labels(self) -> dict[str, int]:
        labels = set_labels(self.hierarchy.memberships(self.layer)).tolist()
        return dict(zip(self._nodes, labels, strict=True))

    def expected_hits(self, top: int | None = None) -> float:
        """Return the mean hits of a random order: k `top` over the number of candidates (hypergeometric)."""
        return len(self.names) * self._top(top) / len(self.candidates)

    def _top(self, top: int | None) -> int:
        return len(self.names) if top is None else top


def plant_pathways(
    hierarchy: Hierarchy,
    *,
    layer: str | None = None,
    num_causal: int = 3,
    causal: Sequence[str] | None = None,
    min_features: int = 1,
    weights: Weights = "equal",
    effect: Effect = "linear",
    correlation: float = 0.0,
    seed: int = 0,
) -> PlantedPathways:
    """Choose causal pathways and their effects; the arguments are those of `simulate_pathways`.

    Raises:
        InputError: If a pathway is unknown or too small, there are too few to draw from, or their effects cancel.

    Example:
        >>> from axonlight.datamodules import random_hierarchy
        >>> plant_pathways(random_hierarchy([60, 12, 3]), layer="level_1", num_causal=1).candidates
        ('pathway_1_1', 'pathway_1_2', 'pathway_1_3')
    """
    chosen_layer = _causal_layer(hierarchy, layer, causal)
    members = hierarchy.memberships(chosen_layer)
    nodes = hierarchy.nodes[hierarchy.layers.index(chosen_layer)]
    sizes, labels = np.diff(members.indptr), set_labels(members)
    first = np.unique(labels, return_index=True)[1]
    candidates = [int(place) for place in np.sort(first) if sizes[place] >= min_features]
    generator = np.random.default_rng(derive_seed(seed, "simulation", "structure"))
    if causal is None:
        rows = _drawn(candidates, num_causal, chosen_layer, min_features, generator)
    else:
        rows = _named(nodes, causal, chosen_layer, sizes, labels, min_features)
    if effect == "interaction" and len(rows) % 2:
        raise InputError(
            f"{len(rows)} pathways are causal, but effect 'interaction' joins them two by two; give an even number"
        )
    raw = _raw_weights(members, rows, weights, generator)
    spread = np.sqrt(np.diag(covariance(raw, factor_loadings(hierarchy, chosen_layer), correlation)))
    coefficients = generator.choice([-1.0, 1.0], size=len(rows) // 2 if effect == "interaction" else len(rows))
    return PlantedPathways(
        hierarchy,
        chosen_layer,
        tuple(nodes[row] for row in rows),
        tuple(nodes[row] for row in candidates),
        raw / spread[:, None],
        coefficients,
        effect,
        correlation,
    )


def factor_loadings(hierarchy: Hierarchy, layer: str) -> sparse.csr_array:
    """Return (P, F): a feature of m pathways loads on the factor of each with 1 / sqrt(m)."""
    members = hierarchy.memberships(layer).astype(np.float64)
    counts = np.asarray(members.sum(axis=0))
    return sparse.csr_array(members @ sparse.diags_array(1 / np.sqrt(np.maximum(counts, 1))))


def covariance(weights: FloatArray, loadings: sparse.csr_array, correlation: float) -> FloatArray:
    """Return the exact covariances (k, k) of weighted sums of features; no weight may be on a feature of no pathway."""
    shared = (loadings @ weights.T).T
    return correlation * shared @ shared.T + (1 - correlation) * weights @ weights.T


def _causal_layer(hierarchy: Hierarchy, layer: str | None, causal: Sequence[str] | None) -> str:
    above = hierarchy.layers[1:]
    if layer is not None and layer not in above:
        raise InputError(f"layer is {layer!r}; it must be one of {', '.join(above)}")
    if causal is not None and not causal:
        raise InputError("causal is empty; it must list pathways, or be None to draw them")
    if layer is not None or causal is None:
        return layer or above[0]
    on = set.intersection(*({hierarchy.layers[place] for place in hierarchy.find(name)} for name in causal))
    found = next((name for name in above if name in on), None)
    if found is None:
        raise InputError(
            f"no layer of pathways holds all of {', '.join(causal)}; causal must list pathways of one layer"
        )
    return found


def _drawn(
    candidates: list[int], num_causal: int, layer: str, min_features: int, generator: np.random.Generator
) -> list[int]:
    if not 1 <= num_causal <= len(candidates):
        raise InputError(
            f"num_causal is {num_causal}; it must be 1 to {len(candidates)}, the distinct pathways of layer {layer} "
            f"with at least {min_features} features"
        )
    return sorted(generator.choice(candidates, size=num_causal, replace=False).tolist())


def _named(
    nodes: tuple[str, ...],
    causal: Sequence[str],
    layer: str,
    sizes: np.ndarray,
    labels: np.ndarray,
    min_features: int,
) -> list[int]:
    absent = [name for name in causal if name not in nodes]
    if absent:
        raise InputError(f"causal lists {absent[0]!r}, which does not stand on layer {layer}")
    rows = sorted(nodes.index(name) for name in causal)
    small = [nodes[row] for row in rows if sizes[row] < max(min_features, 1)]
    if small:
        raise InputError(f"causal lists {small[0]!r}, which has fewer than {max(min_features, 1)} features")
    if len(set(labels[rows])) < len(rows):
        raise InputError(f"causal is {list(causal)}; two of these pathways have the same features")
    return rows


def _raw_weights(
    members: sparse.csr_array, rows: list[int], kind: Weights, generator: np.random.Generator
) -> FloatArray:
    inside = members[rows].toarray().astype(np.float64)
    if kind == "equal":
        return inside
    sizes = generator.uniform(0.5, 1.5, inside.shape)
    return inside * (sizes * generator.choice([-1.0, 1.0], inside.shape) if kind == "signed" else sizes)
