"""Candidates per second of the engines, and the stage that trains them, in one run.

    python benchmarks/discovery.py [--nodes 8] [--rows 2000] [--rounds 3] [--threads 2] [--quick]

Engines, one thread, in turns; "seconds" is the fastest round.

    enumerate    every distinct function of {x, add, sub, mul, sin, cos, abs} up to --nodes nodes, built anew
    gplearn      the published evolution: 500 programs, 5 generations, the same operators, all rows
    operon       the same operators and rows, 500 formulas, 10 nodes, 50,000 evaluations, weights tuned

The rows are random: 28 features, the label depends on four of them. "proposed" are distinct texts of one variable,
"functions" those that differ in value on [-12, 12] (to 9 digits), "tried" the evaluations an engine counts itself: for
enumerate the functions, for the others a formula on all rows. The training stage is that of replicas_formulas.py:
100 networks 54-64-32-1, each with a formula of its own, in steps of batch 1024.
"""

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from _timing import machine
from axonlight.discovery import Candidate
from axonlight.discovery.curve_evaluation import evaluate_formulas
from axonlight.discovery.engines import Engine, Enumeration, GplearnEngine, OperonEngine, SearchRows
from axonlight.discovery.engines.enumeration import engine as enumeration
from axonlight.errors import InputError
from replicas_formulas import measure

Propose = Callable[[], list[Candidate]]


def random_rows(count: int) -> SearchRows:
    """Return rows of 28 features whose label is a noisy function of four of them."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(count, 28))
    signal = x[:, 0] * np.cos(x[:, 1]) + np.sin(x[:, 2]) + 0.5 * x[:, 3] + 0.5 * generator.normal(size=count)
    return SearchRows(x, (signal > 0).astype(int), "binary")


def distinct_functions(found: Sequence[Candidate]) -> int:
    """Return how many of the candidates differ in value."""
    values = evaluate_formulas([one.formula for one in found], np.linspace(-12, 12, 257) + 0.007)
    values = values[np.isfinite(values).all(1)]
    size = np.maximum(np.abs(values).max(1, keepdims=True), 1.0)
    return len(np.unique(np.round(values / size, 9) + 0.0, axis=0))


def engine_runs(nodes: int, rows: SearchRows) -> dict[str, Propose]:
    """Return what each engine does in a round."""

    def enumerate_anew() -> list[Candidate]:
        enumeration._formulas.cache_clear()
        return Enumeration(max_nodes=nodes).propose(None, seed=0)

    engines: dict[str, Engine] = {"gplearn": GplearnEngine(sample=None), "operon": OperonEngine()}
    runs: dict[str, Propose] = {f"enumerate, {nodes} nodes": enumerate_anew}
    for name, engine in engines.items():
        runs[name] = lambda engine=engine: engine.propose(rows, seed=0)
    return runs


def compare_engines(nodes: int, rows: SearchRows, rounds: int) -> None:
    """Run the engines in turns and print their rates."""
    runs = engine_runs(nodes, rows)
    fastest: dict[str, tuple[float, list[Candidate]]] = {}
    for _ in range(rounds):
        for name, run in list(runs.items()):
            began = time.perf_counter()
            try:
                found = run()
            except InputError as error:  # Operon is an extra
                print(f"  {name}: {error}")
                del runs[name]
                continue
            seconds = time.perf_counter() - began
            fastest[name] = min(fastest.get(name, (np.inf, found)), (seconds, found), key=lambda pair: pair[0])
    print(f"\nengines, {len(rows.y):,} rows x {rows.x.shape[1]} features for gplearn and operon, one thread")
    columns = ("seconds", "tried", "proposed", "functions", "tried/s", "proposed/s", "functions/s")
    print(f"  {'':<20}" + "".join(f"{name:>13}" for name in columns))
    for name, (seconds, found) in fastest.items():
        tried = len(found) if name.startswith("enumerate") else found[0].cost["evaluations"]
        functions = distinct_functions(found)
        counts = (tried, len(found), functions)
        cells = "".join(f"{count:>13,.0f}" for count in (*counts, *(count / seconds for count in counts)))
        print(f"  {name:<20}{seconds:>13.2f}{cells}")


def compare_training(count: int, rounds: int) -> None:
    """Print the times of a training step side by side and in loops."""
    ways, _ = measure([54, 64, 32, 1], count, rounds)
    print(f"\ntraining {count} candidates 54-64-32-1, batch 1024, {torch.get_num_threads()} threads")
    print(f"  {'':<20}{'ms per network and step':>25}{'networks x steps per second':>30}{'side by side is':>18}")
    for name, values in ways.items():
        ratio = f"{values[0] / ways['one seed'][0]:.2f} times"
        print(f"  {name:<20}{values[0] * 1e3:>25.3f}{1 / values[0]:>30,.0f}{ratio:>18}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--replicas", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2, help="of the training stage")
    parser.add_argument("--quick", action="store_true", help="7 nodes, 500 rows, 32 replicas, one round")
    options = parser.parse_args()
    if options.quick:
        options.nodes, options.rows, options.replicas, options.rounds = 7, 500, 32, 1
    print(machine())
    torch.set_num_threads(1)
    compare_engines(options.nodes, random_rows(options.rows), options.rounds)
    torch.set_num_threads(options.threads)
    compare_training(options.replicas, options.rounds)


if __name__ == "__main__":
    main()
