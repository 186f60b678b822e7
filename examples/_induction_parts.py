"""The parts of the induction-head reproduction: which arms are trained on which sequences, for how long, and kept how.

A part is one vectorised run: some arms, some seeds, one kind of sequences. It is written down as it goes, so that a
stopped command goes on where it was, and its folder is named by all that it depends on.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml
from axonlight import __version__
from axonlight.datamodules import FewShotSequences
from axonlight.models import AttentionOnlyTransformer
from axonlight.stimulation.arms import Arms
from axonlight.training.config_files import find_config

__all__ = [
    "ALL_OF_LAYER_1",
    "ARMS",
    "BASE",
    "EVERY",
    "RATE",
    "Part",
    "grafts_of",
    "parts_of",
    "protocol_of",
    "run_part",
    "snapshots",
]

RATE = 1e-4
BATCH = 32
EVERY = 64  # updates between evaluations: 2,048 sequences
VISIT = 256  # updates between snapshots and between savings
BASE = "5 labels, 50 classes"

ARMS = {
    "match": "clamp_match",
    "copy": "clamp_copy",
    "layer 1": "clamp_layer_1",
    "attention": "clamp_attention",
    "none": "none",
    "layer 1 + copy": "clamp_layer_1_and_copy",
    "all heads": "base",
}
ALL_OF_LAYER_1 = "attention, all heads of layer 1"


@dataclass(frozen=True)
class Part:
    """One vectorised run.

    Args:
        name: Name of the part.
        arms: Protocols of the arms, None for an arm without one.
        seeds: Seeds of every arm.
        updates: Updates of 32 sequences at most.
        stop_below: Loss below which a run has ended, in `patience` evaluations in a row.
        patience: Number of these evaluations.
        data: Options of `FewShotSequences`.
        kept: Arms whose networks are kept every 256 updates.
        compiled: Whether passes are compiled.
        per_pass: Runs that go through the network together.
    """

    name: str
    arms: Mapping[str, Any]
    seeds: tuple[int, ...]
    updates: int
    stop_below: float
    patience: int
    data: Mapping[str, int] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    compiled: bool = True
    per_pass: int = 16

    def folder(self, runs: Path) -> Path:
        """Return where the part is written down."""
        versions = {"axonlight": __version__, "torch": torch.__version__}
        text = json.dumps(asdict(self) | versions, sort_keys=True, default=str)
        return runs / f"{self.name.replace(' ', '_').replace(',', '')}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def sequences(self) -> FewShotSequences:
        """Return the data of the part."""
        return FewShotSequences(batch_size=BATCH, epoch_sequences=BATCH * EVERY, **self.data)


def protocol_of(config: str) -> Any:
    """Return the protocol of a shipped config of the arms; None where it clamps nothing.

    Args:
        config: Name of a file of configs/induction, without ending.
    """
    content = yaml.safe_load(Path(find_config(f"induction/{config}.yaml")).read_text())
    for callback in content["trainer"]["callbacks"]:
        if callback["class_path"] == "Optogenetics":
            return callback["init_args"]["protocol"]
    return None


def all_of_layer_1() -> Any:
    """Return the protocol of clamp_attention with every head of the first layer clamped, not head 2 alone."""
    only, clamp = protocol_of("clamp_attention")
    return [only, {**clamp, "target": {"site": clamp["target"]["site"]}}]


def graft(donor: Path) -> Any:
    """Return a protocol that takes what comes out of the first layer from a trained network."""
    source = {"kind": "patch", "source": {"checkpoint": str(donor)}}
    phases = ["train", "validate", "test"]
    return [{"name": "graft", "target": {"site": "blocks.0.residual"}, "opsin": source, "phases": phases}]


def parts_of(
    seeds: int,
    updates: int,
    trend_seeds: int,
    trend_updates: int,
    data: Mapping[str, int] | None = None,
    **options: Any,
) -> list[Part]:
    """Return the parts that depend on no other: the arms, and the trends over labels and classes.

    Args:
        seeds: Seeds of the arms.
        updates: Updates of the arms at most.
        trend_seeds: Seeds of the trends.
        trend_updates: Updates of the trends at most.
        data: Options of all data.
        **options: Options of all parts.
    """
    data = dict(data or {})
    arms = {name: protocol_of(config) for name, config in ARMS.items()}
    arms[ALL_OF_LAYER_1] = all_of_layer_1()
    main = Part(BASE, arms, tuple(range(seeds)), updates, 0.02, 5, data=data, kept=("all heads", "none"), **options)
    trend = {name: arms[name] for name in ("all heads", "layer 1 + copy", "match")}
    options = {"per_pass": trend_seeds} | options
    make = partial(
        Part, arms=trend, seeds=tuple(range(trend_seeds)), updates=trend_updates, stop_below=0.2, patience=2, **options
    )
    labels = [make(f"{number} labels, 50 classes", data=data | {"num_labels": number}) for number in (15, 10)]
    classes = [make(f"5 labels, {number} classes", data=data | {"train_classes": number}) for number in (200, 100)]
    return [main, *labels, *classes]


def run_part(part: Part, runs: Path) -> pd.DataFrame:
    """Train a part, or what is left of it, and return its evaluations; a finished one is read."""
    folder = part.folder(runs)
    if not (folder / "evaluations.csv").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _train(part, folder)
    return pd.read_csv(folder / "evaluations.csv")


def snapshots(part: Part, runs: Path, arm: str, seed: int) -> dict[int, Path]:
    """Return the files with the networks of a run by the number of sequences; the last one is its end."""
    files = (part.folder(runs) / "networks").glob(f"{arm}-{seed}-*.pt")
    return dict(sorted((int(file.stem.rpartition("-")[2]), file) for file in files))


def _train(part: Part, folder: Path) -> None:
    data = part.sequences()
    network = partial(AttentionOnlyTransformer, data.num_features, data.num_classes)
    arms = Arms(network, part.arms, part.seeds, compiled=part.compiled, runs_per_pass=part.per_pass)
    saved = folder / "arms.pt"
    if saved.exists():
        arms.load(saved)
    visit = partial(_visit, part=part, folder=folder)
    others = {"relabel": 8 * EVERY, "new_classes": 8 * EVERY}
    table = arms.train(
        data,
        part.updates,
        RATE,
        evaluate_every={"train": EVERY, **others},
        stop_below=part.stop_below,
        patience=part.patience,
        measure_every=VISIT,
        visit=visit,
    )
    _visit(arms, part, folder)
    table.round({"loss": 5, "accuracy": 4}).to_csv(folder / "writing.csv", index=False)
    (folder / "writing.csv").replace(folder / "evaluations.csv")
    saved.unlink()


def _visit(arms: Arms, part: Part, folder: Path) -> None:
    """Keep networks and save all; say how far it is."""
    networks = folder / "networks"
    networks.mkdir(exist_ok=True)
    ends = arms.table.groupby(["arm", "seed"])["samples"].max()
    for arm in part.kept:
        for seed in part.seeds:
            path = networks / f"{arm}-{seed}-{ends[arm, seed]}.pt"
            if not path.exists():
                torch.save(arms.network(arm, seed).state_dict(), path)
    arms.save(folder / "saving.pt")
    (folder / "saving.pt").replace(folder / "arms.pt")
    going = sum(ends == ends.max())
    print(f"{part.name}: {arms.updates * BATCH:,} sequences, {going} of {len(ends)} runs go on", flush=True)


def grafts_of(donors: Mapping[int, Path], seeds: Sequence[int], updates: int, **options: Any) -> Part:
    """Return the part whose arms have a trained, frozen first layer.

    Args:
        donors: File with the trained network, by its seed.
        seeds: Seeds of the networks that learn behind it.
        updates: Updates at most.
        **options: Options of the part.
    """
    arms = {f"layer 1 of seed {seed}": graft(path) for seed, path in donors.items()}
    options = {"compiled": False, "per_pass": len(seeds)} | options
    return Part("grafts", arms, tuple(seeds), updates, 0.1, 5, **options)
