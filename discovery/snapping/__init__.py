"""Learn, then snap: from a trained flexible curve to the short formula that stands for it."""

from .formulas import FormulasPerUnit
from .result import KeptCurve, NearFormula, SnappedCurve, SnapReport
from .shapes import ShapeLibrary, default_library
from .snapping import snap_activations, snap_curve

__all__ = [
    "FormulasPerUnit",
    "KeptCurve",
    "NearFormula",
    "ShapeLibrary",
    "SnapReport",
    "SnappedCurve",
    "default_library",
    "snap_activations",
    "snap_curve",
]
