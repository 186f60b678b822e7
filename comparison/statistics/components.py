"""Where the scatter of scores comes from: splits, seeds, draws of a null model, or nothing that can be named.

Symbols: S splits, K seeds of each split, D draws, the same at every split and seed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...errors import InputError
from .estimate import Floats, check_level
from .mean_squares import MeanSquare, Variance, difference_of, multiple_of

__all__ = ["Variance", "VarianceComponents", "variance_components"]

UNKNOWN = Variance(math.nan, math.nan, math.nan)
COLUMNS = ("split", "seed", "draw", "score")


@dataclass(frozen=True)
class VarianceComponents:
    """Variances of the parts of a score, which add up to the variance of a single run.

    score = mean + split + seed within split + draw + rest. A part is NaN where the design cannot tell it from
    another: with one seed per split, `split` holds the seeds' part too; with one draw, `seed` holds the rest; with one
    of both, `split` holds all three.

    Attributes:
        split: Between splits.
        seed: Between seeds of one split.
        draw: Between draws: the same at every split, so no number of splits averages it away.
        residual: What is left: a draw does not do equally well at every split and seed.
        splits: How many splits were used.
        seeds: How many seeds per split.
        draws: How many draws.
        left_out: Splits and draws left out because runs of theirs are missing.

    Example:
        >>> rows = [(s, k, d, s + 0.1 * k + d) for s in range(3) for k in range(2) for d in range(4)]
        >>> found = variance_components(pd.DataFrame(rows, columns=["split", "seed", "draw", "score"]))
        >>> round(found.draw.estimate, 3), round(found.residual.estimate, 3)
        (1.667, 0.0)
    """

    split: Variance
    seed: Variance
    draw: Variance
    residual: Variance
    splits: int
    seeds: int
    draws: int
    left_out: int

    @property
    def total(self) -> float:
        """Variance of one run: the sum of the parts that are known."""
        parts = (self.split, self.seed, self.draw, self.residual)
        return float(np.nansum([part.estimate for part in parts]))

    @property
    def shares(self) -> dict[str, float]:
        """Share of each part in the total; NaN where it is unknown or nothing varies."""
        total = self.total or math.nan
        parts = {"split": self.split, "seed": self.seed, "draw": self.draw, "residual": self.residual}
        return {name: part.estimate / total for name, part in parts.items()}


def variance_components(frame: pd.DataFrame, level: float = 0.05) -> VarianceComponents:
    """Return the variance components of scores by the method of moments.

    Expected mean squares of the balanced design, draws crossed with seeds nested in splits:

        split  residual + D seed + K D split
        seed   residual + D seed
        draw   residual + S K draw
        rest   residual

    solved for the components; a negative solution is given as 0. Intervals are those of Ting, Burdick, Graybill,
    Jeyaratnam and Lu (1990), doi:10.1080/00949659008811240, in the form of Burdick and Graybill, "Confidence
    Intervals on Variance Components" (1992). Splits share rows, so their part and its interval describe this data set,
    not other samples of it.

    Args:
        frame: One row per run: `split` (any label), `seed`, `draw` (may be absent or undefined: one draw), `score`.
            Columns may be NumPy's or nullable ones of pandas, as those of a ledger. Seeds of different splits need
            not have the same names.
        level: 1 minus the confidence of the intervals.

    Raises:
        InputError: If a column is missing, or two rows are the same run.

    Example:
        >>> rows = [(0, 0, 0.80), (0, 1, 0.82), (1, 0, 0.70), (1, 1, 0.72)]
        >>> found = variance_components(pd.DataFrame(rows, columns=["split", "seed", "score"]))
        >>> round(found.split.estimate, 4), round(found.seed.estimate, 4), found.residual.estimate
        (0.0049, 0.0002, nan)
    """
    check_level(level)
    cube, left_out = _balanced(_cube_of(frame))
    splits, seeds, draws = cube.shape
    squares = _mean_squares(cube)
    split = seed = draw = residual = UNKNOWN
    if "rest" in squares:
        residual = multiple_of(squares["rest"], 1, level)
        draw = difference_of(squares["draw"], squares["rest"], splits * seeds, level)
    if "seed" in squares:
        rest = squares.get("rest")
        seed = difference_of(squares["seed"], rest, draws, level) if rest else multiple_of(squares["seed"], 1, level)
    if "split" in squares:
        below = squares.get("seed") or squares.get("rest")
        each = seeds * draws
        above = squares["split"]
        split = difference_of(above, below, each, level) if below else multiple_of(above, each, level)
    return VarianceComponents(split, seed, draw, residual, splits, seeds, draws, left_out)


def _cube_of(frame: pd.DataFrame) -> Floats:
    """Return the scores (S, K, D), seeds numbered within their split; NaN where a run is missing."""
    absent = [name for name in COLUMNS if name not in frame.columns and name != "draw"]
    if absent:
        raise InputError(f"the table of runs has no column {absent[0]!r}; it needs split, seed, score and maybe draw")
    draws = frame["draw"] if "draw" in frame.columns else pd.Series(0, index=frame.index)
    split_codes, _ = pd.factorize(frame["split"], sort=True)
    draw_codes, _ = pd.factorize(draws, use_na_sentinel=False)  # undefined is a draw of its own
    seeds = frame.groupby(split_codes)["seed"].rank(method="dense").to_numpy(np.float64, na_value=np.nan)
    if len(frame) == 0 or np.isnan(seeds).any() or (split_codes < 0).any():
        raise InputError("the table of runs is empty, or a split or seed is undefined; each run has a split and a seed")
    places = (split_codes, seeds.astype(np.int64) - 1, draw_codes)
    shape = tuple(int(place.max()) + 1 for place in places)
    if len(set(zip(*(place.tolist() for place in places), strict=True))) < len(frame):
        raise InputError("two rows of the table have the same split, seed and draw; each run stands in it once")
    cube = np.full(shape, np.nan)
    cube[places] = frame["score"].to_numpy(np.float64, na_value=np.nan)
    return cube


def _balanced(cube: Floats) -> tuple[Floats, int]:
    """Leave out splits and draws, those with the largest share of missing runs first, until nothing is missing."""
    left_out = 0
    while np.isnan(cube).any():
        missing = np.isnan(cube)
        by_split, by_draw = missing.mean(axis=(1, 2)), missing.mean(axis=(0, 1))
        if by_split.max() >= by_draw.max():
            cube = np.delete(cube, int(by_split.argmax()), axis=0)
        else:
            cube = np.delete(cube, int(by_draw.argmax()), axis=2)
        left_out += 1
    return cube, left_out


def _mean_squares(cube: Floats) -> dict[str, MeanSquare]:
    """Return the mean squares that the design has degrees of freedom for."""
    splits, seeds, draws = cube.shape
    if not cube.size:
        return {}
    runs = splits * seeds
    mean, by_split, by_seed, by_draw = cube.mean(), cube.mean((1, 2)), cube.mean(2), cube.mean((0, 1))
    sums = {
        "split": (seeds * draws * _sum_of_squares(by_split - mean), splits - 1),
        "seed": (draws * _sum_of_squares(by_seed - by_split[:, None]), splits * (seeds - 1)),
        "draw": (runs * _sum_of_squares(by_draw - mean), draws - 1),
        "rest": (_sum_of_squares(cube - by_seed[:, :, None] - by_draw + mean), (runs - 1) * (draws - 1)),
    }
    found = {name: MeanSquare(total / freedom, freedom) for name, (total, freedom) in sums.items() if freedom > 0}
    # Draws cannot be told from the rest where there is a single run of each.
    return {name: square for name, square in found.items() if name != "draw" or "rest" in found}


def _sum_of_squares(values: Floats | Sequence[float]) -> float:
    return float(np.sum(np.square(values)))
