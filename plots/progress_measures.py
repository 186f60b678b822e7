"""Stimulation through training beside the same stimulation of finished checkpoints."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from .median_bands import draw_median_bands

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["draw_progress_measures"]

# What the arms of a table of progress measures are called in the figure, in the order of the legend.
NAMES = {
    ("free", "free"): "never stimulated",
    ("free", "stimulated"): "stimulated at checkpoints alone",
    ("stimulated", "stimulated"): "stimulated through training",
    ("stimulated", "free"): "trained stimulated, light off",
}


def draw_progress_measures(
    tables: "pd.DataFrame | Sequence[pd.DataFrame]",
    measure: str = "loss",
    *,
    level: float | None = None,
    coverage: float = 0.8,
    title: str = "",
    names: Mapping[tuple[str, str], str] = NAMES,
) -> Figure:
    """Draw a measure over training for every arm of tables of `axonlight.stimulation.progress_measures`.

    Args:
        tables: One table, or one per seed; their checkpoints may be at other steps.
        measure: Column that is drawn.
        level: Value at which a thin line stands, such as the threshold of "learned".
        coverage: Share of the seeds in the band.
        title: Title of the figure.
        names: Name of each arm (trained, measured) that is drawn.

    Returns:
        The figure.

    Raises:
        ValueError: If no table has the measure.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"trained": "free", "measured": ["free", "stimulated"] * 2, "step": [0, 0, 9, 9],
        ...                       "loss": [1.0, 0.5, 0.9, 0.1]})
        >>> figure = draw_progress_measures(table)
        >>> [line.get_ydata().tolist() for line in figure.axes[0].lines]
        [[1.0, 0.9], [0.5, 0.1]]
    """
    seeds = list(tables) if isinstance(tables, Sequence) else [tables]
    known = sorted({name for table in seeds for name in table})
    if measure not in known:
        raise ValueError(f"measure is {measure!r}; the tables have {', '.join(known)}")
    curves = {}
    for arm, name in names.items():
        each = [_curve(table, arm, measure) for table in seeds]
        steps = sorted(set().union(*each))
        if steps:
            curves[name] = (steps, np.array([[curve.get(step, np.nan) for step in steps] for curve in each]))
    return draw_median_bands(curves, xlabel="update", ylabel=measure, level=level, coverage=coverage, title=title)


def _curve(table: "pd.DataFrame", arm: tuple[str, str], measure: str) -> dict[int, float]:
    rows = table[(table["trained"] == arm[0]) & (table["measured"] == arm[1])]
    return dict(zip(rows["step"].tolist(), rows[measure].tolist(), strict=True))
