"""What stands behind `ActivationDoctor`: hooks, findings, curves, the guard of updates, the files."""

from .complaints import Complaints
from .curves import History, curve_values, parameter_values
from .examination import Examination
from .findings import Findings, depends_on_others
from .guard import gradients_of
from .listening import find_activations
from .records import Records
from .schedule import due_step, logged_numbers

__all__ = [
    "Complaints",
    "Examination",
    "Findings",
    "History",
    "Records",
    "curve_values",
    "depends_on_others",
    "due_step",
    "find_activations",
    "gradients_of",
    "logged_numbers",
    "parameter_values",
]
