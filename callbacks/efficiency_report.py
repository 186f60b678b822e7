"""Say at the end of a test what the network costs, and what its score is worth beside a trivial model's."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from ..errors import InputError
from ..stimulation.batches import stimulated_network
from .efficiency.comparing import parameters_at_equal_score
from .efficiency.measuring import NetworkCost, measure_network
from .efficiency.report import Efficiency
from .efficiency.rows import floor_of, read_runs

__all__ = ["EfficiencyReport"]


class EfficiencyReport(Callback):
    """Measure parameters, operations, latency and memory when a test ends, and set the score against them.

    Written into the run folder: a table in Markdown and everything as JSON; a sentence is printed. E = score /
    log10(parameters), as published, stands beside that of a ridge logistic regression (ridge regression for numbers) on
    the same rows, because it rises without limit as networks shrink; see docs/efficiency.md.

    Args:
        metric: The score, larger is better; None: "test/auroc", or "test/r2" where that is logged.
        batch_size: Rows of the measured batch; None: those of the first test batch.
        warmup: Passes before the clock starts.
        repeats: Passes that are timed.
        floor: Whether to fit the trivial model on the training rows and score it on the test rows.
        runs: Table (CSV or Parquet) of other runs with the columns "parameters" and the name of the metric, or "score":
            how many parameters do they need for the same score?
        filename: Name of both files, without suffix.

    Raises:
        InputError: If an option is unusable, the metric is not logged, or the table of runs lacks a column.

    Example:
        >>> EfficiencyReport(repeats=20).filename
        'efficiency'
    """

    def __init__(
        self,
        metric: str | None = None,
        batch_size: int | None = None,
        warmup: int = 10,
        repeats: int = 50,
        floor: bool = True,
        runs: str | None = None,
        filename: str = "efficiency",
    ) -> None:
        for key, number, least in [("batch_size", batch_size, 1), ("warmup", warmup, 0), ("repeats", repeats, 1)]:
            if number is not None and number < least:
                raise InputError(f"{key} is {number}; it must be at least {least}")
        if runs is not None and not Path(runs).is_file():
            raise InputError(f"runs is {runs}, and there is no such file; give a CSV or Parquet table of runs")
        self.metric = metric
        self.batch_size = batch_size
        self.warmup = warmup
        self.repeats = repeats
        self.floor = floor
        self.runs = runs
        self.filename = filename
        self.result: Efficiency | None = None
        self._batch: Any = None

    def on_test_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Keep the first batch: what the network is measured with."""
        if batch_idx == 0 and dataloader_idx == 0:
            self._batch = batch

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure, compare, write."""
        folder = trainer.log_dir if trainer.loggers else None  # asked for on every rank: it is broadcast
        batch, self._batch = self._batch, None
        if not trainer.is_global_zero or batch is None:
            return
        # Lightning tests in inference mode, in which no gradient could be measured
        with torch.inference_mode(False):
            cost = self._measure(trainer, pl_module, batch)
            name, score = self._score(trainer)
            floor = floor_of(trainer, name, pl_module) if self.floor else None
        equal = None
        if self.runs is not None:
            equal = parameters_at_equal_score(score, read_runs(self.runs, name))
        self.result = Efficiency(cost, name, score, floor, equal)
        print(self.result.sentence())
        if folder:
            print(f"efficiency: {self.result.write(folder, self.filename)}")

    def _measure(self, trainer: Trainer, module: LightningModule, batch: Any) -> NetworkCost:
        network = stimulated_network(module)
        # a task that says itself what it is called with may add to that before its network is called
        own: Any = getattr(module, "network_inputs", None)
        first = batch[0] if isinstance(batch, (list, tuple)) else batch
        cost = measure_network(
            network if own is None else module,
            self._as_many_rows([first] if own is None else list(own(batch))),
            warmup=self.warmup,
            repeats=self.repeats,
            precision=trainer.precision_plugin.forward_context,
        )
        return replace(cost, network=type(network).__name__)

    def _as_many_rows(self, inputs: list[Any]) -> list[Any]:
        """Return inputs with as many rows as are asked for, the same ones again and again where there are fewer."""
        if self.batch_size is None:
            return inputs
        rows = torch.arange(self.batch_size)
        return [
            value.clone()[(rows % len(value)).to(value.device)] if isinstance(value, Tensor) and value.dim() else value
            for value in inputs
        ]

    def _score(self, trainer: Trainer) -> tuple[str, float]:
        logged = trainer.callback_metrics
        name = self.metric or next((known for known in ("test/auroc", "test/r2") if known in logged), "test/auroc")
        if name not in logged:
            raise InputError(
                f"metric is {name!r}, which this test did not log; logged were {', '.join(sorted(logged)) or 'none'}"
            )
        return name, float(logged[name])
