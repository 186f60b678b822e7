"""Activations: modules that map a tensor to one of the same shape."""

from .. import __version__ as _version  # noqa: F401  (refuses `import activations` from the checkout)
from .base import Activation, is_activation
from .formula import Formula

__all__ = ["Activation", "Formula", "is_activation"]
