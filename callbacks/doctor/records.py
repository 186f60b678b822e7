"""What was found over a run, as tables, files and a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from ...plots import draw_activation_doctor
from .curves import History, value_labels
from .examination import Examination

__all__ = ["Records"]


class Records:
    """Everything that examinations found.

    Args:
        grid: Arguments of the curves, (N,).

    Attributes:
        rows: A row per examined step and activation.
        values: A row per examined step and trained value.
        curves: The curves of each activation.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> records = Records(torch.linspace(-1, 1, 3))
        >>> records.add(Examination(0, 0, {"relu": nn.ReLU()}, records.grid, 100))
        >>> records.curve_table()["value"].tolist()
        [0.0, 0.0, 1.0]
    """

    def __init__(self, grid: Tensor) -> None:
        self.grid = grid
        self.rows: list[dict[str, Any]] = []
        self.values: list[dict[str, Any]] = []
        self.curves: dict[str, History] = {}

    def add(self, examined: Examination) -> None:
        """Take up an examination that was read."""
        self.rows += examined.rows()
        for (name, of), values in examined.values.items():
            labels = value_labels(examined.activations[name], of, len(values))
            self.values += [
                {"step": examined.step, "activation": name, "value_of": of, "unit": label, "value": value}
                for label, value in zip(labels, values.tolist(), strict=True)
            ]
        for name, curve in {**examined.curves, **examined.responses()}.items():
            self.curves.setdefault(name, History()).add(examined.step, curve)

    def curve_table(self) -> pd.DataFrame:
        """Return the curves as rows of step, activation, unit, x and value."""
        frames = [
            pd.DataFrame({"step": step, "activation": name, "unit": unit, "x": self.grid.numpy(), "value": column})
            for name, history in self.curves.items()
            for step, curve in zip(history.steps, history.curves, strict=True)
            for unit, column in enumerate(curve.T.numpy())
        ]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def write(self, folder: str | Path, filename: str, left_out: Sequence[tuple[int, str]]) -> Path:
        """Write the tables and the picture; return the path of the main table."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        table = folder / f"{filename}.csv"
        rows, values, curves = pd.DataFrame(self.rows), pd.DataFrame(self.values), self.curve_table()
        rows.to_csv(table, index=False)
        if self.values:
            values.to_csv(folder / f"{filename}_values.csv", index=False)
        curves.to_parquet(folder / f"{filename}_curves.parquet", index=False)
        if left_out:
            pd.DataFrame(left_out, columns=["step", "reason"]).to_csv(folder / f"{filename}_left_out.csv", index=False)
        draw_activation_doctor(rows, values, curves, folder / f"{filename}.png")
        return table

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        curves = {name: vars(history) for name, history in self.curves.items()}
        return {"rows": list(self.rows), "values": list(self.values), "curves": curves}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take everything up again."""
        self.rows, self.values = list(state["rows"]), list(state["values"])
        self.curves = {
            name: History(**{**kept, "steps": list(kept["steps"])}) for name, kept in state["curves"].items()
        }
