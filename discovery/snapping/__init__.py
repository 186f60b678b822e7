"""Learn, then snap: from a trained flexible curve to the short formula that stands for it."""

from .formulas import FormulasPerUnit
from .result import KeptCurve, NearFormula, SnappedCurve, SnapReport
from .shapes import ShapeLibrary, default_library
from .snapping import snap_activations, snap_curve
from .study import LearnedThenSnapped, Scores, learn_then_snap

__all__ = [
    "FormulasPerUnit",
    "KeptCurve",
    "LearnedThenSnapped",
    "NearFormula",
    "Scores",
    "ShapeLibrary",
    "SnapReport",
    "SnappedCurve",
    "default_library",
    "learn_then_snap",
    "snap_activations",
    "snap_curve",
]
