"""The protocol of a run: which stimuli act, as plain data with a hash that a checkpoint can hold."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from torch import nn

from ...errors import InputError
from ..clock import TimeUnit
from ..light.checks import check_keys
from .binding import BoundStimulus, bind, in_line
from .checks import check_stimuli
from .lab_table import lab_rows
from .parsing import build_stimuli, read_protocol
from .stimulus import Stimulus
from .tables import markdown, rich_table

if TYPE_CHECKING:
    from rich.table import Table

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
        check_keys("the protocol", content, ("stimuli", "seed", "version"))
        optional = {key: content[key] for key in ("seed", "version") if content.get(key) is not None}
        return cls(build_stimuli(content.get("stimuli")), **optional)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data: numbers, text, lists and mappings."""
        stimuli = [stimulus.to_dict() for stimulus in self.stimuli]
        return json.loads(json.dumps({"version": self.version, "seed": self.seed, "stimuli": stimuli}))

    @cached_property  # Lightning asks for it at every hook of a callback
    def hash(self) -> str:
        """16 hexadecimal digits that tell its content, however it was written."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def bind(self, network: nn.Module) -> tuple[BoundStimulus, ...]:
        """Return what acts at which site of a network: place by place, and at each in the order of action.

        Raises:
            InputError: If a pattern matches no site; the message says which stimulus.
        """
        return bind(self.stimuli, network, self.seed)

    def check(
        self,
        network: nn.Module,
        *,
        sizes: Mapping[str, Mapping[str, int]] | None = None,
        totals: Mapping[TimeUnit, float] | None = None,
        metrics: Collection[str] | None = None,
        batch: Collection[str] | None = None,
    ) -> tuple[BoundStimulus, ...]:
        """Refuse what cannot act as it is written, as far as that is known; called again when more is known.

        Args:
            network: The network that will be stimulated.
            sizes: Sizes of axes by the name of the site, from a first pass: positions, heads, units.
            totals: Length of the run by unit: ``{"steps": 1000, "epochs": 10}``.
            metrics: Names of all metrics that are logged.
            batch: Names of the tensors of a batch.

        Returns:
            What `bind` returns.

        Raises:
            InputError: If a site, unit, head, position or name does not exist; an opsin cannot act at a site; light
                never shines, or goes by what is not there; classes are needed in phase predict; two opsins of one rank
                set the same entries. The message begins with the line of the protocol.

        Example:
            >>> from axonlight.models import DenseNetwork
            >>> protocol = Protocol.build([{"target": {"site": "hidden_0.post", "units": [9]}, "opsin": "silence"}])
            >>> protocol.check(DenseNetwork(30, 1, hidden=[8]))
            Traceback (most recent call last):
                ...
            axonlight.errors.InputError: stimulus 1 (silence at hidden_0.post): units is [9]; the site has 8 units, ...
        """
        return check_stimuli(self.stimuli, network, self.seed, sizes=sizes, totals=totals, metrics=metrics, batch=batch)

    def with_light_until(self, step: int) -> "Protocol":
        """Return the protocol with all light out from a step on.

        Raises:
            InputError: If light would never shine before that step.

        Example:
            >>> protocol = Protocol.build([{"target": "hidden_0.post", "opsin": "silence"}])
            >>> protocol.with_light_until(100).stimuli[0].light.until
            100
        """
        stimuli = []
        for number, stimulus in enumerate(self.stimuli, 1):
            until = step if stimulus.light.until is None else min(step, stimulus.light.until)
            with in_line(stimulus.line(number)):
                stimuli.append(replace(stimulus, light=replace(stimulus.light, until=until)))
        return replace(self, stimuli=tuple(stimuli))

    def table(self, network: nn.Module | None = None) -> "Table":
        """Return the lab table for a terminal; with the sites and numbers of units of a network where one is given."""
        rows = lab_rows(self.stimuli, network, self.seed)
        return rich_table(rows, f"protocol {self.hash}, seed {self.seed}")

    def markdown(self, network: nn.Module | None = None) -> str:
        """Return the lab table in Markdown."""
        return markdown(lab_rows(self.stimuli, network, self.seed))

    def __str__(self) -> str:
        return f"protocol {self.hash}, seed {self.seed}\n{self.markdown()}"
