"""Silence one pathway of a network while it trains: does the rest compensate?

    python examples/silence_a_pathway.py --output silence_a_pathway --seeds 10

Breast-cancer diagnosis through what is measured. The pathway "worst" (the largest value of every quantity over the cell
nuclei) is silenced, among the controls that an effect is believed beside: sham light, another pathway of the same layer
(another one with every seed), release at half time. Each seed is a split, an initialisation and an order of rows; arms
are compared within seeds, on the loss of test rows that nothing was chosen by. Writes OUTPUT/runs.csv, OUTPUT/table.md
and a figure.
"""

import argparse
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from _process import start_process
from axonlight.callbacks import FiniteLoss, Optogenetics, StepSeed
from axonlight.comparison.statistics import Comparison, compare_scores
from axonlight.datamodules import BreastCancer
from axonlight.models import ClassificationTask, PathwayNetwork
from axonlight.plots import draw_forest
from axonlight.stimulation import Protocol
from axonlight.stimulation.controls import controls_of
from lightning.pytorch import Trainer, seed_everything

__all__ = ["COMPARISONS", "SILENCE", "compare", "main", "run_seed"]

SILENCE = {"name": "silence_worst", "target": {"site": "level_2.post", "units": ["worst"]}, "opsin": "silence"}
HIERARCHY = {"reader": "edges", "path": "breast_cancer_measurements.csv"}
TEST_FRACTION = 0.2
# Differences of the loss below this are none.
ROPE = 0.01
# (trained, tested) of two arms: the first against the second.
COMPARISONS = {
    "silenced at test alone, against free": (("free", "silenced"), ("free", "free")),
    "silenced in training and test, against free": (("silenced", "silenced"), ("free", "free")),
    "compensation: silenced in training and test, against at test alone": (
        ("silenced", "silenced"),
        ("free", "silenced"),
    ),
    "another pathway at test alone, against free": (("free", "random"), ("free", "free")),
    "another pathway in training and test, against free": (("random", "random"), ("free", "free")),
    "sham light, against free": (("sham", "free"), ("free", "free")),
    "released at half time, against free": (("released", "free"), ("free", "free")),
    "silenced in training, free at test, against free": (("silenced", "free"), ("free", "free")),
}


def data_of(seed: int) -> BreastCancer:
    """Return the rows of a split."""
    return BreastCancer(
        hierarchy=HIERARCHY,
        batch_size=64,
        split_seed=seed,
        test_fraction=TEST_FRACTION,
        val_fraction=0,
        drop_last=True,
    )


def task_of(data: BreastCancer) -> ClassificationTask:
    """Return the network of the shipped config, initialised by the seed that was set."""
    return ClassificationTask(
        partial(PathwayNetwork, design="binn", dropout=0.0),
        in_features=data.num_features,
        num_classes=data.num_classes,
        feature_names=data.feature_names,
        hierarchy=data.hierarchy,
        optimizer=partial(torch.optim.Adam, lr=0.02, weight_decay=0.001),
    )


def trainer_of(epochs: int, protocol: Protocol | None) -> Trainer:
    """Return a quiet trainer under a protocol."""
    stimulation = [] if protocol is None else [Optogenetics(protocol, show=False)]
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False}
    return Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        enable_progress_bar=False,
        callbacks=[StepSeed(), FiniteLoss(), *stimulation],
        **quiet,
    )


def protocols_of(seed: int, epochs: int) -> dict[str, Protocol | None]:
    """Return the protocol of every arm: the silence, its controls, and nothing."""
    data = data_of(seed)
    data.setup()
    silence = Protocol.build([SILENCE])
    half = max(1, epochs // 2 * len(data.train_dataloader()))
    controls = controls_of(silence, task_of(data).network, seed, release=half).protocols
    return {
        "free": None,
        "silenced": silence,
        "random": controls["random_units"],
        "sham": controls["sham"],
        "released": controls["release"],
    }


def at_test(protocol: Protocol | None) -> Protocol | None:
    """Return what a protocol does, in tests alone."""
    if protocol is None:
        return None
    content = protocol.to_dict()
    return Protocol.build({**content, "stimuli": [{**each, "phases": ["test"]} for each in content["stimuli"]]})


def run_seed(seed: int, epochs: int = 30) -> list[dict[str, Any]]:
    """Train every arm on one split and test it under every light that some comparison names."""
    protocols, found = protocols_of(seed, epochs), []
    wanted = dict.fromkeys(arm for pair in COMPARISONS.values() for arm in pair)
    for trained, protocol in protocols.items():
        seed_everything(seed, verbose=False)
        data = data_of(seed)
        task = task_of(data)
        trainer_of(epochs, protocol).fit(task, datamodule=data)
        for tested in (tested for arm, tested in wanted if arm == trained):
            scores = trainer_of(epochs, at_test(protocols[tested])).test(task, datamodule=data, verbose=False)[0]
            place = {"seed": seed, "trained": trained, "tested": tested}
            found.append({**place, "loss": scores["test/loss"], "auroc": scores["test/auroc"]})
    return found


def compare(runs: pd.DataFrame) -> dict[str, Comparison]:
    """Return the comparisons of the loss over seeds; a smaller loss is better."""
    losses = runs.pivot(index="seed", columns=["trained", "tested"], values="loss")
    return {
        name: compare_scores(-losses[first], -losses[second], test_fraction=TEST_FRACTION, rope=ROPE)
        for name, (first, second) in COMPARISONS.items()
    }


def write(runs: pd.DataFrame, folder: Path) -> None:
    """Write runs, table and figure."""
    runs.to_csv(folder / "runs.csv", index=False)
    found = compare(runs)
    means = runs.groupby(["trained", "tested"], sort=False)[["loss", "auroc"]].mean()
    lines = ["| trained | tested | loss | AUROC |", "|---|---|---:|---:|"]
    lines += [f"| {arm[0]} | {arm[1]} | {row.loss:.4f} | {row.auroc:.4f} |" for arm, row in means.iterrows()]
    lines += ["", "| comparison (+: smaller loss) | difference | 95 % interval | verdict |", "|---|---:|---|---|"]
    for name, one in found.items():
        low, high = one.interval
        lines.append(f"| {name} | {one.difference:+.4f} | [{low:+.4f}, {high:+.4f}] | {one.verdict} |")
    (folder / "table.md").write_text("\n".join(lines) + "\n")
    intervals = [one.interval for one in found.values()]
    figure = draw_forest(
        list(found),
        [one.difference for one in found.values()],
        [low for low, _ in intervals],
        [high for _, high in intervals],
        [one.verdict for one in found.values()],
        ROPE,
        xlabel="smaller test loss by",
        title=f"Pathway 'worst' silenced: {runs['seed'].nunique()} splits",
    )
    figure.savefig(folder / "silence_a_pathway.png", dpi=150)
    print("\n".join(lines))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all seeds; write runs, table and figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("silence_a_pathway"), help="folder of runs and figure")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=30)
    given = parser.parse_args(arguments)
    start_process()
    given.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in range(given.seeds):
        rows += run_seed(seed, given.epochs)
        print(f"seed {seed + 1} of {given.seeds}", flush=True)
    if not all(math.isfinite(row["loss"]) for row in rows):
        raise SystemExit("a loss is not finite")
    write(pd.DataFrame(rows), given.output)


if __name__ == "__main__":
    main()
