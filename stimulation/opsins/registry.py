"""Opsins by the names that protocols give them."""

import difflib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from ...errors import InputError
from ..kinetics import Kinetics
from ..light.checks import check_keys
from .base import Opsin
from .noise import Noise, Resample
from .patterns import Forbid, Induction, Match, OnlyLabels, PreviousToken
from .sources import Copy, CopyScores, Patch
from .subspace import Steer, Subspace
from .values import Clamp, Drive, Lesion, Sham, Shunt, Silence

__all__ = ["OPSINS", "build_opsin"]

OPSINS: dict[str, type[Opsin]] = {
    opsin.kind: opsin
    for opsin in (
        Clamp,
        Copy,
        CopyScores,
        Drive,
        Forbid,
        Induction,
        Lesion,
        Match,
        Noise,
        OnlyLabels,
        Patch,
        PreviousToken,
        Resample,
        Sham,
        Shunt,
        Silence,
        Steer,
        Subspace,
    )
}

# Words of other tools and of the literature, and what is called so here.
SYNONYMS = {
    "ablate": "silence",
    "zero": "silence",
    "add": "drive",
    "steering": "steer",
    "scale": "shunt",
    "gain": "shunt",
    "temperature": "shunt (gain 1 / temperature, at scores)",
    "interchange": "patch",
    "graft": "patch (source: {checkpoint: PATH})",
    "freeze": "clamp",
    "project": "subspace",
}


def build_opsin(value: "str | Mapping[str, Any] | Opsin") -> Opsin:
    """Return the opsin that a name, or a mapping with the key ``kind`` and values, states.

    Args:
        value: "silence", ``{"kind": "drive", "amount": 2.0}``; with the key ``kinetics`` (see `Kinetics`) where the
            opsin does not follow the light at once.

    Raises:
        InputError: If the kind is unknown (the message has the nearest), a value is unknown, missing or not allowed.

    Example:
        >>> build_opsin("silence")
        Silence(kinetics=None)
        >>> build_opsin({"kind": "drive", "amount": 2.0, "unit": "sigma"}).to_dict()
        {'kind': 'drive', 'amount': 2, 'unit': 'sigma'}
        >>> build_opsin("silense")
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: opsin 'silense' is unknown; the nearest are silence
    """
    if isinstance(value, Opsin):
        return value
    given = {"kind": value} if isinstance(value, str) else value
    if not isinstance(given, Mapping) or not isinstance(given.get("kind"), str):
        raise InputError(f"opsin is {value!r}; it must be a name or a mapping with the key kind")
    kind = given["kind"]
    if kind not in OPSINS:
        raise InputError(f"opsin {kind!r} is unknown; {_nearest(kind)}")
    return _build(OPSINS[kind], {str(key): item for key, item in given.items() if key != "kind"})


def _build(opsin: type[Opsin], given: Mapping[str, Any]) -> Opsin:
    names = {opsin.keys.get(item.name, item.name): item for item in fields(opsin)}
    check_keys(f"opsin {opsin.kind}", given, [key for key in names if key != "kinetics"] + ["kinetics"])
    for key, item in names.items():
        if item.default is MISSING and key not in given:
            raise InputError(f"opsin {opsin.kind} has no {key!r}; it needs it")
    values = {names[key].name: item for key, item in given.items()}
    if values.get("kinetics") is not None:
        values["kinetics"] = Kinetics.build(values["kinetics"])
    return opsin(**values)


def _nearest(kind: str) -> str:
    if kind in SYNONYMS:
        return f"here it is called {SYNONYMS[kind]}"
    near = difflib.get_close_matches(kind, OPSINS, n=3, cutoff=0.6)
    return f"the nearest are {', '.join(near)}" if near else f"the opsins are {', '.join(OPSINS)}"
