"""What the published search finds with its leak and without, as Markdown; and programs of several features."""

import ast
import datetime as dt
import importlib.metadata
import math
import os
import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from _marked_tables import table
from axonlight.activations import Formula
from axonlight.activations.formula import Node, Operation, parse_formula
from axonlight.comparison import compare_scores, estimate_mean

__all__ = ["Search", "as_sum", "evaluate_program", "report"]

TEST_SHARE = 0.2
ROPE = 0.01
FUNCTIONS: Mapping[str, Callable[..., np.ndarray]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "sin": np.sin,
    "cos": np.cos,
    "abs": np.abs,
}
MEASURES = {
    "log loss on the rows seen": "seen_log_loss",
    "AUC of the program on the test rows": "program_auroc",
    "network: accuracy": "accuracy",
    "network: AUC": "auroc",
}

_NAMES = {
    "leak": "with the leak",
    "no leak": "training rows alone",
    "line": "no search: 5x",
    "relu": "no search: ReLU",
}


@dataclass(frozen=True)
class Search:
    """One search and the network trained with its formula; the fields are the columns of the CSV file."""

    dataset: str
    mode: str
    seed: int
    axonlight: str
    torch: str
    rows_drawn: int = 0
    test_rows_drawn: int = 0
    program: str = ""
    formula: str = ""
    seen_log_loss: float = math.nan
    program_auroc: float = math.nan
    accuracy: float = math.nan
    auroc: float = math.nan
    search_seconds: float = 0.0


def evaluate_program(program: str, x: np.ndarray) -> np.ndarray:
    """Return the values of a program of several features, (N,), for rows (N, F)."""

    def value(node: ast.expr) -> np.ndarray:
        match node:
            case ast.Call(func=ast.Name(id=name), args=operands):
                return FUNCTIONS[name](*map(value, operands))
            case ast.Name(id=name):
                return x[:, int(name.removeprefix("X"))]
            case _:
                return np.asarray(float(ast.unparse(node)))

    return np.broadcast_to(value(ast.parse(program, mode="eval").body), len(x))


def as_sum(formula: str) -> str:
    """Return a formula with the equal terms of its outermost sum collected: x + (x - sin(x)) is 2*x - sin(x)."""
    terms: Counter[str] = Counter()

    def collect(node: Node, sign: int) -> None:
        if isinstance(node, Operation) and node.name in ("add", "sub"):
            collect(node.operands[0], sign)
            collect(node.operands[1], sign if node.name == "add" else -sign)
        else:
            bracketed = isinstance(node, Operation) and node.name == "neg"
            terms[f"({node})" if bracketed else str(node)] += sign

    collect(parse_formula(formula), 1)
    ordered = sorted((count < 0, term != "x", term, count) for term, count in terms.items() if count)
    parts = [f"{'-' if count < 0 else '+'} {_times(abs(count))}{term}" for _, _, term, count in ordered]
    return " ".join(parts).removeprefix("+ ") if parts else "0"


def report(searches: Sequence[Search], command: str) -> str:
    """Return conditions, summary, differences and the formulas of every seed."""
    by_mode = {mode: [one for one in searches if one.mode == mode] for mode in _NAMES}
    return "\n\n".join(
        [
            _conditions(by_mode, command),
            _summary(by_mode),
            _differences(by_mode),
            _published(by_mode),
            _formulas(by_mode),
        ]
    )


def _conditions(by_mode: Mapping[str, Sequence[Search]], command: str) -> str:
    packages = ("axonlight", "torch", "gplearn", "scikit-learn")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    leaking, seeds = by_mode["leak"], [one.seed for one in by_mode["leak"]]
    seconds = np.median([one.search_seconds for mode in ("leak", "no leak") for one in by_mode[mode]])
    machine = platform.machine().replace("_", "-")
    fewest, most = (pick(one.test_rows_drawn for one in leaking) for pick in (min, max))
    leaked = f"all {most}" if fewest == most == leaking[0].rows_drawn else f"{fewest} to {most}"
    return (
        f"```\n{command}\n```\n\n{dt.date.today()}, {versions}, Python {platform.python_version()},\n"
        f"{os.cpu_count()}-core {machine} CPU, one thread. Seeds {seeds[0]}-{seeds[-1]}. A search sees "
        f"{leaking[0].rows_drawn} rows and takes {seconds:.1f} s (median);\nwith the leak {leaked} of them are test "
        "rows."
    )


def _summary(by_mode: Mapping[str, Sequence[Search]]) -> str:
    rows = []
    for mode, name in _NAMES.items():
        found = by_mode[mode]
        curves = _curves([one.formula for one in found if one.formula])
        counts = [len(np.unique(curves.round(9) + 0.0, axis=0)), _straight(curves)] if len(curves) else ["", ""]
        cells = [_mean([getattr(one, field) for one in found]) for field in MEASURES.values()]
        rows.append([name, len(found), *counts, *cells])
    return table(["search", "seeds", "different functions", "straight lines found", *MEASURES], rows)


def _curves(formulas: Sequence[str]) -> np.ndarray:
    """Return the values of formulas on [-5, 5], (formulas, 101)."""
    x = torch.linspace(-5, 5, 101, dtype=torch.float64)
    return np.array([Formula(text).double()(x).detach().numpy() for text in formulas])


def _straight(curves: np.ndarray) -> int:
    """Return how many curves are straight lines."""
    return int((np.abs(np.diff(curves, 2, axis=1)).max(1) < 1e-9).sum())


def _differences(by_mode: Mapping[str, Sequence[Search]]) -> str:
    head = ["difference, paired by seed", *MEASURES, f"verdict on the network's AUC (region ±{ROPE})"]
    rows = []
    for first, second in (("leak", "no leak"), ("leak", "relu"), ("no leak", "relu"), ("no leak", "line")):
        name = f"{_NAMES[first]} minus {_NAMES[second].removeprefix('no search: ')}"
        cells = [_difference(by_mode[first], by_mode[second], field) for field in MEASURES.values()]
        scores = [[one.auroc for one in by_mode[mode]] for mode in (first, second)]
        enough = len(scores[0]) > 1
        verdict = compare_scores(*scores, test_fraction=TEST_SHARE, rope=ROPE).verdict if enough else ""
        rows.append([name, *cells, verdict])
    return table(head, rows)


def _published(by_mode: Mapping[str, Sequence[Search]]) -> str:
    first = by_mode["leak"][0]
    x = torch.linspace(-5, 5, 101, dtype=torch.float64)
    same = torch.allclose(Formula(first.formula).double()(x), 3 * x + torch.sin(x), rtol=1e-12, atol=1e-12)
    beside = "which is the published curve, 3x + sin(x)" if same else "which is not the published curve, 3x + sin(x)"
    return (
        f"Seed {first.seed} with the leak, the published search itself, ends with\n\n```\n{first.program}\n```\n\n"
        f"and so with `{as_sum(first.formula)}` when every feature is read as x, {beside}."
    )


def _formulas(by_mode: Mapping[str, Sequence[Search]]) -> str:
    rows = [
        [
            leak.seed,
            f"`{as_sum(leak.formula)}`",
            f"{leak.auroc:.4f}",
            f"`{as_sum(other.formula)}`",
            f"{other.auroc:.4f}",
        ]
        for leak, other in zip(by_mode["leak"], by_mode["no leak"], strict=True)
    ]
    return table(["seed", "found with the leak", "AUC", "found on training rows", "AUC"], rows)


def _difference(first: Sequence[Search], second: Sequence[Search], field: str) -> str:
    differences = [getattr(a, field) - getattr(b, field) for a, b in zip(first, second, strict=True)]
    defined = [value for value in differences if not math.isnan(value)]
    if len(defined) < 2:
        return f"{defined[0]:+.4f}" if defined else ""
    found = estimate_mean(differences, TEST_SHARE)
    return f"{found.mean:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"


def _mean(values: Sequence[float]) -> str:
    defined = [value for value in values if not math.isnan(value)]
    if not defined:
        return ""
    failed = f" ({len(values) - len(defined)} failed)" if len(defined) < len(values) else ""
    return f"{np.mean(defined):.4f} ± {np.std(defined):.4f}{failed}"


def _times(count: int) -> str:
    return "" if count == 1 else f"{count}*"
