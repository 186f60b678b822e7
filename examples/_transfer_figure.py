"""The heat map of the transfer study: what was found on the row's set, used on the column's."""

from pathlib import Path
from textwrap import shorten

import numpy as np
from _transfer_report import FLOOR, Matrix
from _transfer_sets import SETS
from axonlight.plots.rows import SMALL, new_figure
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

__all__ = ["draw_matrix"]

# Differences beyond this have the colour of this.
LARGEST = 0.05
SIGNS = {"better": "\u25bc", "worse": "\u25b2", "equivalent": "=", "inconclusive": ""}


def draw_matrix(matrix: Matrix, path: Path) -> Figure:
    """Draw every activation's score on every set, coloured by its difference to the set's specialist, and save it."""
    arms = [*matrix.arms, FLOOR]
    scores = matrix.scores.loc[arms].to_numpy()
    own = np.array([matrix.scores.loc[f"from_{name}", name] for name in matrix.sets])
    height = 1.25 + 0.32 * len(arms)
    figure = new_figure(height, 8.6)
    axes = figure.add_axes((0.36, 0.5 / height, 0.51, (height - 1.2) / height))
    norm = TwoSlopeNorm(0.0, -LARGEST, LARGEST)
    image = axes.imshow(np.clip(scores - own, -LARGEST, LARGEST), cmap="RdBu", norm=norm, aspect="auto")
    for row, arm in enumerate(arms):
        for column, name in enumerate(matrix.sets):
            difference = scores[row, column] - own[column]
            is_own = arm == f"from_{name}"
            sign = "" if is_own or arm == FLOOR else SIGNS[matrix.against_specialist(name, arm).verdict]
            said = f"{scores[row, column]:.3f} {sign}".strip()
            colour = "white" if abs(difference) > 0.6 * LARGEST else "black"
            axes.text(column, row, said, ha="center", va="center", fontsize=SMALL, color=colour)
            if is_own:
                axes.add_patch(Rectangle((column - 0.49, row - 0.47), 0.98, 0.94, fill=False, linewidth=1.8))
    heads = [f"{SETS[name].title}\n{SETS[name].metric}" for name in matrix.sets]
    axes.set_xticks(range(len(heads)), heads, fontsize=SMALL)
    axes.set_yticks(range(len(arms)), [_label(matrix, arm) for arm in arms], fontsize=SMALL, parse_math=False)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    axes.axhline(sum(arm.startswith("from_") for arm in arms) - 0.5, color="black", linewidth=0.8)
    bar = figure.colorbar(image, cax=figure.add_axes((0.88, 0.5 / height, 0.018, (height - 1.2) / height)))
    bar.set_label("score minus that of the set's own formula (boxed)", fontsize=SMALL)
    bar.ax.tick_params(labelsize=SMALL - 1)
    figure.text(
        0.02,
        0.12 / height,
        "\u25b2 better than the set's own formula   \u25bc worse   = equivalent   no sign: inconclusive",
        fontsize=SMALL,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return figure


def _label(matrix: Matrix, arm: str) -> str:
    if arm == FLOOR:
        return "logistic regression"
    kind, _, name = arm.partition("_")
    if kind == "from":
        return f"found on {SETS[name].title}: {shorten(matrix.formula(arm), 26, placeholder='...')}"
    return (
        f"random: {matrix.formula(arm)}"
        if kind == "random"
        else {"ash": "ASH", "silu": "SiLU"}.get(kind, kind.upper().replace("RELU", "ReLU"))
    )
