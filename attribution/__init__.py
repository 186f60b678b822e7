"""Attribution: which inputs, genes and pathways made an output what it is."""

from .. import __version__ as _version  # noqa: F401  (refuses `import attribution` from the checkout)
from .attribute import Method, attribute
from .attributions import Attributions
from .calibration import CalibratedImportance, calibrate_importance
from .fitting import FitOptions
from .graph import Adjustment
from .hub_bias import HubBias, hub_bias
from .identifiability import Identifiability, compare_insides, teacher_student_test
from .picture import draw_attributions
from .pruning import SpuriousPruning, spurious_edge_test, spurious_pruning
from .stability import KendallW, RankStability, kendall_w, rank_biased_overlap, rank_stability

__all__ = [
    "Adjustment",
    "Attributions",
    "CalibratedImportance",
    "FitOptions",
    "HubBias",
    "Identifiability",
    "KendallW",
    "Method",
    "RankStability",
    "SpuriousPruning",
    "attribute",
    "calibrate_importance",
    "compare_insides",
    "draw_attributions",
    "hub_bias",
    "kendall_w",
    "rank_biased_overlap",
    "rank_stability",
    "spurious_edge_test",
    "spurious_pruning",
    "teacher_student_test",
]
