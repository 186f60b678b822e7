"""Claims that a study tests: units are necessary, are sufficient, are compensated for, or dissociate.

A claim adds no statistics. It names planned comparisons and the verdicts that they must have, so that whoever writes
the study says before it runs what would count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import InputError
from .arms import Arm
from .checks import check_keys, check_list, check_mapping, check_text, nearest
from .controls import control_arm_name

__all__ = ["CLAIMS", "Claim", "Part", "checked_claims"]

CLAIMS = ("necessity", "sufficiency", "compensation", "double_dissociation")


@dataclass(frozen=True)
class Part:
    """One comparison that a claim rests on.

    Attributes:
        first: First arm of the comparison.
        second: Second arm.
        expected: Verdicts on the first against the second that speak for the claim.
        metric: Name of the metric; None: the one that decides.
        is_control: Whether it tells the target from other units, and is left out where there is no such control.
    """

    first: str
    second: str
    expected: tuple[str, ...]
    metric: str | None = None
    is_control: bool = False


@dataclass(frozen=True)
class Claim:
    """What a study claims, and the comparisons that must speak for it.

    Attributes:
        kind: One of `CLAIMS`.
        subject: What it is about, as a sentence says it.
        parts: The comparisons; all of them must speak for it.

    Example:
        >>> arms = [Arm("intact"), Arm("silenced", protocol=[{"target": "a", "opsin": "silence"}], controls=[])]
        >>> claim = checked_claims([{"necessity": "silenced"}], arms, [["intact", "silenced"]])[0]
        >>> claim.parts[0].first, claim.parts[0].expected
        ('intact', ('better',))
    """

    kind: str
    subject: str
    parts: tuple[Part, ...]


def checked_claims(given: Any, arms: Sequence[Arm], pairs: Sequence[Sequence[str]]) -> list[Claim]:
    """Return the claims of a study file.

    Args:
        given: What stands in the file: a list of mappings with one claim each.
        arms: All arms.
        pairs: Reference and other arm.

    Raises:
        InputError: If a claim or an arm is unknown, or an arm cannot bear the claim.
    """
    known = {arm.name: arm for arm in arms}
    reference_of = {str(second): str(first) for first, second in pairs}
    found = []
    for item in check_list("claims", given, "[{necessity: silenced}]"):
        values = check_mapping("an entry of claims", item)
        check_keys("an entry of claims", values, CLAIMS)
        if len(values) != 1:
            raise InputError(f"claims holds {dict(values)}; an entry is one claim, such as {{necessity: silenced}}")
        kind, value = next(iter(values.items()))
        if kind == "double_dissociation":
            found.append(_dissociation(value, known))
        elif kind == "compensation":
            found.append(_compensation(value, known, reference_of))
        else:
            found.append(_of_arm(kind, value, known, reference_of))
    return found


def _of_arm(kind: str, value: Any, arms: Mapping[str, Arm], reference_of: Mapping[str, str]) -> Claim:
    name = _stimulated(f"claims: {kind}", value, arms, reference_of)
    falls = kind == "necessity"
    parts = [Part(reference_of[name], name, ("better",) if falls else ("equivalent", "worse"))]
    others = control_arm_name(name, "random_units")
    if others in arms:
        parts.append(Part(others, name, ("better",) if falls else ("worse",), is_control=True))
    return Claim(kind, name, tuple(parts))


def _compensation(value: Any, arms: Mapping[str, Arm], reference_of: Mapping[str, str]) -> Claim:
    where = "claims: compensation"
    values = check_mapping(where, value)
    check_keys(where, values, ("trained", "acute"))
    for key in ("trained", "acute"):
        if key not in values:
            raise InputError(f"{where} has no {key}; it is {{trained: ARM, acute: ARM}}")
    trained, acute = (_stimulated(f"{where}: {key}", values[key], arms, reference_of) for key in ("trained", "acute"))
    if trained == acute or reference_of[trained] != reference_of[acute]:
        raise InputError(f"{where} names '{trained}' and '{acute}'; it needs two arms with one reference")
    reference = reference_of[trained]
    parts = (
        Part(reference, acute, ("better",)),
        Part(trained, acute, ("better",)),
        Part(reference, trained, ("equivalent", "worse")),
    )
    return Claim("compensation", f"{acute} by {trained}", parts)


def _dissociation(value: Any, arms: Mapping[str, Arm]) -> Claim:
    items = check_list("claims: double_dissociation", value, "[{worse: ARM, than: ARM}, {worse: ARM, than: ARM}]")
    if len(items) != 2:
        raise InputError(
            f"claims: double_dissociation has {len(items)} entries; it needs two, each {{worse: ARM, than: ARM}}"
        )
    parts = []
    for item in items:
        where = "an entry of double_dissociation"
        values = check_mapping(where, item)
        check_keys(where, values, ("worse", "than", "metric"))
        for key in ("worse", "than"):
            if key not in values:
                raise InputError(f"{where} has no {key}; it is {{worse: ARM, than: ARM}}")
        metric = values.get("metric")
        worse, than = (_known(f"{where}: {key}", values[key], arms) for key in ("worse", "than"))
        if worse == than:
            raise InputError(f"{where} compares '{worse}' with itself; name two arms")
        parts.append(Part(than, worse, ("better",), None if metric is None else check_text(f"{where}: metric", metric)))
    if parts[0] == parts[1]:
        raise InputError("claims: double_dissociation has the same entry twice; a dissociation needs two readouts")
    return Claim("double_dissociation", f"{parts[0].second} and {parts[1].second}", tuple(parts))


def _stimulated(where: str, value: Any, arms: Mapping[str, Arm], reference_of: Mapping[str, str]) -> str:
    name = _known(where, value, arms)
    if arms[name].protocol is None or arms[name].control is not None:
        raise InputError(f"{where} names the arm '{name}', which nothing stimulates; give it a protocol")
    if name not in reference_of:
        raise InputError(f"{where} names the arm '{name}', which has no reference; name one that is no reference")
    return name


def _known(where: str, value: Any, arms: Mapping[str, Arm]) -> str:
    if str(value) not in arms:
        raise InputError(f"{where} names the unknown arm '{value}'{nearest(str(value), arms)}")
    return str(value)
