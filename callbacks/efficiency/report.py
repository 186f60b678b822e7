"""The report of efficiency: a sentence, a table, JSON."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .comparing import EqualScore, efficiency_score
from .measuring import NetworkCost
from .rows import Floor

__all__ = ["Efficiency"]


@dataclass(frozen=True)
class Efficiency:
    """What a network costs and what its score is worth.

    Example:
        >>> import torch
        >>> from axonlight.callbacks.efficiency import measure_network
        >>> cost = measure_network(torch.nn.Linear(54, 1), [torch.zeros(8, 54)], repeats=1)
        >>> print(Efficiency(cost, "test/auroc", 0.8, None, None).sentence())
        Linear: 55 parameters, test/auroc 0.8000, E = 0.460.
    """

    cost: NetworkCost
    metric: str
    score: float
    floor: Floor | None
    equal: EqualScore | None

    @property
    def efficiency(self) -> float:
        """The published E of the network."""
        return efficiency_score(self.score, self.cost.parameters)

    def sentence(self) -> str:
        """Say what was found, in one line."""
        parts = [f"{self.cost.network}: {self.cost.parameters:,} parameters, {self.metric} {self.score:.4f}, "]
        parts.append(f"E = {self.efficiency:.3f}")
        if self.floor is not None:
            verdict = "less than" if self.efficiency < self.floor.efficiency else "no less than"
            parts.append(
                f", {verdict} the {self.floor.efficiency:.3f} of {self.floor.name} on the same rows "
                f"({self.floor.parameters:,} parameters, {self.floor.score:.4f}): E rewards any small model"
            )
        if self.equal is not None:
            parts.append(f"; the other runs reach this score with {self.equal.text}")
        return "".join(parts) + "."

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data; what is not finite as text."""
        return _plain(
            {
                **asdict(self.cost),
                "metric": self.metric,
                "score": self.score,
                "efficiency": self.efficiency,
                "floor": None if self.floor is None else {**asdict(self.floor), "efficiency": self.floor.efficiency},
                "equal_score": None if self.equal is None else {**asdict(self.equal), "text": self.equal.text},
            }
        )

    def table(self) -> str:
        """Return the table in Markdown."""
        cost = self.cost
        lines = [
            ("parameters", f"{cost.parameters:,} ({cost.trainable:,} trained)"),
            ("operations of a forward pass, per row", f"{cost.flops_per_row:,.0f}"),
            *((f"latency, {_rows(latency.rows)}", latency.text) for latency in cost.latencies),
            (f"memory of a forward pass, {_rows(cost.latencies[-1].rows)}", _bytes(cost.inference_bytes)),
            ("the same with the backward pass", _bytes(cost.training_bytes) if cost.training_bytes else "-"),
            (self.metric, f"{self.score:.4f}"),
            ("E = score / log10(parameters)", f"{self.efficiency:.3f}"),
        ]
        if self.floor is not None:
            floor = self.floor
            lines.append((f"{floor.name} on the same rows", f"{floor.parameters:,} parameters, {floor.score:.4f}"))
            lines.append(("its E", f"{floor.efficiency:.3f}"))
        if self.equal is not None:
            lines.append(("other runs at equal score", self.equal.text))
        rows = "\n".join(f"| {name} | {value} |" for name, value in lines)
        return f"| {cost.network} | {cost.device} |\n|---|---|\n{rows}\n"

    def write(self, folder: str | Path, filename: str) -> Path:
        """Write both files; return the path of the table."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{filename}.md"
        path.write_text(f"# Efficiency\n\n{self.sentence()}\n\n{self.table()}")
        (folder / f"{filename}.json").write_text(json.dumps(self.to_dict(), indent=2) + "\n")
        return path


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count > 1)}"


def _bytes(count: float) -> str:
    return f"{count / 2**20:,.2f} MiB" if count >= 2**20 else f"{count / 2**10:,.1f} KiB"


def _plain(value: Any) -> Any:
    """Return what JSON can hold: it knows neither NaN nor infinity."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
