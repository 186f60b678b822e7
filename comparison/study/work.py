"""What a worker does with a group of runs."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..executors.base import Group, attempt

__all__ = ["RunWork"]


@dataclass(frozen=True)
class RunWork:
    """Execute recipes in a process that may be new: the same folder, import policy and number of threads everywhere.

    Attributes:
        folder: Working directory of the study; relative paths of configs begin there.
        allowed: Packages that configs may name beside the usual ones.

    Example:
        >>> model = {"class_path": "ClassificationTask", "init_args": {"network": "DenseNetwork"}}
        >>> config = {"seed_everything": 0, "model": model, "data": "BreastCancer", "trainer": {"max_epochs": 1}}
        >>> results = RunWork()([{"kind": "floor", "floor": "constant", "config": config}])
        >>> results[0].metrics["auroc"]
        0.5
    """

    folder: str = "."
    allowed: tuple[str, ...] = ()

    def __call__(self, recipes: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Return the result of each recipe; whatever goes wrong with one is in its own result."""
        from ..runs import Result, execute_batch

        with self.surroundings():
            together = attempt(execute_batch, Group(("",) * len(recipes), tuple(recipes)))
            if together.error is None:
                return list(together.results)
            if len(recipes) == 1:
                return [Result.failure(together.error)]
            return [result for recipe in recipes for result in self([recipe])]

    @contextmanager
    def surroundings(self) -> Iterator[None]:
        """Make this process one in which runs give the same figures everywhere."""
        import torch

        from ...training.imports import apply_import_policy

        if self.folder != "." and os.path.isdir(self.folder):
            os.chdir(self.folder)
        apply_import_policy(list(self.allowed))
        # Sums of several threads come in another order: results must not depend on where a run is executed.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
