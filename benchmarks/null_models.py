"""Draws of null models of the septic kidney hierarchy, 449-446-285-116-28, beside plain loops for the same draw.

    python benchmarks/null_models.py [--rounds 7] [--quick] [--data FOLDER]

    DegreePreserving  all blocks, rounds of curveball trades at both ends, 20 per node; draw and checks included
    curveball loop    the same number of trades, one after another, in Python sets
    swap loop         checked swaps of two edges, one after another, 10 attempts per edge (the default of XSwap)

and one line per other null model. All run in turns on one thread (see _timing.py); processor time, medians. FOLDER
holds translation.tsv, pathways.tsv and test_qm.csv of the set; without it, the sizes are the same and the edges random.
networkx has no swap that keeps the two sides of such a graph apart, so it is not among them.
"""

import argparse
import logging
import os
import random
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from _timing import interleaved_medians, machine
from axonlight.structures import NULL_MODELS, DegreePreserving, Hierarchy, build_null, read_names

SIZES, EDGES = (449, 446, 285, 116, 28), (2609, 448, 285, 117)
TRADES, ATTEMPTS = 20, 10

Edge = tuple[int, int]


def hierarchy_of(folder: Path | None) -> Hierarchy:
    if folder is not None and folder.is_dir():
        features = read_names(folder / "test_qm.csv")
        return Hierarchy.from_reactome(folder / "translation.tsv", folder / "pathways.tsv", features=features)
    rng = np.random.default_rng(0)
    blocks = []
    for place, number in enumerate(EDGES):
        codes = rng.choice(SIZES[place] * SIZES[place + 1], number, replace=False)
        blocks.append((place, place + 1, np.stack(np.divmod(codes, SIZES[place + 1]))))
    nodes = tuple(tuple(f"{layer}.{node}" for node in range(size)) for layer, size in enumerate(SIZES))
    return Hierarchy(("features", "level_4", "level_3", "level_2", "level_1"), nodes, tuple(blocks))


def edge_lists(hierarchy: Hierarchy) -> list[list[Edge]]:
    return [[(low, high) for low, high in pairs.T.tolist()] for _, _, pairs in hierarchy.edges]


def curveball_loop(hierarchy: Hierarchy) -> list[set[Edge]]:
    found = []
    for edges in edge_lists(hierarchy):
        sets: dict[int, set[int]] = {}
        for low, high in edges:
            sets.setdefault(high, set()).add(low)
        names = list(sets)
        sources = len({low for low, _ in edges})
        for _ in range(TRADES * (len(names) + sources) // 2):
            one, other = random.sample(names, 2)
            mine, yours = sets[one] - sets[other], sets[other] - sets[one]
            heap = [*mine, *yours]
            random.shuffle(heap)
            both = sets[one] & sets[other]
            sets[one], sets[other] = both | set(heap[: len(mine)]), both | set(heap[len(mine) :])
        found.append({(low, high) for high, lows in sets.items() for low in lows})
    return found


def swap_loop(hierarchy: Hierarchy) -> list[set[Edge]]:
    found = []
    for edges in edge_lists(hierarchy):
        present = set(edges)
        for a, b in np.random.default_rng().integers(len(edges), size=(ATTEMPTS * len(edges), 2)).tolist():
            (low_a, high_a), (low_b, high_b) = edges[a], edges[b]
            one, other = (low_a, high_b), (low_b, high_a)
            if one not in present and other not in present:
                present -= {edges[a], edges[b]}
                present |= {one, other}
                edges[a], edges[b] = one, other
        found.append(present)
    return found


def overlap(hierarchy: Hierarchy, edges: list[set[Edge]]) -> float:
    return len(edges[0] & set(edge_lists(hierarchy)[0])) / len(edges[0])


def compare_loops(hierarchy: Hierarchy, rounds: int) -> None:
    null = DegreePreserving(TRADES)
    functions = {
        "DegreePreserving": lambda: null(hierarchy, 0),
        "curveball loop": lambda: curveball_loop(hierarchy),
        "swap loop": lambda: swap_loop(hierarchy),
    }
    seconds = interleaved_medians(functions, rounds, clock=time.thread_time)
    drawn = {
        "DegreePreserving": [set(edges) for edges in edge_lists(null(hierarchy, 0))],
        "curveball loop": curveball_loop(hierarchy),
        "swap loop": swap_loop(hierarchy),
    }
    print(f"{'':<24}{'ms per draw':>12}{'ratio':>8}  overlap with the start, features to pathways")
    for name, value in seconds.items():
        ratio = value / seconds["DegreePreserving"]
        print(f"{name:<24}{1e3 * value:>12.1f}{ratio:>8.1f}  {overlap(hierarchy, drawn[name]):.3f}")


def time_all(hierarchy: Hierarchy, rounds: int) -> None:
    rows = np.random.default_rng(0).normal(size=(150, hierarchy.sizes[0])) ** 2
    functions = {}
    for name in NULL_MODELS:
        null = build_null({"class_path": name, "init_args": {"fraction": 0.5} if name == "Rewire" else {}})
        functions[name] = partial(null.fit(rows, hierarchy.features), hierarchy, 0)
    for name, value in interleaved_medians(functions, rounds, clock=time.thread_time).items():
        print(f"{name:<24}{1e3 * value:>12.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = os.environ.get("AXONLIGHT_DATA", Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--data", type=Path, default=Path(root) / "proteomics")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    random.seed(0)
    hierarchy = hierarchy_of(arguments.data)
    rounds = 2 if arguments.quick else arguments.rounds
    print(machine())
    compare_loops(hierarchy, rounds)
    time_all(hierarchy, rounds)


if __name__ == "__main__":
    main()
