"""Gene -> pathway -> prototype -> tile: what each patch of a patient stands for.

Legend of shapes: n patches of a patient, K prototypes, P pathways.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ...errors import InputError
from .attributions import FusionAttributions, place_of

__all__ = ["dominant_prototypes", "tile_scores"]

Floats: TypeAlias = NDArray[np.floating[Any]]


def dominant_prototypes(found: FusionAttributions, patient: str) -> NDArray[np.int64]:
    """Return (n,): the prototype that takes most of each patch.

    Raises:
        InputError: If shares of patches were not kept, or there is no such patient.

    Example:
        >>> from axonlight.attribution.fusion import PatchShares
        >>> found = FusionAttributions(
        ...     ("ann",), ("p0", "p1"), ("s",), ("g",), np.zeros((2, 1), dtype=np.int64), np.ones((1, 1)),
        ...     np.ones((1, 1)), np.ones(1), np.ones((1, 2)),
        ...     shares=PatchShares(np.array([0, 2]), np.array([[0.9, 0.1], [0.3, 0.7]])))
        >>> dominant_prototypes(found, "ann").tolist()
        [0, 1]
    """
    return _shares(found, patient).argmax(axis=1).astype(np.int64)


def tile_scores(
    found: FusionAttributions,
    patient: str,
    *,
    prototype: str | None = None,
    pathway: str | None = None,
    gene: str | None = None,
    hard: bool = False,
    ranked: bool = False,
) -> Floats:
    """Return one number per patch of a patient, of a prototype, a pathway or a gene.

    With shares a_nk of patch n, attention A_kp, gates g_p and gene weights w_gp of the patient:

    - prototype k: a_nk
    - pathway p: sum_k a_nk A_kp
    - gene g: sum over its pathways p of w_gp g_p (sum_k a_nk A_kp)

    They say which tissue the network connects with a pathway, not that the pathway is active there: expression was
    measured in the whole sample.

    Args:
        found: With shares of patches.
        patient: Name.
        prototype: Name of the prototype, or
        pathway: of the pathway, or
        gene: of the gene.
        hard: Whether each patch belongs to the prototype that takes most of it, as published.
        ranked: Whether to return percentiles (0 to 1) among the patient's patches.

    Raises:
        InputError: If not one of the three is given, a name is unknown, or something was not kept.

    Example:
        >>> from axonlight.attribution.fusion import PatchShares
        >>> found = FusionAttributions(
        ...     ("ann",), ("p0", "p1"), ("s", "t"), ("g",), np.array([[0], [1]]), np.array([[0.5, 0.5]]),
        ...     np.array([[1.0]]), np.ones(1), np.ones((1, 2)), attention=np.array([[[0.9, 0.1], [0.4, 0.6]]]),
        ...     shares=PatchShares(np.array([0, 2]), np.array([[1.0, 0.0], [0.0, 1.0]])))
        >>> tile_scores(found, "ann", pathway="t").tolist(), tile_scores(found, "ann", gene="g").tolist()
        ([0.1, 0.6], [0.05, 0.3])
    """
    if sum(name is not None for name in (prototype, pathway, gene)) != 1:
        raise InputError("give one of prototype, pathway and gene")
    shares = _shares(found, patient).astype(np.float64)
    if hard:
        shares = np.eye(shares.shape[1])[shares.argmax(axis=1)]
    if prototype is not None:
        scores = shares[:, place_of(prototype, found.prototypes, "prototype")]
    else:
        scores = shares @ _carried(found, found.row(patient), pathway, gene)
    return (rankdata(scores) - 0.5) / max(len(scores), 1) if ranked else scores


def _carried(found: FusionAttributions, row: int, pathway: str | None, gene: str | None) -> Floats:
    """Return (K,): what each prototype carries of a pathway or a gene."""
    attention = found.needed("attention")[row].astype(np.float64)
    if np.isnan(attention).any():
        raise InputError(f"patient {found.patients[row]!r} lacks expression or slides, so nothing attends to pathways")
    if pathway is not None:
        return attention[:, place_of(pathway, found.pathways, "pathway")]
    member = found.memberships[0] == place_of(str(gene), found.genes, "gene")
    sets = found.memberships[1][member]
    return attention[:, sets] @ (found.gene_weights[row, member] * found.pathway_gates[row, sets])


def _shares(found: FusionAttributions, patient: str) -> Floats:
    if found.shares is None:
        raise InputError("shares of patches were not kept; collect_fusion keeps them with with_shares=True")
    return found.shares.of(found.row(patient))
