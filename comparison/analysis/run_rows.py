"""The ledger's frame as plain rows per arm."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

__all__ = ["RunRows", "number_in"]


class RunRows:
    """Planned runs by arm; a row is a mapping of the frame's columns, `draw` None without one.

    Args:
        frame: One row per planned run: arm, repeat, fold, seed, draw, key, state, metrics and more.

    Attributes:
        splits: (repeat, fold) of all arms, in order.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._of_arm: dict[str, list[dict[str, Any]]] = {}
        for row in frame.to_dict("records"):
            values = {str(name): value for name, value in row.items()}
            values["draw"] = None if pd.isna(values["draw"]) else int(values["draw"])
            self._of_arm.setdefault(str(values["arm"]), []).append(values)
        self.splits: list[tuple[int, int]] = sorted(
            {(row["repeat"], row["fold"]) for rows in self._of_arm.values() for row in rows}
        )

    def of(self, arms: str | Sequence[str], *states: str) -> list[dict[str, Any]]:
        """Return the runs of one arm or several, those in one of the states where any is named."""
        names = [arms] if isinstance(arms, str) else arms
        rows = [row for name in names for row in self._of_arm.get(name, ())]
        return [row for row in rows if not states or row["state"] in states]

    def __contains__(self, arm: str) -> bool:
        return arm in self._of_arm


def number_in(row: Mapping[str, Any], name: str) -> float:
    """Return a value of a row as a number, NaN where it is missing.

    Example:
        >>> number_in({"auroc": 1, "f1": pd.NA}, "auroc"), number_in({"f1": pd.NA}, "f1")
        (1.0, nan)
    """
    value = row.get(name)
    return float("nan") if value is None or value is pd.NA else float(value)
