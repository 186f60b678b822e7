"""What the same analysis finds in networks that had nothing to learn: trained on permuted labels, or on a null model.

A permutation of groups keeps the network, and a network makes groups of its own: its attention can follow its risk
whatever the labels were. Only other networks, trained in the same way on permuted outcomes or with a null model in the
place of the hierarchy, tell how much of a finding is the architecture's.

Shapes: E entities, C control networks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import InputError
from ...randomness import derive_seed
from .rank_tests import RankTest, corrected

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ControlledTest", "against_controls", "permuted_outcomes"]

Floats: TypeAlias = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class ControlledTest:
    """A statistic of each entity beside that of C controls.

    Args:
        names: E names.
        observed: (E,) the network's.
        controls: (C, E).

    Example:
        >>> found = against_controls(["a", "b"], [5.0, 1.0], [[1.0, -2.0], [0.5, 1.5], [2.0, 0.1]])
        >>> found.p_value.tolist(), found.p_family.tolist()
        ([0.25, 0.75], [0.25, 1.0])
    """

    names: tuple[str, ...]
    observed: Floats
    controls: Floats

    @property
    def p_value(self) -> Floats:
        """(E,): share of controls, the network itself among them, whose statistic of the entity is as large."""
        return self._share(np.abs(self.controls))

    @property
    def p_family(self) -> Floats:
        """(E,): the same against the largest statistic of all entities in each control."""
        return self._share(np.nanmax(np.abs(self.controls), axis=1, keepdims=True))

    def _share(self, sizes: Floats) -> Floats:
        share = (1 + (sizes >= np.abs(self.observed)).sum(axis=0)) / (1 + len(sizes))
        return np.where(np.isnan(self.observed), np.nan, share)

    @property
    def percentile(self) -> float:
        """Share of controls whose largest statistic is smaller than the network's largest."""
        return float((np.nanmax(np.abs(self.controls), axis=1) < np.nanmax(np.abs(self.observed))).mean())

    def table(self) -> "pd.DataFrame":
        """Return one row per entity, the largest statistic first.

        Columns: name, observed, mean and deviation of the controls, p_value, q_value (Benjamini-Hochberg), p_family.
        """
        import pandas as pd

        table = pd.DataFrame(
            {
                "name": list(self.names),
                "observed": self.observed,
                "control_mean": self.controls.mean(axis=0),
                "control_deviation": self.controls.std(axis=0, ddof=1) if len(self.controls) > 1 else np.nan,
                "p_value": self.p_value,
                "q_value": corrected(self.p_value),
                "p_family": self.p_family,
            }
        )
        return table.sort_values("observed", key=np.abs, ascending=False, ignore_index=True)


def against_controls(
    names: Sequence[str], observed: RankTest | ArrayLike, controls: Sequence[RankTest | ArrayLike]
) -> ControlledTest:
    """Set a statistic beside that of control networks: z of a rank test, a mean attention, any other.

    With C controls no p is below 1 / (C + 1): nineteen for 0.05.

    Args:
        names: E names.
        observed: (E,) the network's, or its `RankTest`.
        controls: The same of C networks trained in the same way, on `permuted_outcomes` or with a null model.

    Raises:
        InputError: If there is no control, or the numbers of entities differ.

    Example:
        >>> against_controls(["a"], [0.3], [[0.1], [0.4]]).table()["p_value"].round(3).tolist()
        [0.667]
    """
    rows = [
        np.asarray(item.z if isinstance(item, RankTest) else item, dtype=np.float64) for item in (observed, *controls)
    ]
    if len(rows) < 2 or any(row.shape != (len(names),) for row in rows):
        shapes = ", ".join(str(row.shape) for row in rows)
        raise InputError(
            f"observed and controls have the shapes {shapes}; give {len(names)} numbers each, and a control"
        )
    return ControlledTest(tuple(names), rows[0], np.stack(rows[1:]))


def permuted_outcomes(target: Floats, seed: int, strata: Any = 0) -> Floats:
    """Return targets (N, 2) whose rows, time with event, are exchanged among patients: nothing is left to learn.

    Args:
        target: (N, 2) time and event.
        seed: Seed of the permutation.
        strata: (N,), such as train and test: rows are exchanged within one.

    Example:
        >>> permuted_outcomes(np.array([[1.0, 1], [2.0, 0], [3.0, 1]]), seed=1).sum(axis=0).tolist()
        [6.0, 2.0]
    """
    found = np.array(target)
    labels = np.broadcast_to(np.asarray(strata), (len(found),))
    generator = np.random.default_rng(derive_seed(seed, "permuted outcomes"))
    for stratum in np.unique(labels):
        members = np.flatnonzero(labels == stratum)
        found[members] = found[generator.permutation(members)]
    return found
