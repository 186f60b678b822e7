"""Clamp one or two factors of a rank-one tensor while it learns: the plateau shrinks, then it is gone.

    python examples/rank_one_tensor.py --output rank_one_tensor --seeds 9

Writes OUTPUT/rank_one_tensor.csv (updates until the loss is below 1 % of what it was, per arm and seed) and a figure of
the three loss curves: median and the middle 80 % of the seeds. The toy of Singh et al., arXiv:2404.07129.
"""

import argparse
import csv
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from axonlight.callbacks import Optogenetics
from axonlight.models import RankOneTensor
from axonlight.plots import draw_median_bands
from lightning.pytorch import LightningModule, Trainer
from numpy.typing import NDArray
from torch.utils.data import DataLoader

__all__ = ["ARMS", "learned_at", "losses_of", "main"]

ARMS = {"nothing clamped": "", "c clamped": "c", "b and c clamped": "bc"}
SHARE = 0.01


class RankOneTask(LightningModule):
    """Gradient descent on the half mean squared error, at rate 1; remembers the loss of every update."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.network = RankOneTensor(seed=seed)
        self.losses: list[torch.Tensor] = []

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        """Return the loss."""
        loss = self.network.loss(batch)
        self.losses.append(loss.detach())
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return plain gradient descent."""
        return torch.optim.SGD(self.parameters(), lr=1.0)


def losses_of(arm: str, seed: int, updates: int = 1_000) -> NDArray[np.float64]:
    """Return the loss before every update of a run whose arm names the factors that are clamped to the truth."""
    task = RankOneTask(seed)
    truth = dict(zip("abc", task.network.truth.tolist(), strict=True))
    protocol = [{"target": factor, "opsin": {"kind": "clamp", "value": truth[factor]}} for factor in arm]
    trainer = Trainer(
        max_steps=updates,
        max_epochs=-1,
        accelerator="cpu",
        callbacks=[Optogenetics(protocol, show=False)] if protocol else [],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(task, DataLoader(torch.zeros(updates, 1), batch_size=1))
    return torch.stack(task.losses).double().numpy()


def learned_at(losses: NDArray[np.float64]) -> float:
    """Return the number of updates until the loss is below 1 % of the first; infinity where it never is."""
    below = np.flatnonzero(losses < SHARE * losses[0])
    return float(below[0]) if len(below) else np.inf


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all arms and seeds; write the table and the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("rank_one_tensor"), help="folder of table and figure")
    parser.add_argument("--seeds", type=int, default=9, help="number of seeds")
    parser.add_argument("--updates", type=int, default=1_000)
    given = parser.parse_args(arguments)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", ".*does not have many workers")
    given.output.mkdir(parents=True, exist_ok=True)
    curves = {
        name: np.stack([losses_of(arm, seed, given.updates) for seed in range(given.seeds)])
        for name, arm in ARMS.items()
    }
    times = {name: [learned_at(losses) for losses in runs] for name, runs in curves.items()}
    with (given.output / "rank_one_tensor.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["arm", *(f"seed {seed}" for seed in range(given.seeds))])
        writer.writerows([name, *values] for name, values in times.items())
    relative = {name: (np.arange(runs.shape[1]), runs / runs[:, :1]) for name, runs in curves.items()}
    figure = draw_median_bands(
        relative,
        xlabel="update",
        ylabel="loss / first loss",
        level=SHARE,
        title="Rank-one tensor: the more factors are clamped, the shorter the plateau",
    )
    figure.savefig(given.output / "rank_one_tensor.png", dpi=150)
    for name, values in times.items():
        never = int(np.isinf(values).sum())
        print(f"{name}: median {np.median(values):.0f} updates, {never} of {len(values)} not within {given.updates}")


if __name__ == "__main__":
    main()
