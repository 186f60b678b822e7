"""Attribution: which inputs, genes and pathways made an output what it is."""

from .. import __version__ as _version  # noqa: F401  (refuses `import attribution` from the checkout)
from .attribute import Method, attribute
from .attributions import Attributions
from .calibration import CalibratedImportance, calibrate_importance
from .graph import Adjustment
from .hub_bias import HubBias, hub_bias
from .picture import draw_attributions
from .stability import KendallW, RankStability, kendall_w, rank_biased_overlap, rank_stability

__all__ = [
    "Adjustment",
    "Attributions",
    "CalibratedImportance",
    "HubBias",
    "KendallW",
    "Method",
    "RankStability",
    "attribute",
    "calibrate_importance",
    "draw_attributions",
    "hub_bias",
    "kendall_w",
    "rank_biased_overlap",
    "rank_stability",
]
