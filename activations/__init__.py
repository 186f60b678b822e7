"""Activations: modules that map a tensor to one of the same shape."""

from .. import __version__ as _version  # noqa: F401  (refuses `import activations` from the checkout)
from .base import Activation, is_activation

__all__ = ["Activation", "is_activation"]
