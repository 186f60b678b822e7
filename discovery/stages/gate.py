"""The gate: finite, tame, with moments that a network can use, compiled."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...activations.formula import Formula
from ...comparison.runs.result import Result
from ...errors import InputError
from ..candidate import Candidate
from ..curve_evaluation import evaluate_formulas
from ..search_settings import GateSettings

__all__ = ["equal_after_normalisation", "gate_recipe", "gate_results", "kind_of_reason", "spec_of"]

# Normalised formulas whose values agree to so many digits at every point are one activation.
_DIGITS = 6
_POINTS = np.linspace(-6, 6, 97)


def spec_of(candidate: Candidate, normalize: bool) -> str:
    """Return the spec that networks take.

    Example:
        >>> spec_of(Candidate.from_text("x*cos(a*x)", engine="gplearn", constants={"a": 0.5}), normalize=True)
        'formula(x*cos(a*x), a=0.5, normalize=true)'
    """
    constants = [f"{name}={value!r}" for name, value in candidate.constants.items()]
    return f"formula({', '.join([candidate.formula, *constants, *(['normalize=true'] if normalize else [])])})"


def gate_recipe(candidate: Candidate, gate: GateSettings) -> dict[str, Any]:
    """Return all that decides what the gate says of a candidate."""
    limits = {"max_growth": gate.max_growth, "max_slope": gate.max_slope, "normalize": gate.normalize}
    return {"stage": "gate", "formula": candidate.formula, "constants": dict(candidate.constants), **limits}


def gate_results(recipes: Sequence[Mapping[str, Any]]) -> list[Result]:
    """Return moments and growth of every formula, or the first reason against it."""
    return [_gate(recipe) for recipe in recipes]


def _gate(recipe: Mapping[str, Any]) -> Result:
    try:
        formula = Formula(recipe["formula"], recipe["constants"], normalize=recipe["normalize"])
    except InputError as error:
        return Result.failure(error)
    gate = formula.gate(max_growth=recipe["max_growth"], max_slope=recipe["max_slope"])
    if not gate.passed:
        return Result.failure(gate.reasons[0])
    affine = [float(getattr(formula, name)) for name in ("output_shift", "output_scale") if recipe["normalize"]]
    found = {"mean": gate.mean, "second": gate.second, "slope": gate.slope, "growth": gate.growth}
    return Result(found | dict(zip(("shift", "scale"), affine, strict=False)))


def kind_of_reason(reason: str) -> str:
    """Return what a reason has in common with those of other formulas.

    Example:
        >>> kind_of_reason("not finite in float32 at x = 0"), kind_of_reason("grows like |x|^4.2, allowed is |x|^3")
        ('not finite in float32', 'grows like |x|^g')
    """
    if reason.startswith("grows like"):
        return "grows like |x|^g"
    if reason.startswith("its slope reaches"):
        return "its slope is too large"
    if reason.startswith("equal to"):
        return "equal to a shorter one"
    return reason.split(" at x = ", 1)[0].split(";", 1)[0]


def equal_after_normalisation(candidates: Sequence[Candidate]) -> list[int | None]:
    """Return for every candidate the place of an earlier one that is the same activation in a network, or None.

    Two normalised formulas are the same if one is the other, perhaps reflected or with its sign changed: weights before
    and after an activation are drawn from distributions that are symmetric around 0.

    Args:
        candidates: With their normalisation, shortest first.

    Example:
        >>> shift_scale = [(0.0, 1.0), (3.0, 0.5), (0.0, 1.0)]
        >>> formulas = ["x", "3 - 2*x", "x*x*x"]
        >>> equal_after_normalisation([
        ...     Candidate.from_text(text, engine="enumerate", normalization=affine)
        ...     for text, affine in zip(formulas, shift_scale)
        ... ])
        [None, 0, None]
    """
    plain = [place for place, candidate in enumerate(candidates) if not candidate.constants]
    values = evaluate_formulas([candidates[place].formula for place in plain], _POINTS) if plain else ()
    first: dict[bytes, int] = {}
    found: list[int | None] = [None] * len(candidates)
    for place, row in zip(plain, values, strict=True):
        shift, scale = candidates[place].normalization or (0.0, 1.0)
        keys = _keys((row - shift) * scale)
        earlier = next((first[key] for key in keys if key in first), None)
        if earlier is None:
            first[keys[0]] = place
        found[place] = earlier
    return found


def _keys(values: np.ndarray) -> list[bytes]:
    """Return what a curve, its mirror images and its negatives have in common with their equals."""
    size = max(1.0, float(np.abs(values).max()))
    forms = (values, -values, values[::-1], -values[::-1])
    # Adding 0.0 makes of -0.0 what equals it.
    return [(np.round(form / size, _DIGITS) + 0.0).tobytes() for form in forms]
