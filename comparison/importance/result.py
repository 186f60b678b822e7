"""What an importance study found, and its files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...attribution import CalibratedImportance, HubBias, RankStability
from ...plots import draw_calibrated_importance

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ImportanceStudy"]


@dataclass(frozen=True, eq=False)
class ImportanceStudy:
    """Which nodes matter more than chance, and how far the ranking can be trusted.

    Args:
        calibrated: Per null model, and for "label shuffles", the calibrated importance.
        stability: Agreement of the real networks over "seeds" of one split and, where asked for, over "folds".
        hub_bias: How the mean scores of the real networks go with the degree.
        metrics: Mean test metrics per kind of network: "real", each null model, "label shuffles".
        facts: What was done: rows, seeds, method, failures.

    Example:
        >>> from axonlight.attribution import calibrate_importance, hub_bias, rank_stability
        >>> found = calibrate_importance([5.0, 1.0, 1.0], [[1.0, 2.0, 1.0], [2.0, 2.0, 2.0]])
        >>> bias = hub_bias([5.0, 1.0, 1.0], [1, 2, 3])
        >>> agreement = rank_stability([[5.0, 1.0, 1.5], [4.0, 1.0, 2.0]], top=[1])
        >>> study = ImportanceStudy({"label shuffles": found}, {"seeds": agreement}, bias, {}, {})
        >>> study.table()[["null", "node"]].values.tolist()[0]
        ['label shuffles', '0']
    """

    calibrated: Mapping[str, CalibratedImportance]
    stability: Mapping[str, RankStability]
    hub_bias: HubBias
    metrics: Mapping[str, Mapping[str, float]]
    facts: Mapping[str, Any]

    def table(self) -> "pd.DataFrame":
        """Return the tables of all nulls below one another, with the column null in front."""
        return _stacked({name: found.table for name, found in self.calibrated.items()}, "null")

    def stability_table(self) -> "pd.DataFrame":
        """Return the agreement over seeds and folds below one another, with the column over in front."""
        return _stacked({name: found.table for name, found in self.stability.items()}, "over")

    def hub_bias_table(self) -> "pd.DataFrame":
        """Return the regressions of the raw and adjusted scores, and of the ranks of z under each null."""
        calibrated = {name: found.hub_bias().table for name, found in self.calibrated.items()}
        of_z = {name: table.loc[table["adjust"] == "z", :] for name, table in calibrated.items()}
        ranked = next(iter(calibrated.values()))
        raw = ranked.loc[ranked["adjust"] != "z", :]
        return _stacked({"": raw, **of_z}, "null")

    def write(self, folder: str | Path, name: str = "importance", top: int = 8) -> list[Path]:
        """Write the tables, and a picture per null of the nodes with the smallest p.

        Args:
            folder: Where to; made if it is not there.
            name: How the files' names begin.
            top: Nodes per layer in the pictures.

        Returns:
            The files: NAME.csv, NAME_stability.csv, NAME_hub_bias.csv, and NAME_NULL.png.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tables = {"": self.table(), "_stability": self.stability_table(), "_hub_bias": self.hub_bias_table()}
        files = []
        for suffix, table in tables.items():
            files.append(folder / f"{name}{suffix}.csv")
            table.to_csv(files[-1], index=False, float_format="%.6g")
        for null, found in self.calibrated.items():
            files.append(folder / f"{name}_{null.lower().replace(' ', '_')}.png")
            draw_importance(found, top).savefig(files[-1], dpi=150)
        return files


def draw_importance(found: CalibratedImportance, top: int = 8) -> Any:
    """Draw the nodes of each layer with the smallest p: their z, beside the middle 95 % of the draws.

    Args:
        found: The calibrated importance.
        top: Nodes per layer.

    Returns:
        The figure.
    """
    table: Any = found.table.groupby("layer", sort=False).head(top)
    names = [f"{layer}: {title}" for layer, title in zip(table["layer"], table["title"], strict=True)]
    spread = table["null_sd"].where(table["null_sd"] > 0)
    low, high = ((table[end] - table["null_mean"]) / spread for end in ("null_low", "null_high"))
    title = f"{found.null}, {found.draws} draws; p adjusted within each layer"
    numbers = (column.to_numpy(np.float64) for column in (table["z"], low, high, table["p_adjusted"]))
    return draw_calibrated_importance(names, *numbers, title=title, xlabel="z of the node's share")


def _stacked(tables: Mapping[str, "pd.DataFrame"], column: str) -> "pd.DataFrame":
    import pandas as pd

    named = []
    for name, table in tables.items():
        copied = table.copy()
        copied.insert(0, column, name)
        named.append(copied)
    return pd.concat(named, ignore_index=True)
