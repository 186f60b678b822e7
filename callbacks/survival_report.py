"""Say at the end how well the network ranks the test patients, beside simple models on the same patients."""

from math import isnan
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from ..errors import InputError
from ..metrics.survival import risk_groups
from ..models import SurvivalTask
from .survival import Predicted, SurvivalScores, predict_rows, score_beside_floors

__all__ = ["SurvivalReport"]


class SurvivalReport(Callback):
    """Print the C-index of the test patients with its floors when training or a test ends, and write them down.

    The floors are ridge Cox regressions on what the data call views (`data.floor_views()`): expression, pathway means,
    clinical columns, and the mean of the ranks of two of them; see `baselines.survival_risks`. They are fitted on the
    rows that the network trains on. After training, the weights are the last ones: nothing is selected by what is
    printed. Written into the run folder: a table of patients (`survival.csv`), one of scores (`survival_scores.csv`)
    and Kaplan-Meier curves of the patients above and below the median of the training risks (`survival.png`).

    Args:
        floors: Whether to fit the floors.
        seed: Seed of the floors' inner folds.
        filename: Name of the files, without suffix.

    Attributes:
        scores: What was found last, or None.

    Raises:
        InputError: If the task is no `SurvivalTask`.

    Example:
        >>> SurvivalReport(floors=False).filename
        'survival'
    """

    def __init__(self, floors: bool = True, seed: int = 0, filename: str = "survival") -> None:
        self.floors = floors
        self.seed = seed
        self.filename = filename
        self.scores: SurvivalScores | None = None
        self._lines: list[str] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse another task before time is spent."""
        if not isinstance(pl_module, SurvivalTask):
            raise InputError(
                f"SurvivalReport needs a SurvivalTask, not {type(pl_module).__name__}; leave the callback out"
            )

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Score the test patients with the last weights."""
        self._report(trainer, pl_module, "last weights")

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print what was found, below the progress."""
        self._print()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Score the test patients and print."""
        self._report(trainer, pl_module, "these weights")
        self._print()

    def _print(self) -> None:
        if self._lines:
            print("\n".join(self._lines))
        self._lines = []

    def _report(self, trainer: Trainer, task: Any, weights: str) -> None:
        folder = trainer.log_dir if trainer.loggers else None  # asked for on every rank: it is broadcast
        if not trainer.is_global_zero:
            return
        data: Any = getattr(trainer, "datamodule", None)
        if trainer.world_size > 1 or data is None or not callable(getattr(data, "survival_targets", None)):
            self._lines = ["survival: no floors, which need one process and a data module that tells survival_targets"]
            return
        if not len(data.survival_targets("test")):
            self._lines = ["survival: no patient tests, so there is neither a C-index nor a floor"]
            return
        training = predict_rows(trainer, task, "train")
        if task.form == "cox":  # curves need the hazard of the weights as they are now
            task.set_baseline(training.risk, training.target)
        predicted = predict_rows(trainer, task, "test")
        with_floors = (
            self.floors and bool(predicted.target[:, 1].any()) and callable(getattr(data, "floor_views", None))
        )
        views = data.floor_views() if with_floors else {}
        times = task.bin_ends[:-1].cpu() if task.num_bins > 2 else None
        self.scores = score_beside_floors(predicted, views, data.survival_targets("train"), times, self.seed)
        self._lines = _sentences(self.scores, predicted, weights)
        if folder:
            names = data.patient_names("test")
            self._lines.append(self._write(Path(folder), predicted, names, training.risk, task.prediction_names))

    def _write(
        self, folder: Path, predicted: Predicted, names: list[str], training_risk: torch.Tensor, columns: list[str]
    ) -> str:
        import pandas as pd

        from ..plots import draw_kaplan_meier

        assert self.scores is not None  # noqa: S101
        folder.mkdir(parents=True, exist_ok=True)
        time, event = predicted.target.unbind(dim=1)
        patients = pd.DataFrame({"patient": names, "time": time.numpy(), "event": event.int().numpy()})
        patients["risk"] = predicted.risk.numpy()
        patients["group"] = ["high risk" if high else "low risk" for high in predicted.risk > training_risk.median()]
        patients[columns[1:]] = predicted.survival.numpy()
        for name, risk in self.scores.risks.items():
            if name != "model":
                patients[f"risk_of_{name}"] = risk
        stem = folder / self.filename
        patients.to_csv(stem.with_suffix(".csv"), index=False)
        self.scores.table().to_csv(folder / f"{self.filename}_scores.csv", index=False)
        groups = risk_groups(predicted.risk, time, event, training_risk)
        drawn: Any = {name: (when.numpy(), what.numpy()) for name, (when, what) in groups.items()}
        draw_kaplan_meier(drawn, title="test patients by predicted risk").savefig(stem.with_suffix(".png"), dpi=150)
        return f"survival: {stem.with_suffix('.csv')}, {self.filename}_scores.csv, {self.filename}.png"


def _sentences(scores: SurvivalScores, predicted: Predicted, weights: str) -> list[str]:
    model = scores.concordance["model"]
    events = int(predicted.target[:, 1].sum())
    if isnan(model.value):
        return [
            f"survival: the C-index is undefined on {len(predicted.risk)} test patients with {events} events: no two "
            "of them can be compared"
        ]
    lines = [
        f"survival: C-index {_interval(model.value, model.interval)} on {len(predicted.risk)} test patients with "
        f"{events} events ({weights}; 95 % intervals over patients)"
    ]
    width = max((len(name) for name in scores.lead), default=0)
    for name, lead in scores.lead.items():
        floor = scores.concordance[name]
        lines.append(
            f"  floor {name:<{width}}  {_interval(floor.value, floor.interval)}  network less floor "
            f"{_interval(lead.difference, lead.interval, '+')}"
        )
    if (best := scores.best_floor) is not None:
        low, high = scores.lead[best].interval
        said = "better than" if low > 0 else "worse than" if high < 0 else "not told apart from"
        lines.append(f"  the network is {said} the strongest floor on these patients, {best}")
    return lines


def _interval(value: float, ends: tuple[float, float], sign: str = "") -> str:
    if isnan(ends[0]):
        return f"{value:{sign}.3f} (no interval)"
    return f"{value:{sign}.3f} ({ends[0]:{sign}.3f} to {ends[1]:{sign}.3f})"
