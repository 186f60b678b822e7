"""The search as its users see it: settings in, result out, everything kept in a folder."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

from ..comparison.ledger import Ledger
from ..comparison.runs.recipe import software_versions
from ..training.imports import apply_import_policy
from .engines import Engine, build_engine
from .pipeline import Pipeline
from .result import SearchResult
from .search_settings import SearchSettings
from .stages import SearchBase, StageRunner, StageWork, prepare_base

__all__ = ["Search"]


class Search:
    """Search for an activation, from proposed formulas to one score on rows that nobody has seen.

    An engine proposes formulas; the gate refuses what is not finite or grows too fast, and merges what is equal once
    normalised; proxies look at the network before training; few steps, then successive halving, train candidates side
    by side and judge them on validation rows that are taken from the training rows of the base. The finalists are
    trained with many seeds, beside known activations and random formulas in the same budget. The best of them is
    trained once more with fresh seeds and scored on the test rows, with the known activations, and never before.

    Every outcome is in the ledger of the folder as soon as it is known: a search that was killed goes on when it is
    run again, and ends with the figures of one that was not.

    Args:
        settings: The settings, or the mapping of a search file.
        output: Folder of the ledger.
        engine: An engine of one's own, in place of that of the settings.
        allow_imports: Packages that the config may name beside the usual ones.

    Raises:
        InputError: If a setting is not allowed; by `base` and `run`, if the config cannot be used for a search, or no
            candidate passes the gate.

    Example:
        >>> import tempfile
        >>> stages = {"proxies": None, "few_steps": None, "halving": {"epochs": [1], "keep": [2]}}
        >>> base = {
        ...     "model": {"class_path": "ClassificationTask", "init_args": {"network": "DenseNetwork"}},
        ...     "data": "BreastCancer",
        ...     "trainer": {"max_epochs": 1},
        ... }
        >>> search = Search(
        ...     {"base": base, "engine": {"kind": "enumerate", "max_nodes": 3, "operators": ["sin", "mul"]},
        ...      "stages": stages, "finalists": {"count": 2, "seeds": 2}, "workers": 0,
        ...      "controls": {"known": ["relu"], "random": 0}},
        ...     tempfile.mkdtemp(),
        ... )
        >>> result = search.run()
        >>> [stage.name for stage in result.stages]
        ['propose', 'gate', 'halving 1 epoch', 'finalists', 'test']
        >>> len(result.winner.scores), result.comparison.verdict in ("better", "worse", "equivalent", "inconclusive")
        (2, True)
    """

    def __init__(
        self,
        settings: SearchSettings | Mapping[str, Any],
        output: str | Path,
        *,
        engine: Engine | None = None,
        allow_imports: Sequence[str] = (),
    ) -> None:
        self.settings = settings if isinstance(settings, SearchSettings) else SearchSettings.from_mapping(settings)
        self.output = Path(output)
        self.allow_imports = tuple(allow_imports)
        self.engine: Engine = build_engine(self.settings.engine) if engine is None else engine
        self._is_own = engine is not None

    @cached_property
    def base(self) -> SearchBase:
        """The base of the search, checked and built.

        Raises:
            InputError: If the config cannot be used.
        """
        apply_import_policy(list(self.allow_imports))
        return prepare_base(self.settings)

    @property
    def workers(self) -> int:
        """Number of processes that train; 0: this one."""
        if self.settings.workers is not None:
            return self.settings.workers
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return cores if cores > 1 else 0

    def run(self, progress: Callable[[str, int, int, int], None] | None = None, *, fresh: bool = False) -> SearchResult:
        """Search, or go on with a search that was interrupted.

        Args:
            progress: Called with the stage, how many recipes it has, and how many are done and failed so far.
            fresh: Whether to put the stored outcomes aside and begin anew.

        Raises:
            InputError: See the class.
            RunError: If no candidate survives a stage.
        """
        base = self.base
        with Ledger(self.output / "ledger.sqlite", lock=True) as ledger:
            if fresh:
                ledger.put_aside()
            work = StageWork(base.config, os.getcwd(), self.allow_imports)
            runner = StageRunner(ledger, work, self.workers, self.settings.max_batch, progress)
            pipeline = Pipeline(self.settings, base, self.engine, runner, keeps_proposals=not self._is_own)
            with closing(runner.executor):
                found = pipeline.run()
        return SearchResult(
            name=self.settings.name,
            question=self.settings.question,
            metric=base.metric,
            higher_is_better=base.sign > 0,
            rope=base.rope,
            engine=self.engine.name,
            settings=self.settings.to_dict(),
            data=base.description,
            versions=software_versions(),
            **found,
        )
