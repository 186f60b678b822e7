"""The report against enumeration of every path, against known figures of a real hierarchy, and against the clock."""

import itertools
import json
import math
import time
from collections import Counter

import numpy as np
import pytest
from axonlight.errors import InputError
from axonlight.structures import Hierarchy, NullReport, read_names

pytestmark = pytest.mark.xdist_group("nulls_report")  # its fixtures are made once


def draw_hierarchy(generator, sizes, skip=True, edges=0.4):
    """A random hierarchy, some names of which stand on several layers, with edges between any layers."""
    nodes = [[f"node {place}" for place in range(size)] for size in sizes]
    blocks = []
    for source, target in itertools.combinations(range(len(sizes)), 2):
        if target == source + 1 or skip:
            chosen = np.argwhere(generator.random((sizes[source], sizes[target])) < edges)
            blocks.append((source, target, chosen.T))
    return Hierarchy([f"layer {place}" for place in range(len(sizes))], nodes, blocks)


def redrawn(hierarchy, generator, share=0.4):
    blocks = [
        (source, target, np.argwhere(generator.random((hierarchy.sizes[source], hierarchy.sizes[target])) < share).T)
        for source, target, _ in hierarchy.edges
    ]
    return Hierarchy(hierarchy.layers, hierarchy.nodes, blocks)


def all_paths(hierarchy):
    """Every path from a feature to the highest layer, as a list of (layer, place)."""
    steps = {}
    for source, target, pairs in hierarchy.edges:
        for low, high in pairs.T.tolist():
            steps.setdefault((source, low), []).append((target, high))
    top, found = len(hierarchy.layers) - 1, []

    def walk(path):
        if path[-1][0] == top:
            found.append(path)
        for step in steps.get(path[-1], []):
            walk([*path, step])

    for place in range(hierarchy.sizes[0]):
        walk([(0, place)])
    return found


def by_enumeration(hierarchy):
    paths = all_paths(hierarchy)
    nodes = {node for path in paths for node in path}
    edges = {step for path in paths for step in itertools.pairwise(path)}
    fed = Counter(end for _, end in edges)

    def depth(path):
        return sum(fed[node] > 1 for node in path[1:])

    return {
        "live_inputs": sum(layer == 0 for layer, _ in nodes) / hierarchy.sizes[0],
        "live_nodes": sum(layer > 0 for layer, _ in nodes) / sum(hierarchy.sizes[1:]),
        "live_edges": len(edges) / hierarchy.num_edges,
        "paths": math.log10(len(paths)) if paths else -math.inf,
        "effective_depth": np.mean([depth(path) for path in paths]) if paths else math.nan,
    }


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("sizes", "share"), [((6, 4, 3, 2), 0.35), ((3, 5, 4, 4, 2), 0.5), ((7, 3, 2), 0.2)])
def test_live_parts_paths_and_depth_against_every_path(seed, sizes, share):
    generator = np.random.default_rng(seed)
    real = draw_hierarchy(generator, sizes, edges=share)
    draws = [redrawn(real, generator, share / 2) for _ in range(3)]
    report = NullReport(real, draws)
    measured = [report.real, *(row for _, row in report.draws.iterrows())]
    for row, hierarchy in zip(measured, [real, *draws], strict=True):
        expected = by_enumeration(hierarchy)
        for name, value in expected.items():
            assert float(row[name]) == pytest.approx(value, abs=1e-12, nan_ok=True), name


@pytest.mark.parametrize("seed", range(5))
def test_overlap_and_degrees_against_sets(seed):
    generator = np.random.default_rng(seed)
    real = draw_hierarchy(generator, (8, 5, 3))
    draw = redrawn(real, generator)
    row = NullReport(real, [draw]).draws.loc[0]
    shared, moved = 0, {0: 0.0, 1: 0.0}
    for (source, target, pairs), other in zip(real.edges, draw.edges, strict=True):
        mine, its = set(map(tuple, pairs.T.tolist())), set(map(tuple, other.pairs.T.tolist()))
        shared += len(mine & its)
        block = f"edge_overlap layer {source} -> layer {target}"
        assert row[block] == pytest.approx(len(mine & its) / len(mine))
        for end in (0, 1):
            size = real.sizes[(source, target)[end]]
            sequences = [
                sorted(sum(edge[end] == node for edge in edges) for node in range(size)) for edges in (mine, its)
            ]
            moved[end] += sum(abs(a - b) for a, b in zip(*sequences, strict=True)) / 2
    assert row["edge_overlap"] == pytest.approx(shared / real.num_edges)
    assert row["out_degree_distance"] == pytest.approx(moved[0] / real.num_edges)
    assert row["in_degree_distance"] == pytest.approx(moved[1] / real.num_edges)
    assert not row["in_degrees_kept"]


def permuted(hierarchy, seed):
    order = np.random.default_rng(seed).permutation(hierarchy.sizes[0])
    blocks = [(s, t, np.stack([order[pairs[0]], pairs[1]]) if s == 0 else pairs) for s, t, pairs in hierarchy.edges]
    return Hierarchy(hierarchy.layers, hierarchy.nodes, blocks)


def test_relabelled_inputs_keep_all_but_the_labels():
    real = draw_hierarchy(np.random.default_rng(1), (9, 4, 2), skip=False)
    report = NullReport(real, [permuted(real, seed) for seed in range(4)])
    for name in ("live_inputs", "live_nodes", "live_edges", "paths", "effective_depth"):
        assert report.draws[name].tolist() == [report.real[name]] * 4
    assert report.draws["in_degrees_kept"].all()
    assert not report.draws["out_degrees_kept"].any()
    assert {"isomorphic", "target_degrees", "pathway_edges"} <= set(report.kept)
    assert "source_degrees" not in report.kept
    assert (report.draws[["in_degree_distance", "out_degree_distance"]] == 0).all(axis=None)
    assert (report.draws["edge_overlap layer 1 -> layer 2"] == 1).all()
    assert (report.draws["edge_overlap"] < 1).all()


def test_counts_too_large_for_a_float_are_right():
    width, layers = 40, 251  # 40^251 paths
    every = np.stack([np.repeat(np.arange(width), width), np.tile(np.arange(width), width)])
    nodes = [[f"{layer}.{place}" for place in range(width)] for layer in range(layers)]
    blocks = [(layer, layer + 1, every) for layer in range(layers - 1)]
    real = Hierarchy([str(layer) for layer in range(layers)], nodes, blocks)
    report = NullReport(real, [real])
    assert report.real["paths"] == pytest.approx(layers * math.log10(width), rel=1e-12)
    assert report.real["effective_depth"] == pytest.approx(layers - 1)


def erdos_renyi(hierarchy, seed):
    generator = np.random.default_rng(seed)
    blocks = []
    for source, target, pairs in hierarchy.edges:
        high = hierarchy.sizes[target]
        cells = generator.choice(hierarchy.sizes[source] * high, pairs.shape[1], replace=False)
        blocks.append((source, target, np.stack([cells // high, cells % high])))
    return Hierarchy(hierarchy.layers, hierarchy.nodes, blocks)


@pytest.fixture(scope="module")
def proteomics(data_root):
    folder = data_root / "proteomics"
    features = read_names(folder / "test_qm.csv")
    return Hierarchy.from_reactome(folder / "translation.tsv", folder / "pathways.tsv", features=features)


def test_equal_density_kills_most_of_a_real_hierarchy(proteomics):
    draws = [erdos_renyi(proteomics, seed) for seed in range(100)]
    start = time.perf_counter()
    report = NullReport(proteomics, draws, "ErdosRenyi")
    assert time.perf_counter() - start < 3
    summary = report.summary()
    assert (summary.loc[["live_inputs", "live_nodes", "live_edges"], "real"] == 1).all()
    # 20 draws of an independent script: 0.89, 0.42, 0.42
    assert summary.loc["live_inputs", "mean"] == pytest.approx(0.89, abs=0.01)
    assert summary.loc["live_nodes", "mean"] == pytest.approx(0.42, abs=0.02)
    assert summary.loc["live_edges", "mean"] == pytest.approx(0.42, abs=0.02)
    # by powers of sparse matrices
    steps = [proteomics.adjacency(block) for block in range(4)]
    paths = (steps[0] @ steps[1] @ steps[2] @ steps[3]).sum()
    assert 10 ** summary.loc["paths", "real"] == pytest.approx(paths)
    # a permuted label of the features keeps all paths
    relabelled = NullReport(proteomics, [permuted(proteomics, 0)])
    assert relabelled.draws.loc[0, "live_edges"] == 1
    assert relabelled.draws.loc[0, "effective_depth"] == relabelled.real["effective_depth"] < 4


class Stub:
    name = "MyNull"
    keeps = frozenset({"layer_sizes", "edge_counts"})


def test_text_and_plain_data():
    generator = np.random.default_rng(0)
    real = draw_hierarchy(generator, (6, 4, 2))
    severed = Hierarchy(real.layers, real.nodes, [(0, 1, real.edges[0].pairs)])
    report = NullReport(real, [redrawn(real, generator), severed], Stub())
    text = str(report).splitlines()
    dead = "1 of them without a path to the top"
    assert text[0] == f"MyNull: 2 draws of a hierarchy 6-4-2 with {real.num_edges} edges; {dead}"
    assert [line[:12].strip() for line in text[2:7]] == [
        *("live inputs", "live nodes", "live edges", "paths, log10", "effective de")
    ]
    assert len({len(line) for line in text[1:-1]}) == 1
    assert text[-1] == "every draw keeps: layer_sizes"
    assert report.keeps == ("edge_counts", "layer_sizes")
    plain = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert plain["null"] == "MyNull"
    assert plain["draws"][1]["paths"] is None
    assert plain["draws"][1]["live_edges"] == 0
    assert plain["draws"][0]["edge_overlap"] == report.draws.loc[0, "edge_overlap"]
    assert plain["summary"]["live_inputs"]["min"] == 0
    assert plain["num_dead"] == report.num_dead == 1
    assert plain["summary"]["paths"]["min"] == report.draws.loc[0, "paths"]
    assert plain["summary"]["effective_depth"]["min"] == report.draws.loc[0, "effective_depth"]
    assert set(plain["summary"]) == set(report.summary().index)


def test_refused():
    real = draw_hierarchy(np.random.default_rng(0), (6, 4, 2))
    other = draw_hierarchy(np.random.default_rng(0), (5, 4, 2))
    with pytest.raises(InputError, match="draws is empty"):
        NullReport(real, [])
    with pytest.raises(InputError, match=r"draw 1 has other layers or nodes \(5-4-2\)"):
        NullReport(real, [real, other])
    severed = Hierarchy(real.layers, real.nodes, [(0, 1, real.edges[0].pairs)])
    NullReport(real, [real]).check_alive()
    with pytest.raises(
        InputError, match=r"draw 1 of cut leaves no path from a feature to layer layer 2 \(1 of 2 draws"
    ):
        NullReport(real, [real, severed], "cut").check_alive()
