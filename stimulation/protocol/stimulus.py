"""One line of a protocol: what light does where, when, what flows back, and what the optimizer does about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import InputError
from ..clock import PHASES, Phase
from ..gradient import GradientRule
from ..light import Light
from ..opsins import Opsin
from .target import Target

__all__ = ["OPTIMIZER_RULES", "OptimizerRule", "Stimulus"]

OptimizerRule = Literal["act", "freeze"]
OPTIMIZER_RULES: tuple[OptimizerRule, ...] = ("act", "freeze")


@dataclass(frozen=True)
class Stimulus:
    """What light does to a target.

    Args:
        name: Name in tables, records and messages, unique in its protocol.
        target: What is illuminated.
        opsin: What light does there.
        light: When it shines, and how strongly.
        gradient: What flows back through written entries; None takes the opsin's default.
        optimizer: Whether momentum and weight decay go on acting on parameters that the stimulus deprives of their
            gradient ("act"), or those parameters stay as they are ("freeze").
        phases: What batches it acts on: "train", "validate", "test", "predict".

    Raises:
        InputError: If the optimizer rule or a phase is unknown, no phase is given, or "freeze" is asked for without
            the phase "train".

    Example:
        >>> from axonlight.stimulation.light import build_light
        >>> from axonlight.stimulation.opsins import build_opsin
        >>> stimulus = Stimulus("off", Target("hidden_0.post"), build_opsin("silence"), build_light(None))
        >>> stimulus.gradient.kind, stimulus.phases
        ('block', ('train',))
    """

    name: str
    target: Target
    opsin: Opsin
    light: Light
    gradient: GradientRule | None = None
    optimizer: OptimizerRule = "act"
    phases: tuple[Phase, ...] = ("train",)

    def __post_init__(self) -> None:
        if self.gradient is None:
            object.__setattr__(self, "gradient", GradientRule(self.opsin.gradient))  # type: ignore[arg-type]
        if self.optimizer not in OPTIMIZER_RULES:
            raise InputError(f"optimizer is {self.optimizer!r}; it must be one of {', '.join(OPTIMIZER_RULES)}")
        object.__setattr__(self, "phases", _phases(self.phases))
        if self.optimizer == "freeze" and "train" not in self.phases:
            raise InputError(f"optimizer is 'freeze', but phases is {list(self.phases)}: no parameter is trained then")

    @property
    def rule(self) -> GradientRule:
        """The gradient rule, the opsin's default where none was given."""
        return self.gradient or GradientRule(self.opsin.gradient)  # type: ignore[arg-type]

    def line(self, number: int, site: str | None = None) -> str:
        """Return how messages name it: "stimulus 2 (silence at blocks.1.attention.v)".

        Args:
            number: Its number in the protocol, from 1.
            site: The site that a message is about; None for the target's patterns.
        """
        return f"stimulus {number} ({self.opsin.kind} at {site or ', '.join(self.target.site)})"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data; what is the default is left out."""
        optional = {
            "gradient": self.rule.to_dict() if self.rule != GradientRule(self.opsin.gradient) else None,  # type: ignore[arg-type]
            "optimizer": self.optimizer if self.optimizer != "act" else None,
            "phases": list(self.phases) if self.phases != ("train",) else None,
        }
        required = {
            "name": self.name,
            "target": self.target.to_dict(),
            "opsin": self.opsin.to_dict(),
            "light": self.light.to_dict(),
        }
        return required | {key: value for key, value in optional.items() if value is not None}


def _phases(value: Sequence[str] | str) -> tuple[Phase, ...]:
    given = (value,) if isinstance(value, str) else tuple(value)
    unknown = [phase for phase in given if phase not in PHASES]
    if unknown or not given:
        raise InputError(f"phases is {value!r}; it must be a list of {', '.join(PHASES)}")
    return tuple(phase for phase in PHASES if phase in given)
