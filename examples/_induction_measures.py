"""What is read off the runs of the induction-head reproduction: when they learned, what their heads do, progress."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _induction_parts import ARMS, Part, protocol_of, snapshots
from axonlight.datamodules import FewShotBatch, FewShotSequences
from axonlight.metrics import induction_strength, phase_change_point, plateau_share, previous_token_score
from axonlight.metrics.in_context import LEARNED_BELOW
from axonlight.models import AttentionOnlyTransformer, attention_patterns, head_accuracies
from axonlight.stimulation import Clock, Conductor, Protocol, progress_measures
from torch import Tensor, nn

__all__ = ["CLAMPS", "crossing", "head_table", "progress_table", "run_table", "strength_table"]

CLAMPS = ("match", "copy", "layer 1", "layer 1 + copy")


def run_table(evaluations: pd.DataFrame, condition: str) -> pd.DataFrame:
    """Return a row per run: when it learned, its plateau, how it ended.

    Args:
        evaluations: Table of `Arms`.
        condition: What the part is called.
    """
    rows = []
    for (arm, seed), table in evaluations.groupby(["arm", "seed"], sort=False):
        curves = dict(iter(table.groupby("evaluator")))
        samples, losses = curves["train"]["samples"].to_numpy(), curves["train"]["loss"].to_numpy()
        ends = {name: curves[name].iloc[-1] for name in ("train", "relabel", "new_classes")}
        rows.append(
            {
                "condition": condition,
                "arm": arm,
                "seed": seed,
                "learned": phase_change_point(samples, losses),
                "crossing": crossing(samples, losses),
                "plateau_share": plateau_share(samples, losses),
                "first_loss": losses[0],
                "sequences": samples[-1],
                "last_loss": losses[-1],
                **{f"accuracy_{name}": end["accuracy"] for name, end in ends.items()},
            }
        )
    return pd.DataFrame(rows)


def crossing(samples: Sequence[float], losses: Sequence[float], threshold: float = LEARNED_BELOW) -> float:
    """Return where the loss, linear between evaluations, first falls below a threshold; NaN if it never does."""
    learned = phase_change_point(samples, losses, threshold)
    if math.isnan(learned):
        return learned
    place = int(np.searchsorted(samples, learned))
    if place == 0:
        return learned
    (before, after), (high, low) = samples[place - 1 : place + 1], losses[place - 1 : place + 1]
    return float(before + (after - before) * (high - threshold) / (high - low))


def head_table(part: Part, runs: Path) -> pd.DataFrame:
    """Return what every head does at the end of the runs with all heads: a row per seed and head."""
    data = part.sequences()
    tables = []
    for seed in part.seeds:
        network = _network(data, list(snapshots(part, runs, "all heads", seed).values())[-1])
        batch = data.evaluation("train")
        first, second = attention_patterns(network, batch.exemplars, batch.labels, data.features)
        columns = {
            "previous_token": previous_token_score(first),
            "strength": induction_strength(second, batch.labels, batch.target),
            "alone": head_accuracies(network, *batch, data.features),
            "alone_matched": torch.stack([_matched(network, head, batch, data.features) for head in range(8)]),
        }
        own = pd.DataFrame({name: value.numpy().round(4) for name, value in columns.items()})
        own.insert(0, "head", range(len(own)))
        own.insert(0, "seed", seed)
        tables.append(own)
    return pd.concat(tables, ignore_index=True)


def strength_table(part: Part, runs: Path) -> pd.DataFrame:
    """Return how strong the heads are through training: seed, sequences, head, strength."""
    data = part.sequences()
    batch = data.evaluation("train")
    rows = []
    for seed in part.seeds:
        for samples, path in snapshots(part, runs, "all heads", seed).items():
            patterns = attention_patterns(_network(data, path), batch.exemplars, batch.labels, data.features)
            found = induction_strength(patterns[-1], batch.labels, batch.target).tolist()
            rows += [(seed, samples, head, round(value, 4)) for head, value in enumerate(found)]
    return pd.DataFrame(rows, columns=["seed", "sequences", "head", "strength"])


def progress_table(part: Part, runs: Path) -> pd.DataFrame:
    """Return progress measures: the loss of networks of the arm none while a clamp is on, by seed and sequences."""
    data = part.sequences()
    batch = data.evaluation("train")
    network = AttentionOnlyTransformer(data.num_features, data.num_classes)

    def loss(network: nn.Module, batch: FewShotBatch) -> Mapping[str, Any]:
        outputs = network(batch.exemplars, batch.labels, data.features)
        return {"loss": nn.functional.cross_entropy(outputs, batch.target)}

    tables = []
    for seed in part.seeds:
        files = snapshots(part, runs, "none", seed)
        for clamp in CLAMPS:
            found = progress_measures(protocol_of(ARMS[clamp]), files, network, [batch], measure=loss)
            found = found[found["measured"] == "stimulated"].assign(seed=seed, clamp=clamp).round({"loss": 5})
            tables.append(found.rename(columns={"step": "sequences"})[["clamp", "seed", "sequences", "loss"]])
    return pd.concat(tables, ignore_index=True)


def _network(data: FewShotSequences, path: Path) -> AttentionOnlyTransformer:
    network = AttentionOnlyTransformer(data.num_features, data.num_classes).eval()
    network.load_state_dict(torch.load(path, weights_only=True))
    return network


@torch.no_grad()
def _matched(network: AttentionOnlyTransformer, head: int, batch: FewShotBatch, features: Tensor) -> Tensor:
    """Return the accuracy with one head of the second layer left, which attends to the correct label."""
    others = [number for number in range(8) if number != head]
    protocol = [
        {"target": {"site": "blocks.1.attention.v", "heads": others}, "opsin": "silence"},
        {"target": {"site": "blocks.1.attention.pattern", "heads": [head]}, "opsin": "induction"},
    ]
    conductor = Conductor(Protocol.build(protocol), network)
    conductor.install()
    try:
        conductor.begin(Clock(), batch._asdict())
        outputs = network(batch.exemplars, batch.labels, features)
    finally:
        conductor.remove()
    return (outputs.argmax(-1) == batch.target).float().mean()
