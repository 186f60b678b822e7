"""`Study`: a planned comparison, from its file to its ledger and its report."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ...errors import InputError
from ..design.checks import check_count
from ..design.fields import StudyFields
from ..design.plan import Plan, plan_runs
from ..design.study_file import read_study
from ..executors import Executor, choose_executor
from ..ledger import Ledger
from .budget import Budget, count_runs, pilot
from .conditions import describe_conditions
from .drive import drive
from .progress import StudyProgress
from .results import check_folder, check_owner
from .work import RunWork

if TYPE_CHECKING:
    from ..analysis import ReportData
    from ..design.preparation import Prepared
    from ..report import ReportPaths

__all__ = ["Study"]


class Study:
    """A planned comparison of arms on the same splits with the same seeds.

    Args:
        fields: What is compared, see `StudyFields`; as keywords, or as an object.
        output: Folder of the ledger and the report; None is runs/compare/NAME.
        allow_imports: Packages that configs may name beside the usual ones.

    Raises:
        InputError: If the study cannot be used; what concerns configs, data and null models is found when `plan` is
            first asked for.

    Example:
        >>> arms = {"relu": {}, "ash": {"overrides": {"model.network.activation": "ash"}}}
        >>> study = Study(base="demo.yaml", arms=arms, name="activations", folds=3, repeats=1, floors=["constant"])
        >>> len(study.plan.runs), study.plan.arms, study.fields.metrics
        (9, ('relu', 'ash', 'constant'), ('auroc',))
        >>> study.output.as_posix()
        'runs/compare/activations'
    """

    def __init__(
        self,
        fields: StudyFields | None = None,
        *,
        output: str | Path | None = None,
        allow_imports: Sequence[str] = (),
        **keywords: Any,
    ) -> None:
        if (fields is None) == (not keywords):
            raise InputError("a study takes its fields as keywords, such as base and arms, or as one StudyFields")
        self._given = StudyFields(**keywords) if fields is None else fields
        self.output = Path("runs", "compare", self._given.name) if output is None else Path(output)
        self.allow_imports = tuple(allow_imports)

    @classmethod
    def from_yaml(
        cls, path: str | Path, overrides: Sequence[tuple[str, Any]] = (), *, output: str | Path | None = None
    ) -> Self:
        """Return the study of a file, or a shipped one, with some of its keys set anew; see `read_study`.

        Raises:
            InputError: If the file cannot be used.
        """
        return cls(read_study(path, overrides), output=output)

    @property
    def fields(self) -> StudyFields:
        """The fields, with metrics and floors spelled out."""
        return self._prepared.fields

    @cached_property
    def _prepared(self) -> "Prepared":
        # Imported here: torch and lightning take seconds, and a mistake in the file is told at once.
        from ...training.imports import apply_import_policy
        from ..design.preparation import prepare

        apply_import_policy(list(self.allow_imports))
        return prepare(self._given)

    @cached_property
    def plan(self) -> Plan:
        """All runs; asking for them reads the data and builds every distinct arm once.

        Raises:
            InputError: If an arm cannot be used or compared; nothing has been trained or written.
        """
        fields = self.fields
        return plan_runs(self._prepared.arms, seed=fields.seed, repeats=fields.repeats, folds=fields.folds)

    @property
    def question(self) -> str:
        """The question, or the name."""
        return self._given.question or self._given.name

    @property
    def size(self) -> str:
        """The plan in one sentence."""
        fields, plan = self.fields, self.plan
        draws = [arm.num_draws for arm in fields.all_arms if arm.null is not None]
        number = " to ".join(f"{count}" for count in dict.fromkeys((min(draws), max(draws)))) if draws else ""
        drawn = f", {number} draw{'s' * (number != '1')} per null model" if draws else ""
        seeds = "1 seed" if fields.seeds == 1 else f"{fields.seeds} seeds"
        repeats = "" if fields.repeats == 1 else f" x {fields.repeats} repeats"
        return (
            f"{len(plan.arms)} arms on {fields.folds * fields.repeats} splits ({fields.folds} folds{repeats}), "
            f"{seeds}{drawn}: {len(plan.runs):,} runs, {len(plan.distinct):,} of them distinct"
        )

    @property
    def ledger_path(self) -> Path:
        """The file of the ledger."""
        return self.output / "ledger.sqlite"

    def check(self, executor: str | None = None, workers: int | None = None, *, resume: bool = True) -> None:
        """Check everything that can be checked before anything is trained or written.

        Args:
            executor: Instead of the study's.
            workers: Instead of the study's.
            resume: Whether runs of an earlier attempt shall count.

        Raises:
            InputError: If the study, its executor or the folder of its results cannot be used.
        """
        _ = self.plan
        self._executor(executor, workers)
        check_folder(self.output)
        if resume and self.ledger_path.is_file():
            with Ledger(self.ledger_path) as ledger:
                check_owner(ledger, self._given.name)

    def budget(
        self, *, timed: bool = True, workers: int | None = None, resume: bool = True, retry_failed: bool = False
    ) -> Budget:
        """Return how many runs are planned, shared, done and left, and what they will take.

        Args:
            timed: Whether a short pilot may be run where the ledger cannot tell what a run takes.
            workers: Instead of the study's.
            resume: Whether runs of an earlier attempt count.
            retry_failed: Whether failed runs are executed again.
        """
        plan, side = self.plan, max(self._workers(workers), 1)
        states: dict[str, str] = {}
        seconds: dict[str, float] = {}
        if self.ledger_path.is_file():
            with Ledger(self.ledger_path) as ledger:
                states, seconds = ledger.states() if resume else {}, ledger.seconds()
        states = {key: state for key, state in states.items() if not (retry_failed and state == "failed")}
        source = "by the runs done so far"
        counted = count_runs(plan, states, seconds, side, source)
        missing = [arm.arm for arm in counted.arms if arm.left and arm.seconds != arm.seconds]
        if timed and missing:
            left = [run for run in plan.distinct.values() if states.get(run.key) not in ("done", "failed")]
            seconds = {**pilot(self._groups(left, side), self._work), **seconds}
            counted = count_runs(plan, states, seconds, side, "by a short pilot, without floors")
        return counted

    def _groups(self, runs: Sequence[Any], side: int) -> list[list[Any]]:
        from ..runs import group_runs

        return group_runs(runs, self._most(len(runs), side))

    def _most(self, number: int, side: int) -> int:
        """Return the most runs of a group, so that no worker is without one."""
        return max(1, min(self._given.max_batch, -(-number // max(side, 1))))

    @property
    def _work(self) -> RunWork:
        return RunWork(os.getcwd(), self.allow_imports)

    def _workers(self, given: int | None) -> int:
        return self._given.num_workers if given is None else check_count("workers", given, 0)

    def _executor(self, name: str | None, workers: int | None) -> Executor:
        """Return what executes the runs, once it is known that it can."""
        given = self._given
        chosen = choose_executor(
            name or given.executor,
            self._workers(workers),
            address=given.address,
            slurm=given.slurm,
            folder=self.output,
        )
        chosen.check()
        return chosen

    def run(
        self,
        executor: str | None = None,
        workers: int | None = None,
        *,
        resume: bool = True,
        retry_failed: bool = False,
        progress: bool = True,
    ) -> Ledger:
        """Execute what is not done yet.

        Args:
            executor: "local", "ray" or "slurm", instead of the study's.
            workers: How many groups of runs are executed at a time, instead of the study's.
            resume: Whether runs of an earlier attempt count; else its ledger is put aside under another name.
            retry_failed: Whether failed runs are executed again.
            progress: Whether to show it.

        Returns:
            The ledger, open.

        Raises:
            InputError: If the study cannot be used, or another process is running it.
        """
        from ..runs import group_runs

        plan, side = self.plan, self._workers(workers)
        chosen = self._executor(executor, workers)
        with Ledger(self.ledger_path, lock=True) as ledger:
            if resume:
                check_owner(ledger, self._given.name)
            else:
                ledger.put_aside()
            ledger.add_plan(plan.runs)
            ledger.recover(failed=retry_failed)
            ledger.note(fields=_plain(self.fields), fingerprint=self._prepared.fingerprint)
            counts = ledger.counts()
            before = counts["done"] + counts["failed"]
            most = self._most(counts["planned"], side)
            if not progress:
                drive(ledger, plan, chosen, self._work, group_runs, most=most)
            elif counts["planned"]:
                with StudyProgress(len(plan.distinct), before) as shown:
                    drive(ledger, plan, chosen, self._work, group_runs, most=most, progress=shown.advance)
        return Ledger(self.ledger_path)

    def analyze(self, *, command: str = "") -> "ReportData":
        """Judge the arms by the runs in the ledger, also while some are missing.

        Args:
            command: How the study was started, for the reader of the report.

        Raises:
            InputError: If there is no ledger yet.
        """
        from ..analysis import analyze

        if not self.ledger_path.is_file():
            raise InputError(f"there is no ledger {self.ledger_path}; run the study first")
        with Ledger(self.ledger_path) as ledger:
            found = ledger.facts()
            return analyze(
                self.fields,
                ledger.frame(),
                metrics=list(self.fields.metrics or ()),
                curves=ledger.curves(),
                details=ledger.details(),
                conditions=describe_conditions(self.plan, found.get("fingerprint"), command),
            )

    def report(self, output: str | Path | None = None, *, command: str = "") -> "ReportPaths":
        """Write the report of the runs in the ledger: a page, the verdicts, the runs and a card of the null models.

        Args:
            output: Folder; None is that of the ledger.
            command: How the study was started, for the reader.

        Returns:
            The paths of the files.

        Raises:
            InputError: If there is no ledger yet.
        """
        from ..report import write_report

        return write_report(self.analyze(command=command), self.output if output is None else output)


def _plain(fields: StudyFields) -> dict[str, Any]:
    """Return the fields as plain data, with every arm spelled out."""
    return {**asdict(fields), "arms": {arm.name: arm.describe() for arm in fields.all_arms}}
