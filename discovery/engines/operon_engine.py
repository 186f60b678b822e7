"""Evolution of formulas by Operon: much faster than gplearn, regression only, constants tuned by least squares."""

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from ...errors import InputError
from ..candidate import Candidate
from .base import SearchRows
from .checks import check_counts, check_operators
from .enumeration.engine import PUBLISHED_OPERATORS
from .fitting import FittingProblem, check_sample, fitting_problems, merge_ranked, read_original

__all__ = ["OperonEngine"]

# Operon's symbol and its type of node for each function of our grammar; log and sqrt take the size of their argument,
# as the protected ones of the grammar do. Without max and min: pyoperon 0.6.2 computes each where asked for the other.
_SYMBOLS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "abs": ("abs", "Abs"),
        "add": ("add", "Add"),
        "cos": ("cos", "Cos"),
        "div": ("div", "Div"),
        "exp": ("exp", "Exp"),
        "log": ("logabs", "Logabs"),
        "mul": ("mul", "Mul"),
        "sin": ("sin", "Sin"),
        "sqrt": ("sqrtabs", "Sqrtabs"),
        "square": ("square", "Square"),
        "sub": ("sub", "Sub"),
        "tan": ("tan", "Tan"),
        "tanh": ("tanh", "Tanh"),
    }
)
_NAMES: Mapping[str, str] = MappingProxyType({kind: name for name, (_, kind) in _SYMBOLS.items()})

_WHOLE_MUTATIONS = (
    "onepoint",
    "multipoint",
    "changevar",
    "changefunc",
    "insertsubtree",
    "replacesubtree",
    "removesubtree",
)


class OperonEngine:
    """Evolve formulas of the features by regression, then read all features as x: the engine "operon".

    Operon knows regression alone: the labels 0 and 1 are fitted as numbers by least squares, more classes one against
    the rest. It minimises the squared error (1 - R^2, scale and offset of the formula being free) and the length at
    once (NSGA-II). Every variable carries a weight, which is tuned and stays a number in the formula, so it prefers
    weighted approximations to short exact forms. With `whole_numbers` weights are whole and not tuned.

    The candidates are those of the last generation: first the front of fit and length, the best fit first, then the
    others. Scale and offset are left out: they belong to the regression, and the layer after an activation has its
    own. Each candidate has the score `train_r2`, for one class against the rest also `positive_class`, and the cost of
    the whole evolution; "evaluations" are those of a formula on all rows, tuning included. One thread, so that a seed
    has one result. Operon computes in float32.

    Args:
        population_size: Formulas of a generation.
        generations: Most generations.
        max_evaluations: Most evaluations, those that tune constants included.
        max_length: Most nodes of a formula as Operon counts them: a weighted variable is one.
        operators: Names of the grammar.
        sample: Share of the rows (a decimal) or number of rows that are drawn at random; None: all.
        standardize: Whether the rows are scaled by their own mean and deviation.
        tuning: Iterations of Levenberg-Marquardt per formula.
        whole_numbers: Whether weights are whole numbers and not tuned.
        keep: Most candidates; None: all distinct ones.

    Raises:
        InputError: If an argument is out of range.

    Source:
        Burlacu, Kronberger and Kommenda, "Operon C++: an efficient genetic programming framework for symbolic
        regression", 2020, doi:10.1145/3377929.3398099.

    Example:
        >>> engine = OperonEngine(population_size=50, operators=("add", "mul", "tanh"))
        >>> engine.needs_rows, engine.max_length
        (True, 10)
    """

    name: ClassVar[str] = "operon"
    needs_rows: ClassVar[bool] = True

    def __init__(
        self,
        population_size: int = 500,
        generations: int = 100,
        max_evaluations: int = 50_000,
        max_length: int = 10,
        operators: Sequence[str] = PUBLISHED_OPERATORS,
        sample: float | int | None = None,
        standardize: bool = False,
        tuning: int = 5,
        whole_numbers: bool = False,
        keep: int | None = None,
    ) -> None:
        counts = {"population_size": population_size, "generations": generations, "max_evaluations": max_evaluations}
        check_counts(**counts, max_length=max_length, **({} if keep is None else {"keep": keep}))
        check_sample(sample)
        if not isinstance(tuning, int) or isinstance(tuning, bool) or tuning < 0:
            raise InputError(f"tuning is {tuning!r}; it must be a number of iterations, 0 for none")
        self.population_size = population_size
        self.generations = generations
        self.max_evaluations = max_evaluations
        self.max_length = max_length
        self.operators = check_operators(operators, tuple(_SYMBOLS), self.name)
        self.sample = sample
        self.standardize = standardize
        self.tuning = tuning
        self.whole_numbers = whole_numbers
        self.keep = keep

    def propose(self, rows: SearchRows | None, seed: int) -> list[Candidate]:
        """Return the distinct formulas of the last generation as candidates, those of the front first.

        Args:
            rows: The rows it may see.
            seed: Seed of the sample and of the evolution.

        Raises:
            InputError: If there are no rows or one class alone, or pyoperon is not installed.
        """
        rankings = [
            list(self._candidates(problem, rows, seed))
            for problem in fitting_problems(rows, self.name, seed, self.sample, self.standardize)
        ]
        return merge_ranked(rankings, self.keep)

    def _candidates(self, problem: FittingProblem, rows: SearchRows | None, seed: int) -> Iterator[Candidate]:
        started = time.perf_counter()
        model = self._evolved(problem, seed)
        cost = {"seconds": time.perf_counter() - started, "evaluations": float(self._evaluations(model.stats_))}
        about = {} if problem.positive_class is None else {"positive_class": float(problem.positive_class)}
        known: dict[str, Any] = {"engine": self.name, "seed": seed, "cost": cost}
        known["data_hash"] = None if rows is None else rows.data_hash
        features = {key: f"X{position}" for position, key in enumerate(model.variables_)}
        for nodes, fit in _ranked(model):
            candidate = read_original(_prefix(nodes, features), scores={"train_r2": fit, **about}, **known)
            if candidate is not None:
                yield candidate

    def _evaluations(self, stats: Mapping[str, int]) -> int:
        # without tuning Operon counts none of these; each generation is evaluated once, the first one too
        tuned = stats["residual_evaluations"] + stats["jacobian_evaluations"]
        return tuned or self.population_size * (stats["generations"] + 1)

    def _evolved(self, problem: FittingProblem, seed: int) -> Any:
        symbols = [_SYMBOLS[name][0] for name in self.operators]
        model = _regressor()(
            allowed_symbols=",".join([*symbols, "constant", "variable"]),
            symbolic_mode=self.whole_numbers,
            # without the one that writes pi, e and the like
            mutation=dict.fromkeys(_WHOLE_MUTATIONS, 1.0) if self.whole_numbers else None,
            objectives=["r2", "length"],
            population_size=self.population_size,
            generations=self.generations,
            max_evaluations=self.max_evaluations,
            max_length=self.max_length,
            optimizer_iterations=self.tuning,
            n_threads=1,
            random_state=seed,
        )
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # formulas that overflow
            return model.fit(problem.x, problem.y.astype(np.float64))


def _regressor() -> Any:
    try:
        from pyoperon.sklearn import SymbolicRegressor
    except ImportError as error:
        raise InputError(
            "engine operon needs the package pyoperon, which cannot be imported; install it with "
            f"pip install 'axonlight[operon]' ({error})"
        ) from error
    return SymbolicRegressor


def _ranked(model: Any) -> Iterator[tuple[Sequence[Any], float]]:
    """Yield nodes and R^2 of every formula: the front of fit and length first, then the others, the best fit first."""
    trees = [(-float(one.GetFitness(0)), one.Genotype.Nodes) for one in model.individuals_ if one.Genotype.Nodes]
    finite = sorted((tree for tree in trees if np.isfinite(tree[0])), key=lambda tree: (-tree[0], len(tree[1])))
    front, others, shortest = [], [], np.inf
    for fit, nodes in finite:
        (front if len(nodes) < shortest else others).append((nodes, fit))
        shortest = min(shortest, len(nodes))
    yield from front
    yield from others


def _prefix(nodes: Sequence[Any], features: Mapping[int, str]) -> str:
    """Return a tree in our prefix form; Operon stores it in postfix order, the first operand last."""
    waiting: list[str] = []
    for node in nodes:
        if node.IsVariable:
            name, weight = features[node.HashValue], float(node.Value)
            waiting.append(name if weight == 1 else f"mul({weight!r}, {name})")
        elif node.IsConstant:
            waiting.append(repr(float(node.Value)))
        else:
            operands = [waiting.pop() for _ in range(node.Arity)]
            waiting.append(_call(_NAMES[node.Type.name], operands))
    return waiting.pop()


def _call(name: str, operands: Sequence[str]) -> str:
    """Return a call; sums and products of more than two operands become nested ones."""
    if len(operands) <= 2:
        return f"{name}({', '.join(operands)})"
    return _call(name, [f"{name}({operands[0]}, {operands[1]})", *operands[2:]])
