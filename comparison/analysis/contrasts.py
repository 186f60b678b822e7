"""Which arms are compared, and what a report calls it."""

from collections.abc import Mapping
from typing import Any

from ..design.factors import Factors
from ..design.fields import StudyFields
from .tables import Contrast

# Between the levels in the name of an arm that is a product of factors.
SEPARATOR = " / "

__all__ = ["contrasts_of", "floor_contrasts", "peers_of", "spoken"]


def spoken(arm: str) -> str:
    """Return the name of an arm as a sentence says it.

    Example:
        >>> spoken("degree_preserving")
        'degree preserving'
    """
    return arm.replace("_", " ")


def against(first: str, second: str) -> str:
    """Return what a comparison is called; what two arms of factors have in common is said once.

    Example:
        >>> against("real", "degree_preserving"), against("binn / ash / real", "binn / ash / rewired")
        ('real against degree preserving', 'binn / ash: real against rewired')
    """
    levels = [arm.split(SEPARATOR) for arm in (first, second)]
    if len(levels[0]) == len(levels[1]) > 1:
        pairs = list(zip(*levels, strict=True))
        common = [one for one, other in pairs if one == other]
        if common:
            first, second = (SEPARATOR.join(parts) for parts in zip(*(p for p in pairs if p[0] != p[1]), strict=True))
            return f"{spoken(SEPARATOR.join(common))}: {spoken(first)} against {spoken(second)}"
    return f"{spoken(first)} against {spoken(second)}"


def contrasts_of(study: StudyFields) -> tuple[Contrast, ...]:
    """Return the planned comparisons; those with a floor among them stay planned ones.

    Example:
        >>> arms = {"real": {}, "random": {"null": "ErdosRenyi", "draws": 20}}
        >>> [found.name for found in contrasts_of(StudyFields(base="demo.yaml", arms=arms))]
        ['real against random']
    """
    return tuple(_contrast(item) for item in study.contrasts)


def floor_contrasts(study: StudyFields) -> tuple[Contrast, ...]:
    """Return each reference against each floor."""
    floors = [arm.name for arm in study.all_arms if arm.is_floor or arm.kind == "floor"]
    return tuple(
        _against(reference, floor, "floors") for reference in study.references for floor in floors if floor != reference
    )


def peers_of(study: StudyFields, reference: str) -> list[str]:
    """Return the arms that differ from a reference by the factor alone that makes it one; all, without factors."""
    if isinstance(study.reference, Mapping):
        pairs = Factors.from_mapping(study.factors).pairs(study.reference)
        return [other for first, other in pairs if first == reference]
    return [arm.name for arm in study.all_arms if arm.name != reference]


def _against(first: str, second: str, family: str = "planned") -> Contrast:
    return Contrast(against(first, second), {first: 1.0, second: -1.0}, family)


def _contrast(item: Any) -> Contrast:
    if isinstance(item, Mapping):
        weights = {str(arm): float(weight) for arm, weight in item["weights"].items()}
        return Contrast(str(item.get("name") or _weighted(weights)), weights)
    first, second = item
    return _against(str(first), str(second))


def _weighted(weights: Mapping[str, float]) -> str:
    terms = [f"{'-' if weight < 0 else '+'} {_factor(weight)}{spoken(arm)}" for arm, weight in weights.items()]
    return " ".join(terms).removeprefix("+ ")


def _factor(weight: float) -> str:
    return "" if abs(weight) == 1 else f"{abs(weight):g} x "
