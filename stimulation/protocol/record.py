"""The photostimulation record: what was applied, where, to how many units, in which steps, and at what dose."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InputError
from ..clock import Phase
from .assignment import Assignment
from .ledger import Ledger
from .stimulus import Stimulus
from .tables import in_words, markdown, rich_table

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["PhotostimulationRecord"]

_VERSION = 1


@dataclass(frozen=True)
class _Field:
    """Where a stimulus acts, and on how much of it."""

    site: str
    units: int
    expression: float


class PhotostimulationRecord:
    """What every stimulus of a protocol did.

    The dose of a stimulus at a site is the sum over lit batches of the intensity (light times kinetics), times the
    summed expression of the units that it reaches; units are counted over heads and units, not over positions. Samples
    that a class or a random light leaves out are not taken off; which ones a random light reached is kept, see
    `lit_samples`.

    Args:
        stimuli: The stimuli of the protocol.
        hash: Hash of the protocol.

    Example:
        >>> from axonlight.stimulation.protocol import Protocol
        >>> protocol = Protocol.build([{"target": {"site": "hidden_0.post", "units": [0, 1, 2]}, "opsin": "silence"}])
        >>> record = PhotostimulationRecord(protocol.stimuli, protocol.hash)
        >>> record.place(0, "hidden_0.post", 3, 3.0)
        >>> for step in range(10, 14):
        ...     record.note(0, step, 0.5)
        >>> row = record.rows()[0]
        >>> row["steps"], row["pulses"], row["dose"]
        ('10-13', 1, 6.0)
    """

    def __init__(self, stimuli: Iterable[Stimulus], hash: str = "") -> None:  # noqa: A002
        self.hash = hash
        self._stimuli = [(stimulus.name, stimulus.opsin.to_dict()) for stimulus in stimuli]
        self._fields: dict[int, dict[str, _Field]] = {}
        self._ledgers: dict[tuple[int, str], Ledger] = {}
        self._assignments: dict[tuple[int, str], Assignment] = {}

    def place(self, number: int, site: str, units: int, expression: float) -> None:
        """State where a stimulus acts.

        Args:
            number: Number of the stimulus in the protocol, from 0.
            site: Name of the site.
            units: How many units it reaches there.
            expression: The sum of their expression.
        """
        self._fields.setdefault(number, {})[site] = _Field(site, units, expression)

    def note(self, number: int, step: int, intensity: float, phase: Phase = "train") -> None:
        """Note that a stimulus is lit in a batch; batches in the dark need no note.

        Args:
            number: Number of the stimulus in the protocol, from 0.
            step: Optimizer updates that were done when the batch began.
            intensity: A plain number, known without asking the device.
            phase: What the batch is for.
        """
        if intensity:
            self._ledgers.setdefault((number, phase), Ledger()).note(step, intensity)

    def assign(
        self, number: int, probability: float, seed: int, first_row: int, rows: int, phase: Phase = "train"
    ) -> None:
        """Note that a random light chose among the samples of a batch.

        Args:
            number: Number of the stimulus in the protocol, from 0.
            probability: Share of samples with light.
            seed: Seed of the draw.
            first_row: Number of the first sample of the batch, over all ranks.
            rows: Samples of the batch on all ranks.
            phase: What the batch is for.
        """
        self._assignments.setdefault((number, phase), Assignment(probability, seed)).note(first_row, rows)

    def lit_samples(self, number: int, phase: Phase = "train") -> np.ndarray:
        """Return the numbers of the samples that the random light of a stimulus reached, int64 in order.

        Samples are numbered as they came, over all ranks and epochs; outside training from the first one evaluated.

        Raises:
            InputError: If no random light of this stimulus shone in the phase.
        """
        if (number, phase) not in self._assignments:
            raise InputError(f"stimulus {number + 1} has no random light that shone in phase {phase}")
        return self._assignments[number, phase].lit_samples()

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per stimulus, site and phase, as plain data; a stimulus that never shone has one with 0."""
        rows = []
        for number, (name, opsin) in enumerate(self._stimuli):
            phases = [phase for known, phase in self._ledgers if known == number] or ["train"]
            for place in self._fields.get(number, {"": _Field("not reached", 0, 0.0)}).values():
                for phase in phases:
                    ledger = self._ledgers.get((number, phase), Ledger())
                    rows.append({"stimulus": name, "opsin": opsin, **_row(place, phase, ledger)})
        return rows

    def ledger(self, number: int, phase: Phase = "train") -> Ledger:
        """Return when a stimulus shone in a phase; a copy."""
        return Ledger.from_dict(self._ledgers.get((number, phase), Ledger()).to_dict())

    def table(self) -> "Table":
        """Return the record as a table for a terminal."""
        return rich_table(self._text_rows(), f"photostimulation record of protocol {self.hash}")

    def markdown(self) -> str:
        """Return the record as a table in Markdown."""
        return markdown(self._text_rows())

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain data: what a checkpoint and the JSON file hold."""
        return {
            "version": _VERSION,
            "protocol": self.hash,
            "stimuli": [
                {
                    "stimulus": name,
                    "opsin": opsin,
                    "sites": [asdict(place) for place in self._fields.get(number, {}).values()],
                    "phases": {
                        phase: ledger.to_dict() for (known, phase), ledger in self._ledgers.items() if known == number
                    },
                    "assignments": {
                        phase: found.to_dict() for (known, phase), found in self._assignments.items() if known == number
                    },
                }
                for number, (name, opsin) in enumerate(self._stimuli)
            ],
        }

    def load(self, values: Mapping[str, Any]) -> None:
        """Go on from what `to_dict` gave.

        Raises:
            InputError: If it is the record of other stimuli.
        """
        names = [row["stimulus"] for row in values["stimuli"]]
        known = [name for name, _ in self._stimuli]
        if names != known:
            raise InputError(f"the record is of the stimuli {', '.join(names)}; the protocol has {', '.join(known)}")
        for number, row in enumerate(values["stimuli"]):
            self._fields[number] = {place["site"]: _Field(**place) for place in row["sites"]}
            for phase, ledger in row["phases"].items():
                self._ledgers[number, phase] = Ledger.from_dict(ledger)
            for phase, assignment in row["assignments"].items():
                self._assignments[number, phase] = Assignment.from_dict(assignment)

    def save(self, folder: str | Path) -> list[Path]:
        """Write the record to a folder as ``photostimulation.json`` and, as a table, ``photostimulation.md``.

        Returns:
            The two paths.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / "photostimulation.json", folder / "photostimulation.md"]
        texts = [json.dumps(self.to_dict(), indent=1), f"Protocol {self.hash}\n\n{self.markdown()}"]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(f"{text}\n", encoding="utf-8")
        return paths

    def _text_rows(self) -> list[dict[str, str]]:
        return [{key: in_words(value) for key, value in row.items()} for row in self.rows()]


def _row(place: _Field, phase: str, ledger: Ledger) -> dict[str, Any]:
    trains = ledger.all_trains()
    steps = [str(train) for train in trains[:5]] + ([f"{len(trains) - 5:,} more"] if len(trains) > 5 else [])
    return {
        "site": place.site,
        "units": place.units,
        "phase": phase,
        "steps": "; ".join(steps) or "none",
        "pulses": ledger.pulses,
        "batches": ledger.batches,
        "peak": ledger.peak,
        "dose": ledger.exposure * place.expression,
    }
