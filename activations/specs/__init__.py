"""The spec language: text and plain data that name an activation, and the one place where modules are built."""

from .build import ActivationSpec, FormulaMapping, LayerActivations, SpecList, build_activation
from .imports import allow_imports, allowed_import
from .read import ActivationRequest, read_spec
from .registry import activation_names

__all__ = [
    "ActivationRequest",
    "ActivationSpec",
    "FormulaMapping",
    "LayerActivations",
    "SpecList",
    "activation_names",
    "allow_imports",
    "allowed_import",
    "build_activation",
    "read_spec",
]
