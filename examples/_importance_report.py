"""The tables of calibrated importance as Markdown."""

import datetime as dt
import importlib.metadata
import os
import platform
from typing import Any

import numpy as np
from _marked_tables import table
from axonlight.attribution import Identifiability, SpuriousPruning
from axonlight.comparison.importance import ImportanceStudy

__all__ = ["conditions", "importance_tables", "pruning_table", "teacher_table"]

TOP = 5


def conditions(command: str, what: str) -> str:
    """Return command, versions and machine of a block as Markdown."""
    packages = ("axonlight", "torch", "captum", "lightning", "numpy", "scipy", "statsmodels")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    machine = f"{os.cpu_count()} cores, {platform.machine().replace('_', '-')}"
    where = f"{dt.date.today():%Y-%m-%d}; {versions}; Python {platform.python_version()}; {machine}"
    return f"```\n{command}\n```\n\n{where}. {what}"


def importance_tables(study: ImportanceStudy) -> str:
    """Return what a study found: whether there is anything to explain, nodes, stability, hubs."""
    parts = [
        "Test metrics, means over networks:",
        _metrics(study),
        "Nodes above chance, per layer. Of the ten highest raw scores, how many have p and adjusted p of at most 0.05:",
        _counts(study),
        f"The {TOP} highest raw scores of each layer of pathways:",
        _nodes(study),
        "Agreement of single real networks about the ranking:",
        _stability(study),
        "Regression of the rank of scores, and of z, on the logarithm of the degree:",
        _hubs(study),
    ]
    return "\n\n".join(parts)


def _metrics(study: ImportanceStudy) -> str:
    names = [name for name in ("auroc", "accuracy", "loss") if name in study.metrics["real"]]
    rows = [[kind, *(f"{found[name]:.3f}" for name in names)] for kind, found in study.metrics.items()]
    return table(["networks", *names], rows)


def _counts(study: ImportanceStudy) -> str:
    rows = []
    for null, found in study.calibrated.items():
        for layer, part in found.table.groupby("layer", sort=False):
            first = part.nlargest(10, "score")
            few = [f"{int((first[key] <= 0.05).sum())} of {len(first)}" for key in ("p", "p_adjusted")]
            counts = [str(int((part[key] <= 0.05).sum())) for key in ("p", "p_adjusted")]
            rows.append([null, str(layer), str(len(part)), *counts, f"{part['p_adjusted'].min():.3f}", *few])
    head = ["null", "layer", "nodes", "p ≤ 0.05", "adjusted", "smallest adjusted p", "top 10: p ≤ 0.05", "adjusted"]
    return table(head, rows)


def _nodes(study: ImportanceStudy) -> str:
    tables = {null: found.table.set_index(["layer", "node"]) for null, found in study.calibrated.items()}
    first: Any = next(iter(tables.values()))
    rows = []
    layers = list(dict.fromkeys(first.index.get_level_values("layer")))
    for layer in [name for name in layers if name != "features"]:
        for node in first.loc[layer].nlargest(TOP, "score").index:
            found = [each.loc[(layer, node)] for each in tables.values()]
            z_and_p = [f"{each['z']:+.1f} ({each['p']:.3f}, {each['p_adjusted']:.3f})" for each in found]
            one = found[0]
            rows.append([str(layer), str(one["title"]), str(one["degree"]), f"{one['score']:.1%}", *z_and_p])
    return table(["layer", "pathway", "degree", "share", *(f"z (p, adjusted): {null}" for null in tables)], rows)


def _stability(study: ImportanceStudy) -> str:
    rows = []
    for _, row in study.stability_table().iterrows():
        measure = row["measure"] if row["measure"] != "overlap" else f"top {row['top']} shared"
        figures = [f"{row[key]:.2f}" for key in ("value", "chance", "corrected")]
        rows.append([row["over"], row["layer"], str(row["nodes"]), measure, *figures])
    return table(["over", "layer", "nodes", "measure", "value", "by chance", "corrected"], rows)


def _hubs(study: ImportanceStudy) -> str:
    rows = []
    for _, row in study.hub_bias_table().iterrows():
        if np.isfinite(row["slope"]):
            words = {"none": "raw score", "degree": "score over degree", "z": f"z, {row['null']}"}[row["adjust"]]
            interval = f"{row['slope']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]"
            rows.append([row["layer"], words, str(row["nodes"]), interval, f"{row['r2']:.2f}"])
    return table(["layer", "ranked by", "nodes", "slope [95 %]", "R²"], rows)


def pruning_table(found: dict[str, SpuriousPruning]) -> str:
    """Return the mean share of pruned edges and AUROC per penalty, before and after training."""
    rows = []
    for penalty, each in found.items():
        means: Any = each.overall.groupby("trained").mean(numeric_only=True)
        for trained, row in means.iterrows():
            figures = [f"{row[key]:.3f}" for key in ("pruned_real", "pruned_spurious", "auroc")]
            rows.append(
                [penalty, "after" if trained else "before", f"{row['real']:.0f}", f"{row['spurious']:.0f}", *figures]
            )
    return table(["penalty", "training", "real edges", "added", "real pruned", "added pruned", "AUROC of size"], rows)


def teacher_table(found: dict[str, Identifiability]) -> str:
    """Return means over the students, before and after training, per layer."""
    rows = []
    for setting, each in found.items():
        for _, row in each.summary.iterrows():
            figures = [f"{row[key]:.2f}" for key in ("r2", "weights", "activations", "identified")]
            figures.append(f"{row['constant']:.1f}")
            rows.append([setting, "after" if row["trained"] else "before", row["layer"], *figures])
    return table(
        ["setting", "training", "layer", "R² of outputs", "weights", "activations", "units found", "constant units"],
        rows,
    )
