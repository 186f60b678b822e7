"""The tables of the pathway reproduction as Markdown: scores, comparisons, published figures beside ours."""

import datetime as dt
import importlib.metadata
import math
import os
import platform
from collections.abc import Mapping, Sequence

import numpy as np
from _pathway_runs import ACTIVATIONS, METRICS, Run, load_data
from axonlight.comparison import Estimate, adjust, compare_scores, estimate_mean
from axonlight.datamodules import TableDataModule

__all__ = ["ROPE", "describe_data", "published_table", "report"]

ROPE = 0.01
SHOWN = ("auroc", "accuracy", "average_precision")
Arm = tuple[str, str]

# Decided beforehand. Each family is corrected by Holm on its own.
_OTHERS = ACTIVATIONS[1:]
FAMILIES: Mapping[str, Sequence[tuple[Arm, Arm]]] = {
    "activation against tanh": (
        *(((model, other), (model, "tanh")) for model in ("binn", "pnet", "dense") for other in _OTHERS),
        (("binn, one per pathway", "ash"), ("binn", "tanh")),
    ),
    "pathway network against the floors": tuple(
        ((model, "tanh"), floor)
        for model in ("binn", "pnet")
        for floor in (
            ("dense", "tanh"),
            ("ridge logistic", ""),
            ("ridge logistic, columns of the hierarchy", ""),
            ("random forest", ""),
        )
    ),
}


def report(dataset: str, runs: Sequence[Run], root: str | None, command: str) -> str:
    """Return command, conditions, data and tables of one set."""
    arms = scores_by_split(runs)
    parts = [
        f"```\n{command}\n```",
        conditions(runs),
        describe_data(load_data(dataset, root, 0, 0)),
        scores_table(runs, arms),
    ]
    for title, pairs in FAMILIES.items():
        present = [pair for pair in pairs if pair[0] in arms and pair[1] in arms]
        if present:
            parts += [f"{title[0].upper()}{title[1:]}:", comparison_table(present, arms, test_fraction(runs))]
    return "\n\n".join(parts)


def scores_by_split(runs: Sequence[Run]) -> dict[Arm, dict[str, list[float]]]:
    """Return the scores of each arm, one per split in the order of the splits: the mean over its seeds."""
    grouped: dict[Arm, dict[tuple[int, int], list[Run]]] = {}
    for run in runs:
        grouped.setdefault((run.model, run.activation), {}).setdefault((run.repeat, run.fold), []).append(run)
    return {
        arm: {
            name: [float(np.mean([getattr(run, name) for run in splits[place]])) for place in sorted(splits)]
            for name in METRICS
        }
        for arm, splits in grouped.items()
    }


def test_fraction(runs: Sequence[Run]) -> float:
    """Return the share of the rows that a split tests, from the mean of test rows divided by training rows."""
    test_to_train = float(np.mean([run.test_rows / run.train_rows for run in runs]))
    return test_to_train / (1 + test_to_train)


def conditions(runs: Sequence[Run]) -> str:
    """Return the date, the versions, the machine and the time of the runs."""
    packages = ("axonlight", "torch", "lightning", "scikit-learn")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    machine = platform.machine().replace("_", "-")
    failed = [run for run in runs if run.failure]
    failures = f" {len(failed)} failed: {'; '.join(sorted({run.failure for run in failed}))}." if failed else ""
    minutes = sum(run.seconds for run in runs) / 60
    return (
        f"{dt.date.today()}, {versions},\nPython {platform.python_version()}, {os.cpu_count()}-core {machine} CPU, one "
        f"thread per run. {len(runs)} runs took {minutes:.1f} min of processor time.{failures}"
    )


def describe_data(data: TableDataModule) -> str:
    """Return rows, classes, columns and the layers of the hierarchy, as sentences."""
    counts = np.bincount(np.concatenate([part.tensors[1] for part in _loaders(data)]))
    classes = ", ".join(f"'{name}': {count}" for name, count in zip(data.class_names, counts, strict=True))
    layers = "-".join(f"{size:,}" for size in data.hierarchy.sizes)
    edges = " / ".join(f"{pairs.shape[1]:,}" for _, _, pairs in data.hierarchy.edges)
    repeated = data.duplicates_across_split
    out = {reason: names for reason, names in getattr(data, "left_out", {}).items() if names}
    left_out = f" Left out: {', '.join(f'{len(names)} {reason}' for reason, names in out.items())}." if out else ""
    return (
        f"{counts.sum():,} rows (classes {classes}), {data.num_features:,} columns.{left_out} First split: "
        f"{len(data.rows.train)} train, {len(data.rows.test)} test, {repeated} test rows repeat a training row. "
        f"Hierarchy, features first: {layers} nodes, {edges} edges."
    )


def _loaders(data: TableDataModule) -> list:
    return [data.train_dataloader(), data.test_dataloader()]


def scores_table(runs: Sequence[Run], arms: Mapping[Arm, Mapping[str, Sequence[float]]]) -> str:
    """Return mean and corrected 95 % interval of each arm, one line per arm."""
    lines = [
        "| model | activation | parameters | columns | AUROC | accuracy | average precision | training loss |",
        "|---|---|---:|---:|---|---|---|---:|",
    ]
    share = test_fraction(runs)
    for arm, scores in arms.items():
        own = [run for run in runs if (run.model, run.activation) == arm]
        cells = [_estimate(estimate_mean(scores[name], share)) for name in SHOWN]
        loss = float(np.mean([run.train_loss for run in own]))
        parameters = f"{own[0].parameters:,}" if own[0].parameters else ""
        columns = f"{own[0].columns:,}" if own[0].columns else ""
        lines.append(
            f"| {arm[0]} | {_code(arm[1])} | {parameters} | {columns} | {' | '.join(cells)} | {_number(loss)} |"
        )
    return "\n".join(lines)


def comparison_table(
    pairs: Sequence[tuple[Arm, Arm]], arms: Mapping[Arm, Mapping[str, Sequence[float]]], share: float
) -> str:
    """Return the verdict of each pair on AUROC, and the differences in all metrics shown, one line per pair."""
    found = [
        {name: compare_scores(arms[ours][name], arms[other][name], test_fraction=share, rope=ROPE) for name in SHOWN}
        for ours, other in pairs
    ]
    main = adjust([each["auroc"] for each in found])
    lines = [
        "| first | second | AUROC, first minus second | p | p equivalent | verdict | accuracy | average precision |",
        "|---|---|---|---:|---:|---|---|---|",
    ]
    for (ours, other), each, decided in zip(pairs, found, main, strict=True):
        cells = [_estimate(each[name].estimate, signed=True) for name in SHOWN]
        lines.append(
            f"| {_arm(ours)} | {_arm(other)} | {cells[0]} | {_p(decided.p_value)} | "
            f"{_p(decided.p_equivalence)} | {decided.verdict} | {cells[1]} | {cells[2]} |"
        )
    return "\n".join(lines)


# What is known of the published figures; "-" where it is not.
PUBLISHED = (
    ("thesis (Lund, student paper 9103197)", "four layers of pathways; rows and splits -", "0.982 ± 0.0002", "-"),
    ("article (doi:10.1038/s41467-023-41146-4)", "rows and splits -; quoted second-hand", "-", "≈ 0.99"),
    (
        "notebook of the repository",
        "197 rows, scaler fitted on all of them, zeros for missing values; 3 runs of 100 epochs, validation rows",
        "0.891, 0.938, 0.906",
        "-",
    ),
)
OURS = {
    "proteomics": "smallest training value for missing ones, mask, scaler on training rows",
    "proteomics_zero_filled": "zeros for missing values, no mask, scaler on training rows",
    "proteomics_scaler_leak": "zeros for missing values, no mask, scaler fitted on all rows (a leak, to compare)",
    "proteomics_without_suspects": "as the first, without the seven samples CK_",
}


def published_table(runs: Mapping[str, Sequence[Run]]) -> str:
    """Return the published figures of the septic proteomes and ours for the BINN design with tanh."""
    lines = ["| source | data and splits | accuracy | AUROC |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in PUBLISHED]
    arms = {name: scores_by_split(own).get(("binn", "tanh")) for name, own in runs.items() if name in OURS and own}
    for name, scores in arms.items():
        own = next(run for run in runs[name] if run.model == "binn")
        count = len(scores["auroc"])
        rows = f"{own.train_rows + own.test_rows} rows, {count} test folds; {OURS[name]}; {own.epochs} epochs"
        cells = [
            _estimate(estimate_mean(scores[metric], test_fraction(runs[name]))) for metric in ("accuracy", "auroc")
        ]
        lines.append(f"| ours | {rows} | {cells[0]} | {cells[1]} |")
    leak, clean = arms.get("proteomics_scaler_leak"), arms.get("proteomics_zero_filled")
    if leak and clean:
        share = test_fraction(runs["proteomics_zero_filled"])
        differences = [
            compare_scores(leak[metric], clean[metric], test_fraction=share, rope=ROPE)
            for metric in ("accuracy", "auroc")
        ]
        cells = [_estimate(found.estimate, signed=True) for found in differences]
        lines.append(f"| ours | scaler fitted on all rows minus scaler on training rows | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def _arm(arm: Arm) -> str:
    return f"{arm[0]} {_code(arm[1])}".strip()


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else _number(value)


def _estimate(found: Estimate, signed: bool = False) -> str:
    if math.isnan(found.mean):
        return "undefined"
    sign = "+" if signed else ""
    interval = "" if math.isnan(found.low) else f" [{found.low:{sign}.3f}, {found.high:{sign}.3f}]"
    missing = f" ({found.missing} undefined)" if found.missing else ""
    return f"{found.mean:{sign}.3f}{interval}{missing}"
