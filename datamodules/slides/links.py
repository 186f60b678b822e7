"""Which pathway is linked to which prototype, and how active it is in whom.

Shapes: M patients, P pathways, G genes, J links.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError, shown
from ...randomness import derive_seed
from ...structures import Hierarchy
from .settings import SimulationSettings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PathwayScores", "choose_links", "martingale_residuals", "pathway_scores"]

# Links whose pathways go together could not be told apart.
_LARGEST_CORRELATION = 0.5


@dataclass(frozen=True)
class PathwayScores:
    """Mean expression of each pathway, standardised over the patients.

    Args:
        names: The P pathways.
        values: (M, P); 0 for a pathway that does not vary.
        sizes: (P,) measured genes of each.
    """

    names: tuple[str, ...]
    values: np.ndarray
    sizes: np.ndarray


def pathway_scores(rna: "pd.DataFrame", hierarchy: Hierarchy) -> PathwayScores:
    """Return how active the pathways of the first layer are in the patients.

    Raises:
        InputError: If no gene of the hierarchy is measured, or a value is missing.

    Example:
        >>> import pandas as pd
        >>> hierarchy = Hierarchy.from_edges([("S", "A"), ("S", "B"), ("T", "C")])
        >>> scores = pathway_scores(pd.DataFrame({"A": [0.0, 2.0], "B": [0.0, 4.0]}), hierarchy)
        >>> scores.names, scores.values.tolist(), scores.sizes.tolist()
        (('S', 'T'), [[-1.0, 0.0], [1.0, 0.0]], [2, 0])
    """
    genes = {str(gene): place for place, gene in enumerate(rna.columns)}
    measured = [place for place, gene in enumerate(hierarchy.features) if gene in genes]
    if not measured:
        raise InputError(
            f"none of the {len(genes):,} genes ({shown(list(genes))}) is in the hierarchy, whose features are named "
            f"like {shown(hierarchy.features)}"
        )
    values: Any = rna.to_numpy(dtype=np.float64)
    if np.isnan(values).any():
        raise InputError("the expression has empty cells; slides are simulated from complete expression")
    members = hierarchy.memberships(1).astype(np.float64).tocsc()[:, measured]
    columns = values[:, [genes[hierarchy.features[place]] for place in measured]]
    sizes = np.asarray(members.sum(axis=1)).ravel()
    means = (members @ columns.T).T / np.maximum(sizes, 1)
    centred = means - means.mean(axis=0)
    spread = centred.std(axis=0)
    scores = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 1e-12)
    return PathwayScores(tuple(hierarchy.nodes[1]), scores, sizes.astype(np.int64))


def choose_links(scores: PathwayScores, settings: SimulationSettings) -> list[tuple[int, str]]:
    """Return place and name of the linked pathways: those named in the settings, or drawn ones that differ.

    Raises:
        InputError: If a pathway is unknown or does not vary, or there are too few to draw from.
    """
    if settings.links is not None:
        return [_named(scores, name) for name in settings.links]
    varies = np.flatnonzero((scores.sizes >= settings.min_genes) & scores.values.any(axis=0))
    order = np.random.default_rng(derive_seed(settings.seed, "slides", "links")).permutation(varies)
    chosen: list[int] = []
    for place in order.tolist():
        shared = [np.mean(scores.values[:, place] * scores.values[:, other]) for other in chosen]
        if all(abs(value) < _LARGEST_CORRELATION for value in shared):
            chosen.append(place)
        if len(chosen) == settings.num_links:
            return [(place, scores.names[place]) for place in chosen]
    raise InputError(
        f"simulate.num_links is {settings.num_links}, but only {len(chosen)} of the {len(varies)} pathways with at "
        f"least {settings.min_genes} measured genes differ enough; lower num_links or min_genes"
    )


def _named(scores: PathwayScores, name: str) -> tuple[int, str]:
    if name not in scores.names:
        raise InputError(f"simulate.links lists '{name}', which is no pathway of the first layer of the hierarchy")
    place = scores.names.index(name)
    if not scores.values[:, place].any():
        raise InputError(f"simulate.links lists '{name}', whose mean is the same in all patients")
    return place, name


def martingale_residuals(months: np.ndarray, event: np.ndarray) -> np.ndarray:
    """Return event - cumulative hazard (Nelson-Aalen) of each patient: positive for who had it early.

    Source: Therneau, Grambsch and Fleming, "Martingale-based residuals for survival models", Biometrika 1990.

    Args:
        months: (M,) times.
        event: (M,) 1 where the event happened.

    Example:
        >>> martingale_residuals(np.array([1.0, 2.0]), np.array([1, 1])).tolist()
        [0.5, -0.5]
    """
    times, place = np.unique(months, return_inverse=True)
    events = np.bincount(place, weights=event, minlength=len(times))
    at_risk = len(months) - np.concatenate([[0], np.cumsum(np.bincount(place, minlength=len(times)))[:-1]])
    return event - np.cumsum(events / at_risk)[place]
