"""The tables of the study of ASH: scores, comparisons, the published ablation, floors, distance from Swish."""

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np
from _ash_degeneration import Degeneration, distance_of_independent_units
from _marked_tables import table
from axonlight.comparison.analysis import NamedComparison, ReportData

__all__ = ["CLAIMED", "NORMS", "degeneration_table", "tables"]

NORMS = ("none", "batch", "layer")
# Final validation loss above that of ASH, read from the plot of the ablation of arXiv 2210.11672.
CLAIMED = {"leaky": 0.004, "fixed_50": 0.020, "fixed_90": 0.027, "fixed_10": 0.040}


def tables(data: ReportData) -> str:
    """Return the tables of one study."""
    conditions = "; ".join(f"{label}: {text}" for label, text in data.conditions.items())
    parts = [
        f"{data.splits} splits ({data.folds} folds x {data.repeats}), {len(data.runs):,} runs. {conditions}.",
        _scores(data),
        _comparisons(data),
        _claims(data),
        _floors(data),
    ]
    return "\n\n".join(part for part in parts if part)


def _means(data: ReportData, metric: str) -> dict[tuple[str, str], float]:
    """Return the mean score by normalisation and activation."""
    arms = {tuple(arm.name.split(" / ")): arm.estimates[metric].mean for arm in data.arms if " / " in arm.name}
    return {(norm, activation): mean for (norm, activation), mean in arms.items()}


def _scores(data: ReportData) -> str:
    loss, accuracy = (_means(data, metric) for metric in ("loss", "accuracy"))
    parameters = {arm.name: arm.parameters for arm in data.arms}
    failed = {arm.name: arm.failed for arm in data.arms}
    rows = []
    for activation in dict.fromkeys(name for _, name in loss):
        scores = [f"{means[norm, activation]:.3f}" for means in (loss, accuracy) for norm in NORMS]
        lost = sum(failed[f"{norm} / {activation}"] for norm in NORMS)
        rows.append([activation, *scores, f"{parameters[f'batch / {activation}']:,}", lost or ""])
    head = [f"{metric}, {norm}" for metric in ("loss", "accuracy") for norm in NORMS]
    return table(["activation", *head, "parameters, batch", "failed"], rows)


def _comparisons(data: ReportData) -> str:
    found: dict[tuple[str, str], dict[str, NamedComparison]] = {}
    for one in data.comparisons:
        if one.contrast.pair is not None:
            norm, other = one.contrast.pair[1].split(" / ")
            found.setdefault((other, norm), {})[one.metric] = one
    rows = [
        [other, norm, *(cell for metric in ("loss", "accuracy") for cell in _difference(by_metric[metric]))]
        for (other, norm), by_metric in sorted(found.items(), key=lambda item: NORMS.index(item[0][1]))
    ]
    head = [
        f"{metric}: {what}" for metric in ("loss", "accuracy") for what in ("ASH better by", "adjusted p", "verdict")
    ]
    return table(["ASH against", "norm", *head], rows)


def _difference(found: NamedComparison) -> list[str]:
    one = found.comparison
    low, high = one.interval
    p = "<0.001" if one.p_value < 0.001 else f"{one.p_value:.3f}"
    return [f"{one.difference:+.4f} [{low:+.4f}, {high:+.4f}]", p, one.verdict]


def _claims(data: ReportData) -> str:
    means = _means(data, "loss")
    rows = []
    for variant, claimed in CLAIMED.items():
        ours = [f"{means[norm, variant] - means[norm, 'ash']:+.4f}" for norm in NORMS]
        rows.append([variant, f"+{claimed:.3f}", *ours])
    names = ["ash", *CLAIMED]
    orders = [" < ".join(sorted(names, key=lambda name: means[norm, name])) for norm in NORMS]
    lines = [f"- {norm}: {order}" for norm, order in zip(NORMS, orders, strict=True)]
    head = table(["loss above ASH", "published", *(f"ours, {norm}" for norm in NORMS)], rows)
    return "\n".join([head, "", f"Published order: {' < '.join(names)}. Ours:", "", *lines])


def _floors(data: ReportData) -> str:
    rows = [
        [arm.name.replace("_", " "), f"{arm.estimates['accuracy'].mean:.3f}"]
        for arm in data.arms
        if " / " not in arm.name
    ]
    return table(["floor", "accuracy"], rows)


def degeneration_table(found: Mapping[str, Sequence[Sequence[Degeneration]]]) -> str:
    """Return the distances from Swish, the mean over networks with the smallest and the largest.

    Args:
        found: By normalisation, the layers of each network.
    """
    rows = []
    for norm, networks in found.items():
        for layers in zip(*networks, strict=True):
            mean = {
                field.name: float(np.mean([getattr(one, field.name) for one in layers])) for field in fields(layers[0])
            }
            low, high = (pick(one.distance for one in layers) for pick in (min, max))
            independent = distance_of_independent_units(layers[0].units, mean["z"], mean["alpha"])
            numbers = [f"{mean[name]:.2f}" for name in ("z", "alpha", "threshold", "spread")]
            distance = f"{100 * mean['distance']:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
            rows.append([norm, layers[0].layer, layers[0].units, *numbers, distance, f"{100 * independent:.1f} %"])
    head = [
        "norm",
        "layer",
        "units",
        "z",
        "alpha",
        "threshold",
        "its spread",
        "distance from Swish",
        "independent units",
    ]
    return table(head, rows)
