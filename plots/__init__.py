"""Figures from plain arrays and tables."""

from .. import __version__ as _version  # noqa: F401  (refuses `import plots` from the checkout)
from .activation_doctor import draw_activation_doctor
from .curve_grid import draw_curve_grid
from .curves import draw_curve
from .dose_response import draw_dose_response
from .forest import draw_forest
from .funnel import draw_funnel
from .hierarchy import draw_hierarchy
from .importance import draw_calibrated_importance
from .input_use import draw_input_use
from .kaplan_meier import draw_kaplan_meier
from .learning_bands import draw_learning_bands
from .light_schedule import draw_light
from .median_bands import draw_median_bands
from .null_distribution import draw_null_distribution
from .null_quality import draw_null_quality
from .pareto import draw_pareto
from .progress_measures import draw_progress_measures
from .sankey import draw_sankey
from .snapped_curves import SnappedPanel, draw_snapped_curves
from .tile_map import TilePanel, draw_tile_maps
from .training import draw_training_curves

__all__ = [
    "SnappedPanel",
    "TilePanel",
    "draw_activation_doctor",
    "draw_calibrated_importance",
    "draw_curve",
    "draw_curve_grid",
    "draw_dose_response",
    "draw_forest",
    "draw_funnel",
    "draw_hierarchy",
    "draw_input_use",
    "draw_kaplan_meier",
    "draw_learning_bands",
    "draw_light",
    "draw_median_bands",
    "draw_null_distribution",
    "draw_null_quality",
    "draw_pareto",
    "draw_progress_measures",
    "draw_sankey",
    "draw_snapped_curves",
    "draw_tile_maps",
    "draw_training_curves",
]
