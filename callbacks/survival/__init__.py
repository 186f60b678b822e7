"""What callbacks of survival share: predictions of a part, scores beside floors, files."""

from .predicting import Predicted, predict_rows
from .scoring import SurvivalScores, score_beside_floors

__all__ = ["Predicted", "SurvivalScores", "predict_rows", "score_beside_floors"]
