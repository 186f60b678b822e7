"""The published table of "Neuro-Symbolic Activation Discovery", and ours beside it as Markdown."""

import datetime as dt
import importlib.metadata
import math
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from axonlight.comparison import estimate_mean

__all__ = ["Cell", "Run", "Scores", "conditions", "parameter_efficiency", "published_table", "seeds_table"]


@dataclass(frozen=True)
class Run:
    """One network or floor, scored on the test rows of one seed; the fields are the columns of the CSV file."""

    dataset: str
    size: str
    activation: str
    seed: int
    rows: str
    epochs: int
    axonlight: str
    torch: str
    parameters: int
    accuracy: float
    auroc: float
    fit_seconds: float


@dataclass(frozen=True)
class Cell:
    """Mean and population standard deviation over seeds."""

    mean: float
    deviation: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.deviation:.3f}"


@dataclass(frozen=True)
class Scores:
    """A row of the published table: its name, accuracy, area under the ROC curve, efficiency."""

    name: str
    accuracy: Cell
    auroc: Cell
    efficiency: float


def _scores(name: str, *numbers: float) -> Scores:
    return Scores(name, Cell(*numbers[0:2]), Cell(*numbers[2:4]), numbers[4])


# arXiv 2601.10740: final_efficiency_results.csv in the history of its repository, commit 7628816. The file has
# three digits. Two readings exist of the formula behind "Hybrid" on HIGGS and so behind every "Transfer": the
# text says x*cos(x), the published curve is cos(x)-cos(cos(x)). Both are held against the same row.
_FOREST_TRANSFER = _scores("Hybrid (Transfer)", 0.824, 0.003, 0.904, 0.001, 0.240)
_HIGGS_SPECIALIST = _scores("Hybrid (Specialist)", 0.707, 0.002, 0.777, 0.002, 0.215)
_SPAMBASE_TRANSFER = _scores("Hybrid (Transfer)", 0.832, 0.008, 0.898, 0.006, 0.238)
PUBLISHED: Mapping[tuple[str, str, str], Scores] = {
    ("spambase", "heavy", "relu"): _scores("Heavy ReLU", 0.931, 0.008, 0.978, 0.002, 0.217),
    ("spambase", "light", "relu"): _scores("Light ReLU", 0.919, 0.007, 0.961, 0.007, 0.254),
    ("spambase", "light", "gelu"): _scores("Light GELU", 0.920, 0.009, 0.961, 0.008, 0.254),
    ("spambase", "light", "silu"): _scores("Light SiLU", 0.918, 0.006, 0.959, 0.008, 0.254),
    ("spambase", "light", "formula(x*cos(x))"): _SPAMBASE_TRANSFER,
    ("spambase", "light", "formula(cos(x)-cos(cos(x)))"): _SPAMBASE_TRANSFER,
    ("spambase", "light", "formula(3*x+sin(x))"): _scores("Hybrid (Specialist)", 0.920, 0.003, 0.967, 0.004, 0.256),
    ("forest_cover", "heavy", "relu"): _scores("Heavy ReLU", 0.834, 0.003, 0.915, 0.001, 0.203),
    ("forest_cover", "light", "relu"): _scores("Light ReLU", 0.811, 0.004, 0.894, 0.002, 0.237),
    ("forest_cover", "light", "gelu"): _scores("Light GELU", 0.810, 0.005, 0.893, 0.002, 0.237),
    ("forest_cover", "light", "silu"): _scores("Light SiLU", 0.801, 0.003, 0.883, 0.002, 0.235),
    ("forest_cover", "light", "formula(x*cos(x))"): _FOREST_TRANSFER,
    ("forest_cover", "light", "formula(cos(x)-cos(cos(x)))"): _FOREST_TRANSFER,
    ("forest_cover", "light", "formula(2*x**2+x)"): _scores("Hybrid (Specialist)", 0.786, 0.002, 0.867, 0.001, 0.230),
    ("higgs", "heavy", "relu"): _scores("Heavy ReLU", 0.718, 0.000, 0.791, 0.000, 0.179),
    ("higgs", "light", "relu"): _scores("Light ReLU", 0.710, 0.002, 0.784, 0.002, 0.217),
    ("higgs", "light", "gelu"): _scores("Light GELU", 0.709, 0.001, 0.781, 0.002, 0.216),
    ("higgs", "light", "silu"): _scores("Light SiLU", 0.701, 0.001, 0.770, 0.002, 0.213),
    ("higgs", "light", "formula(x*cos(x))"): _HIGGS_SPECIALIST,
    ("higgs", "light", "formula(cos(x)-cos(cos(x)))"): _HIGGS_SPECIALIST,
}


def parameter_efficiency(auroc: float, parameters: int) -> float:
    """Return the published efficiency, AUC / log10(parameters); NaN for a model without parameters."""
    return auroc / math.log10(parameters) if parameters > 1 else math.nan


def conditions(runs: Sequence[Run], command: str) -> str:
    """Return the command, the date, the versions and the machine as Markdown."""
    packages = ("axonlight", "torch", "lightning", "scikit-learn")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    fits = [run.fit_seconds for run in runs if run.size != "floor"]
    machine = platform.machine().replace("_", "-")
    return (
        f"```\n{command}\n```\n\n{dt.date.today()}, {versions},\nPython {platform.python_version()}, "
        f"{os.cpu_count()}-core {machine} CPU, one thread. One fit takes {statistics.median(fits):.1f} s "
        f"(median of {len(fits)}, imports not counted)."
    )


def published_table(runs: Sequence[Run]) -> str:
    """Return our means beside the published ones, one line per network and floor, as Markdown."""
    lines = [
        "| network | activation | parameters | accuracy | published | apart | AUC | published | apart | E | published "
        "| published row | within one std (accuracy, AUC) |",
        "|---|---|---:|---|---|---:|---|---|---:|---:|---:|---|---|",
    ]
    for (size, activation), group in _grouped(runs).items():
        accuracy, auroc = _cell([run.accuracy for run in group]), _cell([run.auroc for run in group])
        efficiency = np.mean([parameter_efficiency(run.auroc, run.parameters) for run in group])
        start = f"| {size} | `{activation}` | {_count(group[0].parameters)} |"
        known = PUBLISHED.get((group[0].dataset, size, activation))
        if known is None:
            lines.append(f"{start} {accuracy} | | | {auroc} | | | {_number(efficiency)} | | not published | |")
            continue
        apart = [_apart(accuracy, known.accuracy), _apart(auroc, known.auroc)]
        lines.append(
            f"{start} {accuracy} | {known.accuracy} | {_signed(apart[0])} | {auroc} | {known.auroc} | "
            f"{_signed(apart[1])} | {_number(efficiency)} | {known.efficiency:.3f} | {known.name} | "
            f"{', '.join(_verdict(value) for value in apart)} |"
        )
    return "\n".join(lines)


def seeds_table(runs: Sequence[Run], test_share: float = 0.2) -> str:
    """Return means over all seeds and the paired differences to light ReLU with 95 % intervals, as Markdown.

    The training sets of two seeds overlap, so runs are not independent: the variance of a mean difference is
    (1/n + test rows / training rows) times that of one difference (Nadeau and Bengio, "Inference for the
    generalization error", 2003, doi:10.1023/A:1024068626366).
    """
    groups = _grouped(runs)
    reference = {run.seed: run for run in groups[("light", "relu")]}
    lines = [
        "| network | activation | seeds | accuracy | minus light ReLU | AUC | minus light ReLU |",
        "|---|---|---:|---|---|---|---|",
    ]
    for (size, activation), group in groups.items():
        pairs = [(run, reference[run.seed]) for run in group if run.seed in reference]
        by_accuracy = [ours.accuracy - other.accuracy for ours, other in pairs]
        by_auroc = [ours.auroc - other.auroc for ours, other in pairs]
        lines.append(
            f"| {size} | `{activation}` | {len(group)} | {_cell([run.accuracy for run in group])} | "
            f"{_interval(by_accuracy, test_share)} | {_cell([run.auroc for run in group])} | "
            f"{_interval(by_auroc, test_share)} |"
        )
    return "\n".join(lines)


def _grouped(runs: Sequence[Run]) -> dict[tuple[str, str], list[Run]]:
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.size, run.activation), []).append(run)
    return groups


def _cell(values: Sequence[float]) -> Cell:
    return Cell(float(np.mean(values)), float(np.std(values)))  # population deviation, as published


def _apart(ours: Cell, published: Cell) -> float:
    """Return the difference of the means in published standard deviations; NaN where that rounds to 0."""
    return (ours.mean - published.mean) / published.deviation if published.deviation else math.nan


def _verdict(apart: float) -> str:
    return "-" if math.isnan(apart) else "yes" if abs(apart) <= 1 else "no"


def _interval(differences: Sequence[float], test_share: float) -> str:
    if not np.any(differences):
        return ""
    if len(differences) < 2:
        return f"{differences[0]:+.4f}"
    found = estimate_mean(differences, test_share)
    return f"{found.mean:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"


def _count(parameters: int) -> str:
    return f"{parameters:,}" if parameters else ""


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _signed(value: float) -> str:
    return "" if math.isnan(value) else f"{value:+.2f}"
