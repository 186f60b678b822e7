"""Importance of nodes held against what the same positions get by chance.

Legend of shapes: N nodes of a layer, D draws.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .hub_bias import HubBias, hub_bias
from .node_scores import LayerScores, Scores, node_scores, same_nodes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CalibratedImportance", "Scale", "calibrate_importance"]

Floats: TypeAlias = NDArray[np.float64]
Scale: TypeAlias = Literal["share", "raw"]


@dataclass(frozen=True, eq=False)
class CalibratedImportance:
    """What each node scores, what its position scores by chance, and how far the two are apart.

    Args:
        table: One row per layer and node, the smallest p of each layer first (of equal p the largest z): layer, node,
            title, score, null_mean, null_sd, null_low and null_high (quantiles 2.5 and 97.5 % of the draws), z, p,
            p_adjusted, degree.
        draws: Number of draws D of the null.
        scale: "share": scores are parts of the layer's sum; "raw": as they were given.
        null: What the draws are, in words.

    Example:
        >>> real = {"level_1": [8.0, 1.0, 1.0]}
        >>> null = [{"level_1": [2.0, 4.0 + step, 2.0]} for step in range(19)]
        >>> found = calibrate_importance(real, null, scale="raw")
        >>> found.floor, found.table[["node", "p", "p_adjusted"]].round(3).values.tolist()[0]
        (0.05, ['0', 0.05, 0.15])
    """

    table: "pd.DataFrame"
    draws: int
    scale: Scale
    null: str = ""

    @property
    def floor(self) -> float:
        """The smallest p that this number of draws can give, 1 / (1 + D)."""
        return 1 / (1 + self.draws)

    def significant(self, level: float = 0.05) -> "pd.DataFrame":
        """Return the rows whose adjusted p is at most `level`."""
        return self.table.loc[self.table["p_adjusted"] <= level, :].reset_index(drop=True)

    def hub_bias(self) -> HubBias:
        """Return how the ranks of scores, of scores over degree and of z go with the degree; nodes without z left out.

        Raises:
            InputError: If the degrees are unknown.
        """
        layers = self._layers()
        score = {name: part["score"].to_numpy(float) for name, part in layers.items()}
        z = {name: part["z"].to_numpy(float) for name, part in layers.items()}
        degrees = {name: part["degree"].to_numpy(float, na_value=np.nan) for name, part in layers.items()}
        divided = {name: values / np.maximum(degrees[name], 1) for name, values in score.items()}
        return hub_bias({"none": score, "degree": divided, "z": z}, degrees, response="rank")

    def _layers(self) -> dict[str, "pd.DataFrame"]:
        return {str(name): part for name, part in self.table.groupby("layer", sort=False)}

    def to_csv(self, path: str | Path) -> Path:
        """Write the table, with all digits, and return its path."""
        self.table.to_csv(path, index=False)
        return Path(path)

    def __str__(self) -> str:
        """Return what was found per layer, one line each."""
        lines = [f"{self.draws} draws of {self.null or 'the null'}; smallest possible p {self.floor:.3g}"]
        for layer, part in self._layers().items():
            many = np.count_nonzero(part["p_adjusted"] <= 0.05)
            best = part.iloc[0]
            lines.append(
                f"{layer}: {many} of {len(part)} nodes with adjusted p <= 0.05; first {best['title']} "
                f"(z {best['z']:.1f}, p {best['p']:.3g}, adjusted {best['p_adjusted']:.3g})"
            )
        return "\n".join(lines)


def calibrate_importance(
    real: Scores, null: Sequence[Scores], *, scale: Scale = "share", name: str = ""
) -> CalibratedImportance:
    """Compare the score of every node with those of the same node position in networks that can only find chance.

    With the score s of a node and those of its position in the draws, n_1 to n_D: z = (s - mean(n)) / sd(n), the
    standard deviation with D - 1, NaN where it is 0; p = (1 + number of n_i >= s) / (1 + D), the probability of so high
    a score where the real network is one more draw (B. Phipson and G. Smyth, Stat Appl Genet Mol Biol 9:39, 2010).
    p is adjusted within a layer for the false discovery rate (Benjamini and Hochberg 1995). What a rejected hypothesis
    means depends on the draws: wirings with the same invariants, or shuffled labels.

    The comparison is fair only where `real` and each draw are made in the same way: the same data, budget and number of
    networks averaged. The scores of one network against means of five, or the reverse, are not exchangeable.

    Args:
        real: `Attributions`, a table (columns layer, node, score, perhaps title and degree), arrays (N,) by layer, or
            one array.
        null: The same of each draw, D >= 2. Nodes are matched by name; their neighbours differ, their position not.
        scale: "share" divides the scores of a layer by their sum first, which takes out how large the outputs of a
            network are (those fitted to shuffled labels are more or less confident altogether); "raw" leaves them.
        name: What the draws are, kept for tables and pictures.

    Raises:
        InputError: If there are fewer than two draws, the layers or nodes differ, a score is not finite, or shares are
            asked of a layer with negative scores or of which all are 0.

    Example:
        >>> found = calibrate_importance([5.0, 2.0], [[1.0, 2.0], [2.0, 2.0], [3.0, 2.0]], scale="raw")
        >>> found.table[["node", "score", "null_mean", "null_sd", "z", "p"]].values.tolist()
        [['0', 5.0, 2.0, 1.0, 3.0, 0.25], ['1', 2.0, 2.0, 0.0, nan, 1.0]]
    """
    import pandas as pd

    if scale not in get_args(Scale):
        raise InputError(f"scale is {scale!r}; it must be one of {', '.join(get_args(Scale))}")
    if len(null) < 2:
        raise InputError(f"null holds {len(null)} draws; a spread needs two or more, a p of 0.05 needs 19")
    known = node_scores(real)
    drawn = [same_nodes(known, scores, f"null {number}") for number, scores in enumerate(null)]
    tables = [_layer_table(layer, part, [draw[layer] for draw in drawn], scale) for layer, part in known.items()]
    return CalibratedImportance(pd.concat(tables, ignore_index=True), len(null), scale, name)


def _layer_table(layer: str, real: LayerScores, null: Sequence[LayerScores], scale: Scale) -> "pd.DataFrame":
    import pandas as pd
    from scipy.stats import false_discovery_control

    score = _scaled(real.scores, scale, layer)
    drawn = np.stack([_scaled(draw.scores, scale, layer) for draw in null])
    mean, spread = drawn.mean(axis=0), drawn.std(axis=0, ddof=1)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    # Of equal numbers a mean may differ in the last bit: then there is no spread, and no z.
    varies = np.ptp(drawn, axis=0) > 0
    p = (1 + (drawn >= score).sum(axis=0)) / (1 + len(drawn))
    columns: Mapping[str, Any] = {
        "layer": layer,
        "node": real.nodes,
        "title": real.titles,
        "score": score,
        "null_mean": np.where(varies, mean, drawn[0]),
        "null_sd": np.where(varies, spread, 0.0),
        "null_low": low,
        "null_high": high,
        "z": np.divide(score - mean, spread, out=np.full(len(score), np.nan), where=varies),
        "p": p,
        "p_adjusted": false_discovery_control(p),
        "degree": pd.array([None if np.isnan(value) else int(value) for value in real.degrees], dtype="Int64"),
    }
    return pd.DataFrame(columns).sort_values(["p", "z"], ascending=[True, False], kind="stable")


def _scaled(scores: Floats, scale: Scale, layer: str) -> Floats:
    if scale == "raw":
        return scores
    total = scores.sum()
    if (scores < 0).any() or not total > 0:
        raise InputError(
            f"the scores of layer {layer} are negative or all 0, so they have no shares; take scale 'raw', or leave "
            "the layer out"
        )
    return scores / total
