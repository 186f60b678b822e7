"""Formulas as activations: a safe grammar, trainable constants, numeric gate."""

from .gate import Moments, NumericGate, affine_normalisation, check_function, gaussian_moments
from .grammar import parse_formula
from .latex import to_latex
from .mathml import to_mathml
from .module import Formula, check_formula
from .prefix import to_prefix
from .program import Program, compile_program
from .tree import Constant, Node, Number, Operation, Variable, constant_names, count_nodes

__all__ = [
    "Constant",
    "Formula",
    "Moments",
    "Node",
    "Number",
    "NumericGate",
    "Operation",
    "Program",
    "Variable",
    "affine_normalisation",
    "check_formula",
    "check_function",
    "compile_program",
    "constant_names",
    "count_nodes",
    "gaussian_moments",
    "parse_formula",
    "to_latex",
    "to_mathml",
    "to_prefix",
]
