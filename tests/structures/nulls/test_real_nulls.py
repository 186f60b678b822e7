"""Null models on real hierarchies: what stays alive, what overlaps, when the chain has mixed, how long it takes."""

import time

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from axonlight.structures import (
    NULL_MODELS,
    ColumnShuffle,
    DegreePreserving,
    ErdosRenyi,
    Hierarchy,
    PermuteInputs,
    RandomGeneSets,
    Rewire,
    RowShuffle,
    ShuffleHierarchy,
    broken_invariants,
    build_null,
    read_names,
)

pytestmark = pytest.mark.xdist_group("real_nulls")  # its fixtures are made once


@pytest.fixture(scope="module")
def proteomics(data_root):
    folder = data_root / "proteomics"
    features = read_names(folder / "test_qm.csv")
    return Hierarchy.from_reactome(folder / "translation.tsv", folder / "pathways.tsv", features=features)


@pytest.fixture(scope="module")
def reactome(data_root):
    folder = data_root / "reactome"
    files = folder / "ReactomePathways.gmt", folder / "ReactomePathwaysRelation.txt"
    skip = {"levels": None, "attach": "every", "fill": "skip", "level_rule": "longest"}
    return {"copies": Hierarchy.from_reactome(*files), "skipping": Hierarchy.from_reactome(*files, **skip)}


def live_shares(hierarchy):
    """Share of features, of nodes above and of edges on a path to the top, by networkx."""
    graph = nx.DiGraph()
    for layer, size in enumerate(hierarchy.sizes):
        graph.add_nodes_from((layer, place) for place in range(size))
    for source, target, pairs in hierarchy.edges:
        graph.add_edges_from(((source, low), (target, high)) for low, high in pairs.T.tolist())
    top = len(hierarchy.layers) - 1
    graph.add_edges_from(("start", (0, place)) for place in range(hierarchy.sizes[0]))
    graph.add_edges_from(((top, place), "end") for place in range(hierarchy.sizes[top]))
    live = (nx.descendants(graph, "start") & nx.ancestors(graph, "end")) - {"start", "end"}
    features = sum(layer == 0 for layer, _ in live)
    edges = graph.subgraph(live).number_of_edges()
    return features / hierarchy.sizes[0], (len(live) - features) / sum(hierarchy.sizes[1:]), edges / hierarchy.num_edges


def overlaps(hierarchy, draw):
    """Share of the edges that are still there, per block."""
    pairs = zip(hierarchy.edges, draw.edges, strict=True)
    codes = [[block.pairs[0] * 10**6 + block.pairs[1] for block in blocks] for blocks in pairs]
    return [np.isin(before, after).mean() for before, after in codes]


# Measured before by another implementation, over 20 draws: features, nodes above them, edges.
@pytest.mark.parametrize(
    ("null", "expected"),
    [
        (ErdosRenyi(), (0.89, 0.42, 0.42)),
        (RowShuffle(), (1.00, 0.91, 0.98)),
        (ColumnShuffle(), (0.90, 0.47, 0.44)),
        (DegreePreserving(), (1.00, 1.00, 1.00)),
        (PermuteInputs(), (1.00, 1.00, 1.00)),
        (ShuffleHierarchy(), (1.00, 1.00, 1.00)),
    ],
    ids=lambda item: item.name if hasattr(item, "name") else "",
)
def test_what_stays_alive(null, expected, proteomics):
    shares = [live_shares(null(proteomics, seed)) for seed in range(20)]
    np.testing.assert_allclose(np.mean(shares, axis=0), expected, atol=0.012)


def test_random_sets_lose_few_features_and_no_pathway(proteomics):
    features, nodes, edges = np.mean([live_shares(RandomGeneSets()(proteomics, seed)) for seed in range(20)], axis=0)
    assert 0.98 < features < 1
    assert nodes == edges == 1


def test_overlap_has_reached_its_plateau(proteomics):
    """Five times as many trades do not lower it; a quarter of them, the usual 5 per node, leave more."""
    few, default, many = (
        np.array([overlaps(proteomics, DegreePreserving(trades)(proteomics, seed)) for seed in range(12)])
        for trades in (5, 20, 100)
    )
    error = np.sqrt((default.var(axis=0) + many.var(axis=0)) / 11)
    assert (np.abs(default.mean(axis=0) - many.mean(axis=0)) < 4 * error + 0.002).all()
    assert few[:, 0].mean() > default[:, 0].mean() + 0.03
    assert default[:, 0].mean() == pytest.approx(0.109, abs=0.005)
    assert default[:, 1:].mean(axis=0).max() < 0.08


def test_the_plateau_is_that_of_checked_swaps(proteomics):
    """Another chain to the same distribution: swaps of two edges, one block at a time."""
    pairs = proteomics.edges[0].pairs
    rng = np.random.default_rng(0)
    kept = []
    edges = [tuple(pair) for pair in pairs.T.tolist()]
    real = set(edges)
    present = set(edges)
    for attempt, (a, b) in enumerate(rng.integers(len(edges), size=(400_000, 2)).tolist()):
        (low_a, high_a), (low_b, high_b) = edges[a], edges[b]
        one, other = (low_a, high_b), (low_b, high_a)
        if one not in present and other not in present:
            present -= {edges[a], edges[b]}
            present |= {one, other}
            edges[a], edges[b] = one, other
        if attempt > 100_000 and attempt % 10_000 == 0:
            kept.append(len(real & present) / len(real))
    assert np.mean(kept) == pytest.approx(0.109, abs=0.006)


def test_doses_lie_between(proteomics):
    means = [np.mean([overlaps(proteomics, Rewire(dose)(proteomics, seed))[0] for seed in range(5)]) for dose in DOSES]
    np.testing.assert_allclose(means, [1.0, 0.76, 0.53, 0.32, 0.11], atol=0.015)


DOSES = (0.0, 0.25, 0.5, 0.75, 1.0)


@pytest.mark.parametrize("kind", ["copies", "skipping"])
@pytest.mark.parametrize("name", sorted(set(NULL_MODELS) - {"Coexpression"}))
def test_invariants_hold_on_all_of_reactome(name, kind, reactome):
    hierarchy = reactome[kind]
    null = build_null({"class_path": name, "init_args": {"fraction": 0.5} if name == "Rewire" else {}})
    null.fit(np.zeros((2, 0)), [])
    draw = null(hierarchy, 1)
    assert not set(broken_invariants(hierarchy, draw)) & null.keeps
    assert draw.nodes == hierarchy.nodes
    assert draw != hierarchy
    assert draw == null(hierarchy, 1)


def test_modules_of_measured_proteins(proteomics, data_root):
    table = pd.read_csv(data_root / "proteomics" / "test_qm.csv", index_col=0)
    null = build_null("Coexpression").fit(table.to_numpy().T[:130], list(table.index))
    draw = null(proteomics, 0)
    features, nodes, edges = live_shares(draw)
    assert features > 0.98
    assert nodes == edges == 1
    strength = table.T.iloc[:130].corr(min_periods=10).abs().fillna(0.0)
    means = [coherence(hierarchy, strength) for hierarchy in (RandomGeneSets()(proteomics, 0), proteomics, draw)]
    np.testing.assert_allclose(means, [0.19, 0.30, 0.49], atol=0.02)


def coherence(hierarchy, strength):
    """Mean correlation within a set, averaged over the sets of two and more."""
    sets = [list(hierarchy.children(name, 1)) for name in hierarchy.nodes[1]]
    inside = [strength.loc[members, members].to_numpy() for members in sets if len(members) > 1]
    return np.mean([values[np.triu_indices(len(values), 1)].mean() for values in inside])


def test_a_thousand_draws_take_less_than_a_minute(proteomics):
    null = DegreePreserving()
    start = time.process_time()
    for seed in range(30):
        null(proteomics, seed)
    assert time.process_time() - start < 60 * 30 / 1000
