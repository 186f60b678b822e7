"""What prototype-pathway networks looked at: collected, compared between folds, tested, drawn on slides."""

from .attributions import FusionAttributions, PatchShares
from .card import patient_card, write_patient_card
from .collecting import collect_fusion
from .controls import ControlledTest, against_controls, permuted_outcomes
from .groups import groups_by_outcome, groups_by_risk
from .maps import PatchPlaces, draw_patient_map, slide_thumbnail, tile_panels
from .matching import PrototypeMatch, align_prototypes, match_prototypes
from .rank_tests import RankTest, stratified_rank_test
from .recovery import LinkRecovery, RecoveredLink, planted_link_recovery
from .storage import read_fusion, write_fusion
from .tiles import dominant_prototypes, tile_scores

__all__ = [
    "ControlledTest",
    "FusionAttributions",
    "LinkRecovery",
    "PatchPlaces",
    "PatchShares",
    "PrototypeMatch",
    "RankTest",
    "RecoveredLink",
    "against_controls",
    "align_prototypes",
    "collect_fusion",
    "dominant_prototypes",
    "draw_patient_map",
    "groups_by_outcome",
    "groups_by_risk",
    "match_prototypes",
    "patient_card",
    "permuted_outcomes",
    "planted_link_recovery",
    "read_fusion",
    "slide_thumbnail",
    "stratified_rank_test",
    "tile_panels",
    "tile_scores",
    "write_fusion",
    "write_patient_card",
]
