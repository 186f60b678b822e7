"""Activations: modules that map a tensor to one of the same shape."""

from .. import __version__ as _version  # noqa: F401  (refuses `import activations` from the checkout)
from .acon import AconC, MetaAcon
from .ash import ASH, ash, percentile_to_z, z_to_percentile
from .base import Activation, is_activation
from .dice import Dice
from .formula import Formula
from .layer_act import LayerAct
from .parameters import activation_parameters, named_activation_parameters
from .periodic import GrowingCosine, Snake
from .piecewise import PWLU
from .rational import RationalActivation
from .replace import Kept, Replaced, Report, replace_activations
from .smu import SMU
from .specs import (
    ActivationSpec,
    FormulaMapping,
    LayerActivations,
    SpecList,
    allow_imports,
    allowed_import,
    build_activation,
    read_spec,
)
from .swish import Swish
from .telu import TeLU
from .xielu import XIELU

__all__ = [
    "ASH",
    "PWLU",
    "SMU",
    "XIELU",
    "AconC",
    "Activation",
    "ActivationSpec",
    "Dice",
    "Formula",
    "FormulaMapping",
    "GrowingCosine",
    "Kept",
    "LayerAct",
    "LayerActivations",
    "MetaAcon",
    "RationalActivation",
    "Replaced",
    "Report",
    "Snake",
    "SpecList",
    "Swish",
    "TeLU",
    "activation_parameters",
    "allow_imports",
    "allowed_import",
    "ash",
    "build_activation",
    "is_activation",
    "named_activation_parameters",
    "percentile_to_z",
    "read_spec",
    "replace_activations",
    "z_to_percentile",
]
