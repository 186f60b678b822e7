"""What snapping found: for every curve the formula, how far it is off, and what else came near."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from ...activations import Formula
from ...errors import InputError
from ...plots import SnappedPanel
from .seen import LearnedCurves
from .writing import shortened

__all__ = ["KeptCurve", "NearFormula", "SnapReport", "SnappedCurve"]


@dataclass(frozen=True)
class NearFormula:
    """A formula on the front of length and error: no shorter one is nearer.

    Attributes:
        text: With numbers.
        length: Nodes, and one more for every function inside another, and for every constant that is not round.
        error: Weighted root mean square error, as a share of the curve's spread.

    Example:
        >>> NearFormula("x * sigmoid(x)", 4, 1e-3).length
        4
    """

    text: str
    length: int
    error: float


@dataclass(frozen=True)
class SnappedCurve:
    """One formula in place of the curve of a layer, a unit or a group, or of several of them.

    Attributes:
        path: Path of the activation in the network.
        units: Labels of the units or groups that share the formula; empty for the one curve of a layer.
        text: The formula with named constants.
        constants: Values of the constants: one, or one per unit.
        shape: The formula of the library that it is an affine map of.
        readable: The formula with numbers; of several curves, of the first.
        known_as: Name of the function if it is a known activation or a relative of one, else None.
        length: Nodes, and one more for every function inside another, and for every constant that is not round.
        error: Weighted root mean square error over the interval, as a share of the curve's spread; the weight of a
            point is how often an input lies near it, and a fiftieth is spread evenly.
        seen_error: Root mean square error over the inputs that were seen, those outside the interval included.
        max_error: Largest error at the 4,001 equally spaced points of the interval.
        between: Most by which the error changes from one of these points to the next: if it changes nowhere faster, it
            exceeds `max_error` nowhere by more than half of that.
        interval: The smallest interval that holds the intervals of all curves.
        coverage: Share of the seen inputs that lie in the interval.
        front: Formulas from short and coarse to long and near.
        curves: The learned curves, for figures.

    Example:
        >>> import torch
        >>> from axonlight.discovery.snapping import snap_curve
        >>> snapped = snap_curve(torch.nn.functional.silu, (-4, 4), library=["x", "tanh(x)", "x*sigmoid(x)"])
        >>> snapped.text, snapped.constants, snapped.max_error < 1e-12
        ('x * sigmoid(x)', {}, True)
    """

    path: str
    units: tuple[Any, ...]
    text: str
    constants: Mapping[str, float | list[float]]
    shape: str
    readable: str
    known_as: str | None
    length: int
    error: float
    seen_error: float
    max_error: float
    between: float
    interval: tuple[float, float]
    coverage: float
    front: Sequence[NearFormula] = ()
    curves: LearnedCurves | None = field(default=None, repr=False, compare=False)

    @property
    def spec(self) -> dict[str, Any]:
        """The formula as an activation spec."""
        return {"formula": self.text, "constants": dict(self.constants)}

    def panel(self) -> SnappedPanel:
        """Return what `plots.draw_snapped_curves` draws of it."""
        if self.curves is None:
            raise InputError(f"the curves of {self.path or 'this function'} were left out; keep the report itself")
        title = f"{self.path}: {shortened(self.readable)}".removeprefix(": ")
        return SnappedPanel(title, self.curves.x, self.curves.y, self._values(), self.curves.weight)

    def _values(self) -> np.ndarray:
        """Return the values of the formula at the points of every curve, (K, N)."""
        assert self.curves is not None  # noqa: S101
        x = torch.from_numpy(self.curves.x.T.copy())
        formula = Formula(self.text, self.constants, num_parameters=max(1, len(self.units))).double()
        with torch.no_grad():
            return formula.curve(x).numpy().T

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, without the learned curves."""
        known = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("front", "curves")}
        return {**known, "constants": dict(self.constants), "front": [asdict(near) for near in self.front]}


@dataclass(frozen=True)
class KeptCurve:
    """An activation that stayed as it was, and why.

    Example:
        >>> KeptCurve("layers.2", "ReLU", "it has no curve that is learned").why
        'it has no curve that is learned'
    """

    path: str
    kind: str
    why: str


@dataclass(frozen=True)
class SnapReport:
    """What `snap_activations` did; printing it gives a table.

    Attributes:
        snapped: The formulas, in the order of the network.
        kept: Activations that were left alone.
        library_size: Number of formulas that were compared.
        gain: How many times smaller a further node had to make the error.
        resolution: Error, as a share of the curve's spread, below which smaller was no better.

    Example:
        >>> print(SnapReport([], [KeptCurve("layers.2", "ReLU", "it has no curve that is learned")], 100, 2.0, 1e-3))
        snapped 0, kept 1; library of 100 formulas
        layers.2  kept ReLU: it has no curve that is learned
    """

    snapped: Sequence[SnappedCurve]
    kept: Sequence[KeptCurve]
    library_size: int
    gain: float
    resolution: float

    @property
    def specs(self) -> list[dict[str, Any]]:
        """One spec per snapped layer, for a network that is built with the formulas.

        Raises:
            InputError: If a layer has several formulas, or constants that differ between its units.
        """
        paths = [curve.path for curve in self.snapped]
        for curve in self.snapped:
            if paths.count(curve.path) > 1 or any(isinstance(value, list) for value in curve.constants.values()):
                raise InputError(
                    f"the curves of {curve.path} differ between its units, which one spec cannot say; snap curves that "
                    "are shared by the units of a layer"
                )
        return [curve.spec for curve in self.snapped]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, without the learned curves."""
        return {**asdict(self), "snapped": [curve.to_dict() for curve in self.snapped]}

    def __str__(self) -> str:
        head = f"snapped {len(self.snapped)}, kept {len(self.kept)}; library of {self.library_size:,} formulas"
        return "\n".join([head, *map(_line, self.snapped), *map(_kept_line, self.kept)])


def _line(curve: SnappedCurve) -> str:
    place = curve.path + (f"[{', '.join(map(str, curve.units))}]" if 0 < len(curve.units) <= 3 else "")
    many = f" ({len(curve.units)} curves)" if len(curve.units) > 3 else ""
    known = f", {curve.known_as}" if curve.known_as else ""
    low, high = curve.interval
    return (
        f"{place}{many}  {shortened(curve.readable)}{known}  error {curve.error:.2%} of the spread, "
        f"at most {curve.max_error:.3g} on [{low:.3g}, {high:.3g}]"
    )


def _kept_line(kept: KeptCurve) -> str:
    return f"{kept.path}  kept {kept.kind}: {kept.why}"
