"""The known activations as functions of one number: those of this package and of torch.nn, and four elementary ones.

Legend of shapes: N points, in any arrangement.
"""

import contextlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import nn

from ..activations import Formula
from ..activations.specs.registry import activation_names, find_activation

__all__ = ["KnownFunction", "known_functions"]

_TITLES = {
    "CELU": "the continuously differentiable exponential linear unit",
    "ELU": "the exponential linear unit",
    "GELU": "the Gaussian error linear unit",
    "GrowingCosine": "the Growing Cosine Unit",
    "Identity": "the identity",
    "LeakyReLU": "the leaky rectified linear unit",
    "LogSigmoid": "the logarithm of the logistic function",
    "ReLU": "the rectified linear unit",
    "SELU": "the scaled exponential linear unit",
    "SiLU": "the sigmoid linear unit, or Swish",
    "Sigmoid": "the logistic function",
    "Softplus": "the soft plus",
    "Tanh": "the hyperbolic tangent",
}
_ELEMENTARY = {
    "sin(x)": "the sine, as in SIREN",
    "x*x": "the square",
    "abs(x)": "the absolute value",
    "exp(x)": "the exponential",
}
# Curves that can take any shape: what they start as says nothing.
_FLEXIBLE = frozenset({"Formula", "PWLU", "RationalActivation"})
# Where two classes start as one function, the one that users know best names it.
_FIRST = ("ELU", "LeakyReLU", "Softplus", "Sigmoid", "Tanh", "SiLU", "GELU", "ReLU", "Identity")  # the last comes first


@dataclass(frozen=True)
class KnownFunction:
    """A known activation with its default parameters.

    Attributes:
        name: Class name, or the text of an elementary function.
        title: What people call it.
        curve: Its values on float64 points.

    Example:
        >>> from axonlight.discovery.known_functions import known_functions
        >>> relu = next(known for known in known_functions() if known.name == "ReLU")
        >>> relu.title, relu.curve(np.array([-1.0, 2.0])).tolist()
        ('the rectified linear unit', [0.0, 2.0])
    """

    name: str
    title: str
    curve: Callable[[np.ndarray], np.ndarray]


@cache
def known_functions() -> tuple[KnownFunction, ...]:
    """Return the elementwise activations that can be built without arguments, then the elementary functions.

    Not among them: gated activations such as ASH, which are no functions of one number; flexible curves; and
    those that need arguments.

    Example:
        >>> from axonlight.discovery.known_functions import known_functions
        >>> {"GELU", "GrowingCosine", "Snake", "sin(x)"} <= {known.name for known in known_functions()}
        True
    """
    names = sorted(
        set(activation_names()) - _FLEXIBLE, key=lambda name: (-_FIRST.index(name) if name in _FIRST else 1, name)
    )
    ours = (__package__ or "").partition(".")[0]
    found: list[tuple[str, nn.Module]] = []
    for name in names:
        kind = find_activation(name)
        if kind.__module__.partition(".")[0] in (ours, "torch") and not getattr(kind, "gated", False):
            with contextlib.suppress(TypeError):  # it needs arguments
                found.append((name, kind()))
    modules = [(name, module.double().eval()) for name, module in found if _is_elementwise(module)]
    known = [KnownFunction(name, _TITLES.get(name, name), _curve(module)) for name, module in modules]
    return (*known, *(KnownFunction(text, title, _curve(Formula(text))) for text, title in _ELEMENTARY.items()))


def _curve(module: nn.Module) -> Callable[[np.ndarray], np.ndarray]:
    def curve(points: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            row = torch.as_tensor(np.ascontiguousarray(points), dtype=torch.float64).reshape(1, -1)
            return module(row).reshape(points.shape).numpy()

    return curve


def _is_elementwise(module: nn.Module) -> bool:
    """Tell whether an entry of the output depends on its own input alone, and on no random number."""
    points = torch.linspace(-3, 3, 64)[None]
    try:
        # some of torch's choose a dimension themselves, and warn
        with torch.no_grad(), warnings.catch_warnings(action="ignore"):
            module.eval()
            whole, part = module(points), module(points[:, :7])
    except (RuntimeError, ValueError):
        return False
    return whole.shape == points.shape and torch.allclose(whole[:, :7], part)
