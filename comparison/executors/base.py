"""What all executors share: groups of runs go in, outcomes come out in the order in which they are ready."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Executor", "Group", "Outcome", "Work", "attempt", "sentence"]

# From the recipes of a group to the result of each.
Work = Callable[[Sequence[Mapping[str, Any]]], list[Any]]

# A group whose worker dies is run again so often; a third death is the group's own fault.
RETRIES = 2


@dataclass(frozen=True)
class Group:
    """Runs that one worker executes together.

    Attributes:
        keys: Their keys.
        recipes: Their recipes.

    Example:
        >>> Group(("key 0", "key 1"), ({"fold": 0}, {"fold": 1})).keys
        ('key 0', 'key 1')
    """

    keys: tuple[str, ...]
    recipes: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Outcome:
    """What became of a group.

    Attributes:
        keys: The keys of its runs.
        results: One result per run; empty where there are none.
        error: Why there are no results.

    Example:
        >>> Outcome(("key 0",), error="its worker ended 3 times: killed by SIGKILL").results
        ()
    """

    keys: tuple[str, ...]
    results: Sequence[Any] = ()
    error: str | None = None


class Executor(Protocol):
    """Where groups of runs are executed.

    Example:
        >>> from axonlight.comparison.executors import LocalExecutor
        >>> executor: Executor = LocalExecutor(workers=0)
        >>> [outcome.keys for outcome in executor.run([Group(("a",), ({},))], lambda recipes: [1], print)]
        ('a',) process ...
        [('a',)]
    """

    def check(self) -> None:
        """Refuse what cannot be used, with nothing written or started.

        Raises:
            InputError: Naming what is missing.
        """
        ...

    def run(
        self, groups: Sequence[Group], work: Work, started: Callable[[Sequence[str], str], None]
    ) -> Iterator[Outcome]:
        """Execute the groups and yield an outcome for each as it is ready.

        Args:
            groups: What to execute.
            work: What executes a group; it is sent to other processes, so it must be picklable.
            started: Called in this process with the keys and the worker when a group is handed out.
        """
        ...


def attempt(work: Work, group: Group) -> Outcome:
    """Execute a group in this process; an exception becomes the error of its runs.

    Example:
        >>> attempt(lambda recipes: [1 / recipe["by"] for recipe in recipes], Group(("a",), ({"by": 0},))).error
        'ZeroDivisionError: division by zero'
    """
    try:
        results = work(group.recipes)
        if len(results) != len(group.keys):
            return Outcome(group.keys, error=f"{len(results)} results for {len(group.keys)} runs")
    except Exception as error:
        return Outcome(group.keys, error=sentence(error))
    return Outcome(group.keys, results)


def sentence(error: BaseException) -> str:
    """Return what an error says on one line, with its class.

    Example:
        >>> sentence(KeyError("null"))
        "KeyError: 'null'"
    """
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
