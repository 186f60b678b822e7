"""The protocol of a run: which stimuli act, as plain data with a hash that a checkpoint can hold."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

from torch import nn

from ...errors import InputError
from .binding import BoundStimulus, bind
from .parsing import build_stimuli, read_protocol, refuse_unknown
from .stimulus import Stimulus

__all__ = ["Protocol"]

_VERSION = 1


@dataclass(frozen=True)
class Protocol:
    """Stimuli in order, and the seed of everything random about them.

    Stimuli at one site act in the order of their opsins' ranks, then in that of the protocol.

    Args:
        stimuli: The stimuli.
        seed: Seed of random shares of units, noise, random light.
        version: Version of the meaning of protocols; part of the hash.

    Raises:
        InputError: If there is no stimulus, two have one name, or seed or version cannot be used.

    Example:
        >>> protocol = Protocol.build([{"target": {"site": "hidden_0.post", "units": [0, 3]}, "opsin": "silence"}])
        >>> protocol == Protocol.build(protocol.to_dict()), len(protocol.hash)
        (True, 16)
    """

    stimuli: tuple[Stimulus, ...]
    seed: int = 0
    version: int = _VERSION

    def __post_init__(self) -> None:
        object.__setattr__(self, "stimuli", build_stimuli(list(self.stimuli)))
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise InputError(f"seed is {self.seed!r}; it must be a whole number of at least 0")
        if self.version != _VERSION:
            raise InputError(f"version is {self.version!r}; this package understands protocols of version {_VERSION}")

    @classmethod
    def build(cls, value: Union[str, Path, Sequence[Any], Mapping[str, Any], "Protocol"]) -> "Protocol":
        """Return the protocol that a value states.

        Args:
            value: Path of a YAML file, name of a shipped protocol, YAML text, a list of stimuli, a mapping with the
                keys "stimuli", "seed" and "version", or a protocol.

        Raises:
            InputError: If it cannot be read; one sentence that says which stimulus and which key.

        Example:
            >>> Protocol.build([{"target": "hidden_0.post", "opsin": "silense"}])
            Traceback (most recent call last):
                ...
            axonlight.errors.InputError: stimulus 1 (silense at hidden_0.post): ...
        """
        if isinstance(value, Protocol):
            return value
        content = read_protocol(value) if isinstance(value, (str, Path)) else value
        if not isinstance(content, Mapping):
            return cls(build_stimuli(content))
        refuse_unknown(content, ("stimuli", "seed", "version"), "the protocol")
        optional = {key: content[key] for key in ("seed", "version") if content.get(key) is not None}
        return cls(build_stimuli(content.get("stimuli")), **optional)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data: numbers, text, lists and mappings."""
        stimuli = [stimulus.to_dict() for stimulus in self.stimuli]
        return json.loads(json.dumps({"version": self.version, "seed": self.seed, "stimuli": stimuli}))

    @property
    def hash(self) -> str:
        """16 hexadecimal digits that tell its content, however it was written."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def bind(self, network: nn.Module) -> tuple[BoundStimulus, ...]:
        """Return what acts at which site of a network: by site in the network's order, then in the order of action.

        Raises:
            InputError: If a pattern matches no site; the message says which stimulus.
        """
        return bind(self.stimuli, network, self.seed)
