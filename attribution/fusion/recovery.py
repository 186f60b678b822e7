"""Does attention find what was planted? Beside networks that had nothing to learn.

Legend of shapes: N patients, K prototypes of the network, J links, P pathways, C controls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from ...errors import InputError
from .attributions import FusionAttributions, place_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LinkRecovery", "RecoveredLink", "planted_link_recovery"]

Floats: TypeAlias = NDArray[np.floating[Any]]
READINGS = ("attention", "contrast", "association", "floor")


@dataclass(frozen=True)
class RecoveredLink:
    """Where a planted link stands in one network.

    Args:
        prototype: The planted prototype.
        pathway: Its pathway.
        matched: The network's prototype that takes its patches, by the correlation of shares over patients.
        agreement: That correlation.
        attention: Place of the pathway, from 0 (least) to 1 (most), among all that the matched prototype attends to.
        contrast: The same for its attention less the mean attention of the other prototypes.
        association: The same for the correlation over patients of the prototype's share with each pathway's gate.
        floor: The same for the correlation of the share with each pathway's activity, which needs no attention at all;
            NaN where no activity was given.

    Example:
        >>> RecoveredLink(0, "repair", "prototype_3", 0.98, 0.99, 1.0, 0.5).attention
        0.99
    """

    prototype: int
    pathway: str
    matched: str
    agreement: float
    attention: float
    contrast: float
    association: float
    floor: float = float("nan")


@dataclass(frozen=True, eq=False)
class LinkRecovery:
    """Planted links in a network and in its controls.

    Args:
        links: Of the network.
        controls: Of each control network.

    Example:
        >>> link = RecoveredLink(0, "repair", "prototype_3", 0.98, 0.9, 1.0, 0.5)
        >>> low = RecoveredLink(0, "repair", "prototype_1", 0.9, 0.4, 0.5, 0.5)
        >>> LinkRecovery((link,), ((low,), (low,), (low,))).p_value("attention")
        0.25
    """

    links: tuple[RecoveredLink, ...]
    controls: tuple[tuple[RecoveredLink, ...], ...]

    def mean(self, reading: str = "attention") -> float:
        """Return the mean place of the planted pathways: 0.5 is chance."""
        return _mean(self.links, reading)

    def control_means(self, reading: str = "attention") -> list[float]:
        """Return the same of each control."""
        return [_mean(links, reading) for links in self.controls]

    def p_value(self, reading: str = "attention") -> float:
        """Return the share of controls, the network itself among them, whose mean place is as high."""
        controls = np.array(self.control_means(reading))
        return float((1 + (controls >= self.mean(reading)).sum()) / (1 + len(controls)))

    def table(self) -> "pd.DataFrame":
        """Return one row per link and network: network ("model", "control 0", ...), then the fields of the link."""
        import pandas as pd

        networks = {"model": self.links} | {f"control {number}": links for number, links in enumerate(self.controls)}
        return pd.DataFrame([{"network": name, **vars(link)} for name, links in networks.items() for link in links])


def planted_link_recovery(
    found: FusionAttributions,
    planted: Any,
    controls: Sequence[FusionAttributions] = (),
    activity: Floats | None = None,
) -> LinkRecovery:
    """Look for planted links between prototypes and pathways in what a network attends to.

    The network's prototypes are matched to the planted ones one to one, by the correlation over patients of their
    shares of patches (Hungarian method). A link is found as far as its pathway stands high among all P pathways for
    the matched prototype: in mean attention, in attention less that of the other prototypes, and in the correlation
    over patients of share and pathway gate. Chance is 0.5, and no place tells by itself whether a network learned it:
    attention may prefer large pathways whatever it was trained on. So every reading is set beside that of control
    networks, trained in the same way on `permuted_outcomes`.

    Args:
        found: Of the network, with attention.
        planted: What was planted: `data.simulated`, with links, patients and shares.
        controls: Of networks trained on permuted outcomes.
        activity: (N, P) how active each pathway is in each patient of `found`, such as the mean of its genes: the floor
            that finds a link without a network.

    Raises:
        InputError: If a linked pathway or all patients are missing.

    Example:
        >>> from types import SimpleNamespace
        >>> shares = np.random.default_rng(0).dirichlet(np.ones(3), 20)
        >>> planted = SimpleNamespace(links=((0, "s"),), patients=tuple(map(str, range(20))), shares=shares)
        >>> found = FusionAttributions(
        ...     planted.patients, ("a", "b", "c"), ("s", "t"), ("g",), np.zeros((2, 1), dtype=np.int64),
        ...     np.random.default_rng(1).random((20, 2)), np.ones((20, 1)), np.ones(20), np.ones((20, 2)),
        ...     attention=np.tile([[0.4, 0.6], [0.5, 0.5], [0.9, 0.1]], (20, 1, 1)), mass=100 * shares[:, [1, 2, 0]])
        >>> link = planted_link_recovery(found, planted).links[0]
        >>> link.matched, round(link.agreement, 2), link.attention
        ('c', 1.0, 1.0)
    """
    return LinkRecovery(_links(found, planted, activity), tuple(_links(control, planted) for control in controls))


def _links(found: FusionAttributions, planted: Any, activity: Floats | None = None) -> tuple[RecoveredLink, ...]:
    place = {name: number for number, name in enumerate(planted.patients)}
    shares = found.prototype_shares()
    attention = found.needed("attention")
    known: Any = ~np.isnan(shares).any(axis=1) & ~np.isnan(attention).any(axis=(1, 2))
    rows = np.array([row for row, name in enumerate(found.patients) if known[row] and name in place])
    if len(rows) < 3:
        raise InputError(f"{len(rows)} of the patients have slides, expression and planted shares; 3 are needed")
    truth = np.asarray(planted.shares)[[place[found.patients[row]] for row in rows]]
    agreement = _correlations(truth, shares[rows])
    planted_places, matched = linear_sum_assignment(-np.nan_to_num(agreement, nan=-1.0))
    match = dict(zip(planted_places.tolist(), matched.tolist(), strict=True))
    mean = attention[rows].mean(axis=0)
    tables = [mean, mean - _mean_of_others(mean), _correlations(shares[rows], found.pathway_gates[rows])]
    if activity is not None:
        tables.append(_correlations(shares[rows], np.asarray(activity)[rows]))
    return tuple(
        RecoveredLink(
            number,
            pathway,
            found.prototypes[match[number]],
            float(agreement[number, match[number]]),
            *(_standing(table[match[number]], place_of(pathway, found.pathways, "pathway")) for table in tables),
        )
        for number, pathway in planted.links
        if number in match
    )


def _mean_of_others(rows: Floats) -> Floats:
    """Return for each row the mean of the others; 0 for a single one."""
    return (rows.sum(axis=0) - rows) / max(len(rows) - 1, 1)


def _standing(values: Floats, place: int) -> float:
    """Return the share of the other values that are lower, ties by half."""
    if len(values) < 2 or np.isnan(values[place]):
        return float("nan")
    return float((rankdata(np.nan_to_num(values, nan=-np.inf))[place] - 1) / (len(values) - 1))


def _correlations(first: Floats, second: Floats) -> Floats:
    """Return the correlation over rows of every column of one with every column of the other; NaN for a constant."""
    parts = []
    for values in (first, second):
        centred = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
        length = np.linalg.norm(centred, axis=0)
        parts.append(centred / np.where(length > 1e-12, length, np.nan))
    return parts[0].T @ parts[1]


def _mean(links: Sequence[RecoveredLink], reading: str) -> float:
    if reading not in READINGS:
        raise InputError(f"reading is {reading!r}; it must be one of {', '.join(READINGS)}")
    return float(np.mean([getattr(link, reading) for link in links]))
