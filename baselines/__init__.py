"""Simple models on the same rows, printed beside every result: plain arrays in, the tasks' metrics out."""

from .. import __version__ as _version  # noqa: F401  (refuses `import baselines` from the checkout)
from .classification import classification_floors
from .cox import RidgeCox
from .regression import regression_floors
from .ridge_logistic import RidgeLogistic
from .survival import survival_floors, survival_risks

__all__ = [
    "RidgeCox",
    "RidgeLogistic",
    "classification_floors",
    "regression_floors",
    "survival_floors",
    "survival_risks",
]
