"""Say at the end which parts of its input a network uses, by taking them away."""

import fnmatch
from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from ..attribution.audit import InputUse, KnockOut, ProbeKind, audit_score, input_audit, usual_knock_outs
from ..errors import InputError, shown
from ..models import ClassificationTask, RegressionTask, SurvivalTask

__all__ = ["InputAudit"]

_SCORES = ((SurvivalTask, "c_index"), (ClassificationTask, "accuracy"), (RegressionTask, "squared_error"))


class InputAudit(Callback):
    """Audit the network on the test rows when training or a test ends, and print and write what was found.

    Modalities, or groups of a table's columns, are permuted, mean-imputed and dropped; pathways and prototypes are
    knocked out where the network names them. See `attribution.input_audit`. Means are those of the training rows; the
    weights are the last ones. Written into the run folder: `audit.csv` and `audit.png`.

    Args:
        probes: Which of "permute", "mean", "drop".
        knock_outs: Whether to knock out every pathway and prototype; or which sites, by name or pattern.
        groups: Columns of a table by the name of their group: names of features, or patterns with ``*``; None: the
            expression and the covariates of a table of patients, all columns of another.
        draws: Permutations.
        seed: Seed of the permutations.
        top: Knock-outs of each site that are printed and drawn.
        filename: Name of the files, without suffix.

    Attributes:
        use: What was found last, or None.

    Raises:
        InputError: If the task has no score, a site is not there, or a group holds no column.

    Example:
        >>> InputAudit(draws=5, knock_outs=False).filename
        'audit'
    """

    def __init__(
        self,
        probes: Sequence[ProbeKind] = ("permute", "mean", "drop"),
        knock_outs: bool | list[str] = True,
        groups: dict[str, list[str]] | None = None,
        draws: int = 20,
        seed: int = 0,
        top: int = 5,
        filename: str = "audit",
    ) -> None:
        for key, value in (("draws", draws), ("top", top)):
            if value < 1:
                raise InputError(f"{key} is {value}; it must be a positive integer")
        self.probes, self.knock_outs, self.groups = probes, knock_outs, groups
        self.draws, self.seed, self.top, self.filename = draws, seed, top, filename
        self.use: InputUse | None = None
        self._lines: list[str] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a task without a score before time is spent."""
        _score_of(pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Audit the last weights."""
        self._audit(trainer, pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print what was found, below the progress."""
        self._print()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Audit and print."""
        self._audit(trainer, pl_module)
        self._print()

    def _print(self) -> None:
        if self._lines:
            print("\n".join(self._lines))
        self._lines = []

    def _audit(self, trainer: Trainer, task: Any) -> None:
        folder = trainer.log_dir if trainer.loggers else None  # asked for on every rank: it is broadcast
        if not trainer.is_global_zero:
            return
        data: Any = getattr(trainer, "datamodule", None)
        if trainer.world_size > 1 or data is None:
            self._lines = ["audit: none, since it needs one process and a data module"]
            return
        batches = data.test_dataloader()
        if not len(batches):
            self._lines = ["audit: none, since no row tests"]
            return

        def predict(inputs: Any) -> Any:
            with trainer.precision_plugin.forward_context():
                return task.total_predictions(task(inputs))

        self.use = input_audit(
            task.network,
            batches,
            predict=predict,
            score=_score_of(task),
            reference=data.train_dataloader(),
            groups=column_groups(data, self.groups),
            probes=self.probes,
            knock_outs=self._chosen(task),
            draws=self.draws,
            seed=self.seed,
        )
        self._lines = self.use.sentences(self.top)
        if folder and not isnan(self.use.value):
            self._lines.append(self._write(Path(folder), self.use))

    def _chosen(self, task: Any) -> list[KnockOut]:
        if isinstance(self.knock_outs, bool):
            return usual_knock_outs(task.network) if self.knock_outs else []
        usual = {knock_out.sites: knock_out for knock_out in usual_knock_outs(task.network)}
        return [usual.get(site, KnockOut(site)) for site in self.knock_outs]

    def _write(self, folder: Path, use: InputUse) -> str:
        from ..plots import draw_input_use

        table = use.write(folder / f"{self.filename}.csv")
        lines = use.drawn(self.top)
        changes = [line.change for line in lines]
        figure = draw_input_use(
            [line.title for line in lines],
            [change.change for change in changes],
            [change.interval[0] for change in changes],
            [change.interval[1] for change in changes],
            xlabel=f"change of the {use.score.title}, {use.value:.3f} as it is",
            title=f"What the network uses, on {use.rows} test rows",
        )
        figure.savefig(table.with_suffix(".png"), dpi=150)
        return f"audit: {table}, {self.filename}.png"


def _score_of(task: LightningModule) -> str:
    for kind, score in _SCORES:
        if isinstance(task, kind):
            return audit_score(score).name
    raise InputError(f"InputAudit has no score for {type(task).__name__}; leave the callback out")


def column_groups(data: Any, given: Mapping[str, Sequence[str]] | None) -> dict[str, list[int]] | None:
    """Return the places of the columns of each group, or None: for data with modalities, or all columns as one group.

    Args:
        data: The data module; one whose table holds genes and covariates says so by `gene_names`.
        given: Names or patterns of features by group; None takes what the data say.

    Raises:
        InputError: If a pattern matches no feature.
    """
    names = list(getattr(data, "feature_names", None) or [])
    if given is not None:
        return {group: _matching(group, patterns, names) for group, patterns in given.items()}
    genes, covariates = getattr(data, "gene_names", None), getattr(data, "covariate_names", None)
    if genes is None:
        return None
    groups = {"rna": list(range(len(genes))), "clinical": list(range(len(genes), len(genes) + len(covariates or [])))}
    return {group: columns for group, columns in groups.items() if columns}


def _matching(group: str, patterns: Sequence[str], names: Sequence[str]) -> list[int]:
    found = []
    for pattern in patterns:
        places = [place for place, name in enumerate(names) if name == pattern]
        places = places or [place for place, name in enumerate(names) if fnmatch.fnmatchcase(name, pattern)]
        if not places:
            raise InputError(f"groups.{group} holds {pattern!r}, which is no feature; there are {shown(names)}")
        found += places
    return sorted(set(found))
