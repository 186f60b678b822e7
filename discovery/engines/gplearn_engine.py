"""Evolution of formulas by gplearn: the published protocol, on rows of one's choice."""

import difflib
import inspect
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from scipy.special import erf, expit

from ...activations.formula.prefix import text_of_program
from ...errors import InputError
from ..candidate import Candidate
from .base import SearchRows
from .checks import check_counts, check_operators
from .enumeration.engine import PUBLISHED_OPERATORS
from .fitting import FittingProblem, check_sample, fitting_problems, merge_ranked, read_original

__all__ = ["GplearnEngine"]

_BUILT_IN = ("abs", "add", "cos", "div", "inv", "log", "max", "min", "mul", "neg", "sin", "sqrt", "sub", "tan")


def _exp(a: np.ndarray) -> np.ndarray:
    return np.exp(np.minimum(a, 40.0))


def _relu(a: np.ndarray) -> np.ndarray:
    return np.maximum(a, 0.0)


def _softplus(a: np.ndarray) -> np.ndarray:
    return np.logaddexp(0.0, a)


# What gplearn lacks, as the grammar of formulas defines it.
_ADDED: Mapping[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType(
    {
        "erf": erf,
        "exp": _exp,
        "relu": _relu,
        "sigmoid": expit,
        "softplus": _softplus,
        "square": np.square,
        "tanh": np.tanh,
    }
)
_OWN = ("population_size", "generations", "function_set", "random_state", "n_jobs")


class GplearnEngine:
    """Evolve formulas of the features that predict the target, then read all features as x: the engine "gplearn".

    The defaults are the published protocol: 500 programs, 5 generations, add sub mul sin cos abs, on a random tenth of
    the rows that is standardised by itself; log loss through a sigmoid for classes, mean absolute error for values,
    all else gplearn's defaults. The published search drew that tenth from all rows, test rows included; here it sees
    the rows that it is given, so give it training rows (`search_rows`), or all rows to repeat the published leak.

    gplearn's classifier knows two classes: more run one against the rest, with the same seed and sample. The
    candidates are the programs of the last generation, best first: the first is gplearn's own choice. Each has the
    score `train_log_loss` (or the name of the metric), for one class against the rest also `positive_class`, and the
    cost of the whole evolution. Numbers keep their full precision and stay fixed. For the published operators a
    candidate's function is exactly gplearn's; for div, inv, log, sqrt and tan it is with `Formula(protect="gplearn")`.

    Args:
        population_size: Programs of a generation.
        generations: Number of generations.
        operators: Names of the grammar; erf, exp, relu, sigmoid, softplus, square and tanh are added to gplearn's.
        sample: Share of the rows (a decimal) or number of rows that are drawn at random; None: all.
        standardize: Whether the drawn rows are scaled by their own mean and deviation.
        keep: Most candidates; None: all distinct ones of the last generation.
        jobs: Processes; the result does not depend on it.
        options: Further arguments of gplearn's `SymbolicClassifier` or `SymbolicRegressor` by their names.

    Raises:
        InputError: If an argument is out of range.

    Source:
        arXiv 2601.10740; gplearn 0.4.3.

    Example:
        >>> rows = SearchRows(np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 2, "binary")
        >>> engine = GplearnEngine(population_size=20, generations=2, sample=None, options={"tournament_size": 5})
        >>> found = engine.propose(rows, seed=1)
        >>> found[0].engine, found[0].seed, found[0].cost["evaluations"]
        ('gplearn', 1, 40.0)
    """

    name: ClassVar[str] = "gplearn"
    needs_rows: ClassVar[bool] = True

    def __init__(
        self,
        population_size: int = 500,
        generations: int = 5,
        operators: Sequence[str] = PUBLISHED_OPERATORS,
        sample: float | int | None = 0.1,
        standardize: bool = True,
        keep: int | None = None,
        jobs: int = 1,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        check_counts(
            population_size=population_size, generations=generations, **({} if keep is None else {"keep": keep})
        )
        check_sample(sample)
        self.population_size = population_size
        self.generations = generations
        self.operators = check_operators(operators, (*_BUILT_IN, *_ADDED), self.name)
        self.sample = sample
        self.standardize = standardize
        self.keep = keep
        self.jobs = jobs
        self.options = dict(options or {})

    def propose(self, rows: SearchRows | None, seed: int) -> list[Candidate]:
        """Return the distinct programs of the last generation as candidates, best first.

        Args:
            rows: The rows it may see.
            seed: Seed of the sample and of the evolution.

        Raises:
            InputError: If there are no rows or one class alone, gplearn is not installed or refuses an option.
        """
        rankings = [
            list(self._candidates(problem, rows, seed))
            for problem in fitting_problems(rows, self.name, seed, self.sample, self.standardize)
        ]
        return merge_ranked(rankings, self.keep)

    def _candidates(self, problem: FittingProblem, rows: SearchRows | None, seed: int) -> Iterator[Candidate]:
        started = time.perf_counter()
        model = self._evolved(problem, seed)
        evaluations = self.population_size * len(model.run_details_["generation"])
        cost = {"seconds": time.perf_counter() - started, "evaluations": float(evaluations)}
        score = f"train_{str(model.metric).replace(' ', '_')}"
        about = {} if problem.positive_class is None else {"positive_class": float(problem.positive_class)}
        known: dict[str, Any] = {"engine": self.name, "seed": seed, "cost": cost}
        known["data_hash"] = None if rows is None else rows.data_hash
        for program in _ranked(model):
            scores = {score: float(program.raw_fitness_), **about}
            candidate = read_original(text_of_program(program), scores=scores, **known)
            if candidate is not None:
                yield candidate

    def _evolved(self, problem: FittingProblem, seed: int) -> Any:
        genetic = _gplearn()
        kind = genetic.SymbolicRegressor if problem.is_regression else genetic.SymbolicClassifier
        try:
            model = kind(
                population_size=self.population_size,
                generations=self.generations,
                function_set=_functions(self.operators),
                random_state=seed,
                n_jobs=self.jobs,
                **_known_options(kind, self.options),
            )
            with np.errstate(all="ignore"):  # programs overflow; evolution drops them
                return model.fit(problem.x, problem.y)
        except InputError:
            raise
        except ValueError as error:  # gplearn checks its arguments when it fits
            raise InputError(f"gplearn refuses the engine's options: {' '.join(str(error).split())}") from error


def _gplearn() -> Any:
    try:
        from gplearn import genetic
    except ImportError as error:
        raise InputError(
            "engine gplearn needs the package gplearn (0.4.3 or later), which cannot be imported; install it with "
            f"pip install 'gplearn>=0.4.3' ({error})"
        ) from error
    return genetic


def _functions(operators: Sequence[str]) -> list[Any]:
    from gplearn.functions import make_function

    return [
        make_function(function=_ADDED[name], name=name, arity=1, wrap=False) if name in _ADDED else name
        for name in operators
    ]


def _known_options(kind: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    known = [name for name in inspect.signature(kind).parameters if name not in _OWN]
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=3) or known
            raise InputError(f"options of engine gplearn has the key '{name}'; nearest are {', '.join(near)}")
    return dict(options)


def _ranked(model: Any) -> list[Any]:
    """Return the programs of the last generation, gplearn's own choice first, the others by their raw fitness."""
    programs = model._programs[-1]
    fitness = np.array([program.raw_fitness_ for program in programs])
    order = np.argsort(-fitness if model._metric.greater_is_better else fitness, kind="stable")
    return [model._program, *(programs[index] for index in order)]
