"""Find the short formula of a learned curve, and put formulas in the place of the curves of a network.

Legend of shapes: U units, K curves (one per layer, unit or group), N points.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ...activations import PWLU, Activation, RationalActivation, is_activation
from ...errors import InputError
from ..novelty import known_as
from .choosing import Choice, choose
from .constants import Price
from .formulas import formula_module
from .measuring import Curves, measure
from .result import KeptCurve, SnappedCurve, SnapReport
from .seen import LearnedCurves, curve_of_unit, evaluate, even_curve, learned_curves, seen_inputs
from .shapes import ShapeLibrary, default_library
from .writing import NAMES, with_names, with_numbers

__all__ = ["snap_activations", "snap_curve"]

_FLEXIBLE = (RationalActivation, PWLU)
Library = ShapeLibrary | Sequence[str] | None
Kept = Literal["needed", "all"]


@dataclass(frozen=True)
class _Settings:
    library: ShapeLibrary
    price: Price
    constants: Kept
    per: Literal["layer", "curve"]
    coverage: float


def snap_curve(
    function: Callable[[Tensor], Tensor],
    interval: tuple[float, float],
    library: Library = None,
    *,
    constants: Kept = "needed",
    gain: float = 1.2,
    resolution: float = 1e-3,
    tolerance: float = 0.05,
) -> SnappedCurve:
    """Find the short formula of a function, every point of an interval being equally important.

    Args:
        function: Maps a float64 tensor to one of the same shape, elementwise.
        interval: Its ends.
        library: Formulas to choose from; None takes all of `default_library()`.
        constants: See `snap_activations`.
        gain: See `snap_activations`.
        resolution: See `snap_activations`.
        tolerance: See `snap_activations`.

    Raises:
        InputError: If the interval is empty, the function is not finite on it or constant, or an option is out of
            range.

    Example:
        >>> import torch
        >>> from axonlight.discovery.snapping import snap_curve
        >>> snapped = snap_curve(lambda x: 2 * torch.tanh(0.5 * x) + 1, (-3, 3), ["x", "x*x", "sigmoid(x)", "tanh(x)"])
        >>> snapped.readable, snapped.length
        ('4 * sigmoid(x) - 1', 6)
    """
    low, high = interval
    if not low < high:
        raise InputError(f"interval is {interval}; its first end must be smaller than its second")
    settings = _settings(library, Price(gain, resolution, tolerance), constants, "layer", 1.0)
    curves = even_curve(function, low, high)
    if not np.isfinite(curves.y).all():
        raise InputError(f"the function is not finite everywhere on {interval}; a curve that is snapped must be")
    if curves.flat.any():
        raise InputError(f"the function is constant on {interval}; a formula needs a curve")

    def learned(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return function(torch.from_numpy(x)).numpy()

    return _snapped(choose(curves, settings.library, settings.price, constants), learned, curves, "", ())


def snap_activations(
    model: nn.Module,
    batches: Iterable[Any],
    library: Library = None,
    *,
    match: str | Sequence[str] = "*",
    per: Literal["layer", "curve"] = "layer",
    constants: Kept = "needed",
    gain: float = 1.2,
    resolution: float = 1e-3,
    tolerance: float = 0.05,
    coverage: float = 0.998,
    max_rows: int = 4096,
) -> SnapReport:
    """Exchange the learned curves of a network for the short formulas that come nearest to them, in place.

    Curves are those of `RationalActivation` and `PWLU`: one per layer, unit or group. Each is compared with
    c*f(a*x + b) + d for every formula f of the library, at the inputs that it gets on the given rows. What is chosen
    costs least: one for every node, one more for every function inside another and for every constant that is not
    round, and one for every factor `gain` in the error, down to `resolution`; errors above `tolerance` cost far more.

    Args:
        model: A network or task; changed in place.
        batches: Training rows: tensors, or tuples that begin with the input, such as a training loader.
        library: Formulas of x, or a `ShapeLibrary`; None takes all of `default_library()`.
        match: Glob, or several, on module paths.
        per: "layer": the curves of a layer share a formula, with constants of their own; "curve": each has its own.
        constants: Keep the "needed" ones of a, b, c, d as trainable constants of the formula, or "all".
        gain: How many times smaller a further node must make the error.
        resolution: Error, as a share of the curve's spread, below which smaller is no better.
        tolerance: Error above which even a node that takes a twentieth of the error away is worth it.
        coverage: Share of the inputs of a curve that lie in its interval, the rest being cut off on both sides.
        max_rows: Rows that are looked at.

    Returns:
        The report; `report.specs` builds the same network anew.

    Raises:
        InputError: If an option is out of range, no curve is found, or a batch is no input.

    Source: learned curves to formulas as in KAN (Liu et al., arXiv 2404.19756), here over a complete library.

    Example:
        >>> import torch
        >>> from axonlight.activations import RationalActivation
        >>> from axonlight.discovery.snapping import snap_activations
        >>> network = torch.nn.Sequential(torch.nn.Linear(4, 8), RationalActivation("silu"), torch.nn.Linear(8, 1))
        >>> report = snap_activations(network, [torch.randn(512, 4)], ["x", "relu(x)", "x*sigmoid(x)"])
        >>> report.snapped[0].readable, network[1].text
        ('x * sigmoid(x)', 'x * sigmoid(x)')
    """
    settings = _settings(library, Price(gain, resolution, tolerance), constants, per, coverage)
    modules, kept = _flexible(model, [match] if isinstance(match, str) else list(match))
    inputs = seen_inputs(model, batches, modules, max_rows)
    snapped: list[SnappedCurve] = []
    for path, module in modules.items():
        found, why = _find(path, module, inputs.get(path), settings)
        if why:
            kept.append(KeptCurve(path, type(module).__name__, why))
            continue
        parent, _, name = path.rpartition(".")
        of_unit = curve_of_unit(module, inputs[path].shape[1])
        setattr(model.get_submodule(parent), name, formula_module(module, found, of_unit.tolist()))
        snapped += found
    return SnapReport(snapped, kept, len(settings.library), gain, resolution)


def _settings(library: Library, price: Price, constants: Kept, per: Any, coverage: float) -> _Settings:
    for name, value, allowed in (("constants", constants, ("needed", "all")), ("per", per, ("layer", "curve"))):
        if value not in allowed:
            raise InputError(f"{name} is {value!r}; it must be '{allowed[0]}' or '{allowed[1]}'")
    if not price.gain > 1:
        raise InputError(f"gain is {price.gain}; it must be larger than 1")
    for name, share in (("resolution", price.resolution), ("tolerance", price.tolerance)):
        if not 0 < share < 1:
            raise InputError(f"{name} is {share}; it must lie between 0 and 1")
    if not 0 < coverage <= 1:
        raise InputError(f"coverage is {coverage}; it must lie in (0, 1]")
    if library is None:
        shapes = default_library()
    else:
        shapes = library if isinstance(library, ShapeLibrary) else ShapeLibrary(library)
    return _Settings(shapes, price, constants, per, coverage)


def _flexible(model: nn.Module, patterns: list[str]) -> tuple[dict[str, Activation], list[KeptCurve]]:
    """Return the learned curves by path, and the other activations with the reason why they stay."""
    modules: dict[str, Activation] = {}
    kept = []
    for path, module in model.named_modules():
        if isinstance(module, _FLEXIBLE) and path and any(fnmatchcase(path, pattern) for pattern in patterns):
            modules[path] = module
        elif is_activation(module):
            flexible = isinstance(module, _FLEXIBLE)
            why = f"its path does not match {' or '.join(patterns)}" if flexible else "it has no learned curve"
            kept.append(KeptCurve(path, type(module).__name__, why))
    if not modules:
        kinds = " or ".join(kind.__name__ for kind in _FLEXIBLE)
        raise InputError(f"the network has no learned curve at {' or '.join(patterns)}; train one with {kinds} first")
    return modules, kept


def _find(path: str, module: Activation, inputs: Tensor | None, settings: _Settings) -> tuple[list[SnappedCurve], str]:
    """Return the formulas of an activation, one for the layer or one per curve, or why there are none."""
    if inputs is None:
        return [], "nothing came by on these rows"
    curves, owner = learned_curves(module, inputs, settings.coverage), curve_of_unit(module, inputs.shape[1])
    if not np.isfinite(curves.y).all():
        return [], "its curve is not finite where its inputs lie"
    everything = np.arange(len(curves))
    parts = [everything] if settings.per == "layer" else list(everything[:, None])
    if any(curves.part(part).flat.all() for part in parts):
        return [], _constant(int(curves.flat.sum()), len(curves))
    names = module.group_names or tuple(range(len(curves)))
    found = []
    for part in parts:
        own = curves.part(part)
        choice = choose(own.part(~own.flat), settings.library, settings.price, settings.constants)
        labels = tuple(names[curve] for curve in part) if len(curves) > 1 else ()
        learned = _reader(module, part, len(curves), owner)
        found.append(_snapped(choice.extended(own.flat), learned, own, path, labels))
    return found, ""


def _constant(count: int, curves: int) -> str:
    if curves == 1:
        return "its curve is constant where its inputs lie"
    return f"{count} of its {curves} curves are constant where their inputs lie"


def _reader(module: Activation, part: np.ndarray, count: int, owner: np.ndarray) -> Curves:
    """Return what evaluates some of the curves of an activation."""

    def learned(x: np.ndarray) -> np.ndarray:
        wide = np.zeros((count, x.shape[1]))
        wide[part] = x
        return evaluate(module, wide, owner)[part]

    return learned


def _snapped(choice: Choice, learned: Curves, curves: LearnedCurves, path: str, units: tuple[Any, ...]) -> SnappedCurve:
    constants, needed = choice.fit.constants, choice.fit.needed
    errors = measure(choice.shape.function, learned, curves, constants)
    readable = with_numbers(choice.shape.formula, constants[0], needed)
    values = {NAMES[index]: constants[:, index].tolist() for index in needed}
    return SnappedCurve(
        path,
        units,
        with_names(choice.shape.formula, needed),
        {name: value[0] if len(value) == 1 else value for name, value in values.items()},
        choice.shape.formula,
        readable,
        known_as(readable),
        choice.length,
        choice.fit.error,
        errors.seen,
        errors.largest,
        errors.between,
        (float(curves.x.min()), float(curves.x.max())),
        curves.coverage,
        choice.front,
        curves,
    )
