"""The tables of the recovery of planted pathways as Markdown: hits, intervals, chance."""

import datetime as dt
import importlib.metadata
import os
import platform
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from axonlight.datamodules import SimulatedPathways
from scipy import stats

__all__ = ["Run", "chance_probability", "conditions", "differences_table", "interval", "recovery_table"]


Arm = tuple[str, str, str]
# Network, method, adjustment.
_FOUND: Arm = ("trained", "integrated_gradients", "none")
PAIRS: Sequence[tuple[Arm, Arm]] = (
    (_FOUND, ("untrained", "integrated_gradients", "none")),
    (_FOUND, ("permuted labels", "integrated_gradients", "none")),
    (_FOUND, ("none", "pathway mean", "none")),
    (("trained", "conductance", "none"), _FOUND),
    (("trained", "deep_lift", "none"), _FOUND),
    (("trained", "integrated_gradients", "degree"), _FOUND),
    (("trained", "integrated_gradients", "subgraph"), _FOUND),
)


@dataclass(frozen=True)
class Run:
    """What one network, method and adjustment found in one simulation; the fields are the columns of the CSV file."""

    setting: str
    seed: int
    network: str
    method: str
    adjust: str
    hits: int
    causal: int
    candidates: int
    auroc: float
    optimal_auroc: float
    similarity: float
    axonlight: str
    torch: str


def conditions(runs: Sequence[Run], command: str, data: SimulatedPathways) -> str:
    """Return the command, versions, machine, data and scores of one setting as Markdown."""
    packages = ("axonlight", "torch", "captum", "lightning", "numpy")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    machine = platform.machine().replace("_", "-")
    seeds = sorted({run.seed for run in runs})
    aurocs = {
        network: np.mean([run.auroc for run in runs if run.network == network])
        for network in ("trained", "permuted labels", "untrained")
    }
    ceiling = np.mean([run.optimal_auroc for run in runs])
    counts = sorted({run.candidates for run in runs})
    of = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    sizes = "-".join(map(str, data.hierarchy.sizes))
    text = (
        f"Layers {sizes}; {runs[0].causal} of {of} distinguishable pathways of layer {data.truth.layer} planted; "
        f"{_overlaps(data)}; {len(data.rows.train)} training and {len(data.rows.test)} test rows. AUROC on the test "
        f"rows, mean: trained {aurocs['trained']:.3f} (ceiling {ceiling:.3f}), permuted labels "
        f"{aurocs['permuted labels']:.3f}, untrained {aurocs['untrained']:.3f}."
    )
    return (
        f"```\n{command}\n```\n\n{dt.date.today()}, {versions},\nPython {platform.python_version()}, "
        f"{os.cpu_count()}-core {machine} CPU, one thread. Seeds {seeds[0]}-{seeds[-1]}: {len(seeds)} simulations.\n\n"
        f"{textwrap.fill(text, 118, break_on_hyphens=False)}"
    )


def _overlaps(data: SimulatedPathways) -> str:
    """Return how many of the pathways that could be planted overlap with another of them, in the first simulation."""
    nodes = data.hierarchy.nodes[data.hierarchy.layers.index(data.truth.layer)]
    rows = [nodes.index(name) for name in data.truth.candidates]
    members = data.hierarchy.memberships(data.truth.layer).astype(float)[rows].toarray()
    shared, sizes = members @ members.T, members.sum(axis=1)
    np.fill_diagonal(shared, 0)
    half = (shared / (sizes[:, None] + sizes - shared) >= 0.5).any(axis=1).mean()
    within = (shared == sizes[:, None]).any(axis=1).mean()
    return f"{half:.0%} of these have a Jaccard index of 0.5 or more with another, {within:.0%} lie within another"


def recovery_table(runs: Sequence[Run]) -> str:
    """Return the mean hits with interval, one line per network and method, one column per adjustment, as Markdown."""
    adjustments = list(dict.fromkeys(run.adjust for run in runs))
    expected = np.mean([run.causal**2 / run.candidates for run in runs])
    lines = [
        f"| network | method | {' | '.join(f'adjust {name}' for name in adjustments)} | similarity |",
        f"|---|---|{'---|' * len(adjustments)}---:|",
    ]
    for network, method in dict.fromkeys((run.network, run.method) for run in runs):
        cells = []
        for adjust in adjustments:
            group = [run for run in runs if (run.network, run.method, run.adjust) == (network, method, adjust)]
            cells.append(_cell(group) if group else "")
        first = [run for run in runs if (run.network, run.method, run.adjust) == (network, method, adjustments[0])]
        similarity = np.mean([run.similarity for run in first])
        lines.append(f"| {network} | {method.replace('_', ' ')} | {' | '.join(cells)} | {similarity:.2f} |")
    lines.append(f"| chance | k²/n | {' | '.join([f'{expected:.2f}'] * len(adjustments))} | |")
    return "\n".join(lines)


def differences_table(runs: Sequence[Run]) -> str:
    """Return paired differences of hits over the simulations, with intervals, as Markdown."""
    hits: dict[Arm, dict[int, int]] = {}
    for run in runs:
        hits.setdefault((run.network, run.method, run.adjust), {})[run.seed] = run.hits
    lines = ["| hits of | less those of | difference |", "|---|---|---|"]
    for ours, theirs in PAIRS:
        differences = [hits[ours][seed] - hits[theirs][seed] for seed in sorted(hits[ours])]
        low, high = interval(differences)
        lines.append(f"| {_named(ours)} | {_named(theirs)} | {np.mean(differences):+.2f} [{low:+.2f}, {high:+.2f}] |")
    return "\n".join(lines)


def _named(arm: Arm) -> str:
    network, method, adjust = arm
    return f"{network}, {method.replace('_', ' ')}, adjust {adjust}" if network != "none" else "pathway mean"


def _cell(group: Sequence[Run]) -> str:
    hits = [run.hits for run in group]
    low, high = interval(hits)
    probability = chance_probability(group)
    shown = "p < 0.0001" if probability < 1e-4 else f"p = {probability:.2g}"
    return f"{np.mean(hits):.2f} [{low:.2f}, {high:.2f}], {shown}"


def interval(hits: Sequence[int], draws: int = 10_000) -> tuple[float, float]:
    """Return the 95 % interval of the mean over simulations: percentiles of a bootstrap with a fixed seed."""
    generator = np.random.default_rng(0)
    means = generator.choice(np.asarray(hits, dtype=float), size=(draws, len(hits))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def chance_probability(runs: Sequence[Run]) -> float:
    """Return the exact probability that blind scores have at least as many hits in all simulations together.

    The pathways of a simulation are drawn alike from its candidates, so the hits of scores that know nothing of them
    are hypergeometric whatever the scores prefer, and independent between simulations: their sum is a convolution.
    """
    total = np.ones(1)
    for run in runs:
        one = stats.hypergeom(run.candidates, run.causal, run.causal).pmf(np.arange(run.causal + 1))
        total = np.convolve(total, one)
    return float(min(total[sum(run.hits for run in runs) :].sum(), 1.0))
