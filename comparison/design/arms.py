"""Arms: the variants that a study compares."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ...errors import InputError
from ...structures.nulls.text import parse_null
from .checks import check_count, check_keys, check_mapping, nearest
from .controls import check_act_on, checked_controls, control_arm_name

__all__ = ["FLOORS", "SURVIVAL_FLOORS", "Arm"]

ArmKind = Literal["network", "null", "dense", "floor"]

# The simple models of `baselines`; "dense", the fourth floor of a study, is a dense control of the reference.
FLOORS = ("constant", "ridge", "random_forest")
# Those of survival: ridge Cox on what the network sees, and on the views that the data tell.
SURVIVAL_FLOORS = ("constant", "ridge", "rna", "pathway_means", "clinical", "rank_average")
DENSE = ("parameters", "nodes")
_KEYS = ("overrides", "null", "draws", "dense", "floor", "protocol", "act_on", "controls")
# What all arms share, so that their scores are paired.
_SHARED = ("folds", "repeats", "seeds", "seed")


@dataclass(frozen=True)
class Arm:
    """One variant of a study.

    Args:
        name: What tables and verdicts call it.
        overrides: Settings that differ from the base, dotted as on the command line.
        null: Null model whose draws take the place of the hierarchy: a name, or class_path and init_args.
        draws: Number of draws of the null model.
        dense: A dense network instead: with as many "parameters", or with the same "nodes" per layer.
        floor: A simple model instead: "constant", "ridge" or "random_forest"; of survival also "rna", "pathway_means",
            "clinical" or "rank_average".
        protocol: What stimulates the network: a file, the name of a shipped protocol, a list of stimuli or a mapping.
        act_on: Whether the protocol acts on its "target", or on the "rest": all other units of its sites.
        controls: Names of the controls that the arm brings, or a mapping of names to options; None: all that exist.
        is_floor: Whether it is only there to stand beside every result.
        control: Which control of another arm it is.
        control_of: The arm that it is a control of.

    Raises:
        InputError: If two of null, dense and floor are given, a floor is to be stimulated, or a value is not allowed.

    Example:
        >>> Arm.from_mapping("rewired", {"null": "DegreePreserving", "draws": 100}).kind
        'null'
        >>> Arm.from_mapping("rewired", {"nul": "DegreePreserving"})
        Traceback (most recent call last):
            ...
        axonlight.errors.InputError: arm 'rewired' has the unknown key 'nul'; did you mean 'null'?
    """

    name: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    null: str | Mapping[str, Any] | None = None
    draws: int | None = None
    dense: str | None = None
    floor: str | None = None
    protocol: Any = None
    act_on: str = "target"
    controls: Any = None
    is_floor: bool = False
    control: str | None = None
    control_of: str | None = None

    def __post_init__(self) -> None:
        where = f"arm '{self.name}'"
        kinds = [key for key in ("null", "dense", "floor") if getattr(self, key) is not None]
        if len(kinds) > 1:
            raise InputError(f"{where} has both {kinds[0]} and {kinds[1]}; make two arms of it")
        if self.draws is not None and self.null is None:
            raise InputError(f"{where} has draws, but no null model to draw from; add null or leave draws out")
        if self.draws is not None:
            check_count(f"{where}: draws", self.draws)
        for key, known in (("dense", DENSE), ("floor", tuple(dict.fromkeys((*FLOORS, *SURVIVAL_FLOORS))))):
            value = getattr(self, key)
            if value is not None and value not in known:
                raise InputError(f"{where}: {key} is {value!r}{nearest(str(value), known)}")
        if self.floor and self.overrides:
            raise InputError(
                f"{where} is the floor {self.floor} and has overrides, which only networks take; leave them out"
            )
        self._check_stimulation(where)

    def _check_stimulation(self, where: str) -> None:
        check_act_on(where, self.act_on)
        if self.protocol is None:
            for key, default in (("act_on", "target"), ("controls", None)):
                if getattr(self, key) != default:
                    raise InputError(f"{where} has {key}, but no protocol to stimulate by; add one or leave it out")
            return
        if self.floor is not None:
            raise InputError(f"{where} is the floor {self.floor} and has a protocol, which only networks take")
        draws = checked_controls(where, self.controls).get("random_units", {}).get("draws", 1)
        if draws > 1 and self.null is not None:
            raise InputError(
                f"{where}: controls.random_units.draws is {draws}, but the arm is drawn from a null model already; "
                "leave it out: every draw of the null model has its control"
            )

    @classmethod
    def from_mapping(cls, name: str, given: Any) -> "Arm":
        """Return the arm that a study file describes.

        Raises:
            InputError: If a key is unknown, or belongs to the whole study.
        """
        values = check_mapping(f"arm '{name}'", given)
        for key in _SHARED:
            if key in values:
                raise InputError(
                    f"arm '{name}' has {key} of its own, so its scores would not be paired with those of the other "
                    f"arms; set {key} for the whole study"
                )
        check_keys(f"arm '{name}'", values, _KEYS)
        overrides = check_mapping(f"arm '{name}': overrides", values.get("overrides"))
        null = values.get("null")
        if isinstance(null, str):  # with arguments, as `inspect nulls` takes it
            try:
                null = parse_null(null)
            except InputError as error:
                raise InputError(f"arm '{name}': {error}") from error
        return cls(name, **{**values, "overrides": overrides, "null": null})

    @property
    def kind(self) -> ArmKind:
        """What is trained or fitted."""
        if self.floor is not None:
            return "floor"
        if self.dense is not None:
            return "dense"
        return "network" if self.null is None else "null"

    @property
    def num_draws(self) -> int:
        """Draws of the null model, or of random units; 1 where the file does not say, 0 without either."""
        if self.null is None:
            return self.asked_controls["random_units"].get("draws", 0) if self.control == "random_units" else 0
        return self.draws or 1

    @property
    def asked_controls(self) -> dict[str, dict[str, int]]:
        """The controls that the arm brings where they exist, and what is said about each."""
        return {} if self.protocol is None else checked_controls(f"arm '{self.name}'", self.controls)

    def control_arms(self) -> list["Arm"]:
        """Return one arm for every control; which of them exist, only the network can tell.

        Example:
            >>> arm = Arm("silenced", protocol=[{"target": "hidden_0.post", "opsin": "silence"}], controls=["sham"])
            >>> [control.name for control in arm.control_arms()]
            ['silenced / sham']
        """
        if self.control is not None:
            return []
        return [
            replace(self, name=control_arm_name(self.name, name), control=name, control_of=self.name)
            for name in self.asked_controls
        ]

    def describe(self) -> dict[str, Any]:
        """Return the arm as plain data."""
        found = {key: getattr(self, key) for key in (*_KEYS, "is_floor", "control", "control_of")}
        protocol = self.protocol.to_dict() if hasattr(self.protocol, "to_dict") else self.protocol
        return {**found, "overrides": dict(self.overrides), "protocol": protocol, "kind": self.kind}
