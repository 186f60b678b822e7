"""Figures from plain arrays and tables."""

from .. import __version__ as _version  # noqa: F401  (refuses `import plots` from the checkout)
from .curves import draw_curve
from .hierarchy import draw_hierarchy
from .sankey import draw_sankey
from .training import draw_training_curves

__all__ = ["draw_curve", "draw_hierarchy", "draw_sankey", "draw_training_curves"]
