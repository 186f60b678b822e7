"""Curves of a training run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

__all__ = ["draw_training_curves"]

# the same colour for the same rows in every panel
_COLOURS = {"train": "C0", "val": "C1"}


def draw_training_curves(curves: Mapping[str, Sequence[tuple[int, float]]], path: str | Path) -> Path:
    """Draw one panel per metric, with training and validation curves of the same metric in one panel.

    Args:
        curves: For each logged name, e.g. "val/loss", its (epoch, value) pairs.
        path: PNG file to write.

    Returns:
        The path.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> draw_training_curves({"train/loss": [(0, 1.0), (1, 0.5)]}, f"{folder}/curves.png").name
        'curves.png'
    """
    panels: dict[str, list[str]] = {}
    for name in sorted(curves):
        panels.setdefault(name.split("/", 1)[-1], []).append(name)
    columns = min(3, max(1, len(panels)))
    rows = -(-max(1, len(panels)) // columns)
    # Figure without pyplot: no global state and no window system needed
    figure = Figure(figsize=(4.2 * columns, 3.0 * rows), layout="constrained")
    for position, (metric, names) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(rows, columns, position)
        for name in names:
            epochs, values = zip(*curves[name], strict=True)
            split = name.split("/", 1)[0]
            axes.plot([epoch + 1 for epoch in epochs], values, label=split, color=_COLOURS.get(split), linewidth=1.6)
        axes.set_title(metric.replace("_", " "), fontsize=10)
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
    path = Path(path)
    figure.savefig(path, dpi=120)
    return path
