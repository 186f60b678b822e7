"""What a prototype-pathway network looked at, for every patient: one object.

Legend of shapes: N patients, M patches of all of them, K prototypes, P pathways, G genes, E memberships, D features.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FusionAttributions", "PatchShares", "place_of"]

Floats: TypeAlias = NDArray[np.floating[Any]]
_OF_PROTOTYPES = ("attention", "slide_gates", "prototype_gates", "mass", "prototype_vectors")


@dataclass(frozen=True, eq=False)
class PatchShares:
    """The share of every patch that every prototype takes.

    Args:
        pointers: int64 (N + 1,); the patches of patient i are rows pointers[i] to pointers[i + 1].
        weights: (M, K), half precision.

    Example:
        >>> PatchShares(np.array([0, 2, 2]), np.array([[0.9, 0.1], [0.2, 0.8]])).of(0).argmax(axis=1).tolist()
        [0, 1]
    """

    pointers: NDArray[np.int64]
    weights: Floats

    def of(self, row: int) -> Floats:
        """Return the shares (n, K) of the patches of a patient."""
        return self.weights[self.pointers[row] : self.pointers[row + 1]]


@dataclass(frozen=True, eq=False)
class FusionAttributions:
    """Attention, gates, gene weights and assignments of N patients, under their names.

    They describe what the network does, not biology; NaN where a patient lacks a modality.

    Args:
        patients: N names.
        prototypes: K names.
        pathways: P names.
        genes: G names.
        memberships: int64 (2, E): gene and pathway of every gene weight.
        pathway_gates: (N, P) weights of pathways; they add up to 1.
        gene_weights: (N, E) attention of pathways to their genes.
        risk: (N,), higher for an earlier event.
        target: (N, 2) time and event.
        attention: (N, K, P) attention of prototypes to pathways, mean over heads; None for fusions without.
        slide_gates: (N, K) weights of prototypes before they attend to pathways.
        prototype_gates: (N, K) the same after.
        mass: (N, K) patches that each prototype takes in all.
        prototype_vectors: (K, D) prototypes in the space of patch features.
        shares: Shares of every patch, if they were kept.
        titles: Readable names of pathways.
        fold: Which part these patients are of, where several networks are compared.

    Example:
        >>> found = FusionAttributions(
        ...     ("ann", "bob"), ("p0",), ("repair", "death"), ("ATM", "TP53"), np.array([[0, 1, 1], [0, 0, 1]]),
        ...     pathway_gates=np.array([[0.5, 0.5], [0.9, 0.1]]), gene_weights=np.array([[0.2, 0.8, 1.0]] * 2),
        ...     risk=np.array([1.0, 2.0]), target=np.ones((2, 2)))
        >>> found.gene_scores().round(2).tolist()
        [[0.1, 0.9], [0.18, 0.82]]
    """

    patients: tuple[str, ...]
    prototypes: tuple[str, ...]
    pathways: tuple[str, ...]
    genes: tuple[str, ...]
    memberships: NDArray[np.int64]
    pathway_gates: Floats
    gene_weights: Floats
    risk: Floats
    target: Floats
    attention: Floats | None = None
    slide_gates: Floats | None = None
    prototype_gates: Floats | None = None
    mass: Floats | None = None
    prototype_vectors: Floats | None = None
    shares: PatchShares | None = None
    titles: Mapping[str, str] = field(default_factory=dict)
    fold: int = 0

    # One name to its place.

    def row(self, patient: str) -> int:
        """Return the place of a patient.

        Raises:
            InputError: If there is no such patient.
        """
        return place_of(patient, self.patients, "patient")

    def title(self, pathway: str) -> str:
        """Return the readable name of a pathway."""
        return self.titles.get(pathway, pathway)

    def needed(self, name: str) -> Floats:
        """Return an array that not every network has.

        Raises:
            InputError: If this one has it not.
        """
        found = getattr(self, name)
        if found is None:
            raise InputError(
                f"these attributions hold no {name}: the network has no slides, or fuses without attention"
            )
        return found

    # What follows from them.

    def gene_scores(self) -> Floats:
        """Return (N, G): the sum over a gene's pathways of gate times attention to the gene."""
        carried = self.gene_weights * self.pathway_gates[:, self.memberships[1]]
        scores = np.zeros((len(self.patients), len(self.genes)))
        np.add.at(scores.T, self.memberships[0], carried.T)
        return scores

    def prototype_shares(self) -> Floats:
        """Return (N, K): the share of a patient's patches that each prototype takes; NaN without patches."""
        mass = self.needed("mass").astype(np.float64)
        total = mass.sum(axis=1, keepdims=True)
        return np.divide(mass, total, out=np.full_like(mass, np.nan), where=total > 0)

    def prototype_shift(self) -> Floats:
        """Return (N, K): by how much a prototype's gate grows when it has attended to pathways."""
        return self.needed("prototype_gates") - self.needed("slide_gates")

    def table(self) -> "pd.DataFrame":
        """Return one row per prototype and pathway: mean attention over patients, its deviation, and the mean gate."""
        import pandas as pd

        attention = self.needed("attention")
        index = pd.MultiIndex.from_product([self.prototypes, self.pathways], names=["prototype", "pathway"])
        table = pd.DataFrame({"attention": np.nanmean(attention, axis=0).ravel()}, index=index).reset_index()
        table["deviation"] = np.nanstd(attention, axis=0).ravel()
        table["title"] = [self.title(name) for name in table["pathway"]]
        table["pathway_gate"] = np.tile(np.nanmean(self.pathway_gates, axis=0), len(self.prototypes))
        return table.sort_values("attention", ascending=False, ignore_index=True)

    # Others of its kind.

    def with_prototypes(self, order: Sequence[int] | NDArray[np.int64]) -> Self:
        """Return the same with prototype order[k] in the place of prototype k, under the name of k.

        Raises:
            InputError: If the order is no permutation.
        """
        places = np.asarray(order, dtype=np.int64)
        if sorted(places.tolist()) != list(range(len(self.prototypes))):
            raise InputError(
                f"order is {places.tolist()}; it must hold every place from 0 to {len(self.prototypes) - 1}"
            )
        changes: dict[str, Any] = {}
        for name in _OF_PROTOTYPES:
            values = getattr(self, name)
            if values is not None:
                axis = 0 if name == "prototype_vectors" else 1
                changes[name] = np.take(values, places, axis=axis)
        if self.shares is not None:
            changes["shares"] = PatchShares(self.shares.pointers, self.shares.weights[:, places])
        return replace(self, **changes)


def place_of(name: str, names: Sequence[str], what: str) -> int:
    """Return the place of a name, or raise InputError with the nearest ones."""
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.3) or list(names)[:3]
        raise InputError(f"there is no {what} {name!r}; the nearest are {', '.join(near)}")
    return list(names).index(name)
