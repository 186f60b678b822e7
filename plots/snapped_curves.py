"""Learned curves, the formulas that took their place, and where the inputs lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

__all__ = ["SnappedPanel", "draw_snapped_curves"]


@dataclass(frozen=True)
class SnappedPanel:
    """One panel: the curve or curves of a layer.

    Attributes:
        title: What stands above it, such as the layer and its formula.
        x: Points of every curve, (K, N).
        learned: Values of the learned curves there, (K, N).
        formula: Values of the formulas there, (K, N).
        density: How often an input lies near each point, (K, N).

    Example:
        >>> SnappedPanel("layers.2: x", [[0.0, 1.0]], [[0.0, 1.1]], [[0.0, 1.0]], [[0.5, 0.5]]).title
        'layers.2: x'
    """

    title: str
    x: ArrayLike
    learned: ArrayLike
    formula: ArrayLike
    density: ArrayLike


def draw_snapped_curves(panels: Sequence[SnappedPanel], path: str | Path) -> Path:
    """Draw one panel per layer: learned curves as lines, formulas as dashes, the density of the inputs below.

    Args:
        panels: The layers.
        path: Image file; its suffix decides the format, and missing folders are made.

    Returns:
        The path.

    Example:
        >>> import tempfile
        >>> panel = SnappedPanel("layers.2: x", [[0.0, 1.0]], [[0.0, 1.1]], [[0.0, 1.0]], [[0.5, 0.5]])
        >>> draw_snapped_curves([panel], f"{tempfile.mkdtemp()}/curves.png").name
        'curves.png'
    """
    columns = min(3, max(1, len(panels)))
    rows = -(-max(1, len(panels)) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.4 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for position, panel in enumerate(panels, start=1):
        _draw(figure.add_subplot(rows, columns, position), panel)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    return path


def _draw(axes, panel: SnappedPanel) -> None:  # noqa: ANN001  (matplotlib's axes)
    x, learned, formula, density = (
        np.atleast_2d(np.asarray(part, dtype=float)) for part in (panel.x, panel.learned, panel.formula, panel.density)
    )
    shade = axes.twinx()
    for points, share in zip(x, density, strict=True):
        shade.fill_between(points, share, color="0.6", alpha=0.25 / len(x) + 0.03, linewidth=0)
    # the density takes the lowest quarter, behind the curves
    shade.set_ylim(0, 4 * max(float(density.max()), 1e-12))
    shade.set_yticks([])
    axes.set_zorder(shade.get_zorder() + 1)
    axes.patch.set_visible(False)
    strength = 1.0 if len(x) == 1 else 0.45
    for number, (points, curve, values) in enumerate(zip(x, learned, formula, strict=True)):
        axes.plot(points, curve, color="C0", linewidth=2.2, alpha=strength, label=None if number else "learned")
        axes.plot(
            points,
            values,
            color="C1",
            linewidth=1.4,
            alpha=strength,
            linestyle="--",
            label=None if number else "formula",
        )
    axes.set_title(panel.title, fontsize=9, wrap=True, parse_math=False)
    axes.set_xlabel("input of the activation; grey: how often it is seen", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.legend(frameon=False, fontsize=8)
